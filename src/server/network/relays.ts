/**
 * Reaches workers that cannot reach this server: where their notes in the server directory say so, it starts a relay on
 * their node, one for each allocation. A relay that dies is started again as soon as workers miss it, and one that
 * nobody uses ends.
 */
import { connect } from 'node:net';
import {
  type FoundNote,
  type RelayFile,
  readUnreachedNotes,
  removeNetworkFile,
  takeRelayFiles,
  writeRelayFile,
} from '../../api/network.ts';
import type { RelayGreeting } from '../../api/relay-frames.ts';
import type { RelayKind } from '../../api/relay-kinds.ts';
import { environment } from '../../base/config.ts';
import { relayPath } from '../../base/paths.ts';
import { programPath, smallNodeOptions } from '../../base/program.ts';
import { type RemoteCommand, sshCommand, stepCommand } from '../../slurm/relay.ts';
import type { ServerContext } from '../context.ts';
import { RelayProcess } from './relay-process.ts';

const lookEveryMs = 2_000;
/** A worker writes its note again every few seconds. One that does not is gone. */
const liveForMs = 60_000;
const keepNoteMs = 10 * 60_000;
/** Idle workers keep a request parked, so a relay without connections is of no use. */
const unusedForMs = 120_000;
const retryMs = { first: 5_000, longest: 120_000 };
/** Each is a process on this host. */
const mostRelays = 256;

/** Where a relay runs. */
export interface RelayNode {
  slurmJobId: string;
  node: string;
  numNodes: number;
}

interface Relay {
  place: RelayNode;
  process: RelayProcess | null;
  retryMs: number;
  notBeforeMs: number;
  /** Since when it has no connections. */
  unusedSinceMs: number;
  /** It had connections when it was looked at last. */
  isUsed: boolean;
}

interface Seen {
  count: number;
  changedMs: number;
  isLive: boolean;
}

export interface RelayOptions {
  kind: Exclude<RelayKind, 'off'>;
  /** Where this server listens, as seen from this host. */
  host: string;
  port: number;
}

export class Relays {
  readonly #context: ServerContext;
  readonly #options: RelayOptions;
  readonly #relays = new Map<string, Relay>();
  readonly #seen = new Map<string, Seen>();
  #cancelTimer: () => void = () => {};
  #isClosed = false;

  constructor(context: ServerContext, options: RelayOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** Those of a server that was killed start again at once. */
  start(): void {
    this.#try(() => {
      for (const { slurm_job_id: slurmJobId, node, num_nodes: numNodes } of takeRelayFiles(
        this.#context.info.directory,
      )) {
        this.#start({ slurmJobId, node, numNodes }, retryMs.first);
      }
    });
    this.#look();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer();
    await Promise.all([...this.#relays.values()].map(({ process }) => process?.end('the server ends')));
  }

  #look(): void {
    if (this.#isClosed) return;
    const { clock, info } = this.#context;
    const nowMs = clock.monotonic();
    this.#try(() => {
      const notes = readUnreachedNotes(info.directory);
      this.#forget(notes);
      for (const note of notes) if (this.#isLive(note, nowMs)) this.#reach(note, nowMs);
    });
    for (const [slurmJobId, relay] of this.#relays) this.#endUnused(slurmJobId, relay, nowMs);
    this.#cancelTimer = clock.after(lookEveryMs, () => this.#look());
  }

  /** The file system may be full or away for a while. */
  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#context.info.log.warn({ err: error }, 'the notes of workers could not be read');
    }
  }

  #forget(notes: readonly FoundNote[]): void {
    const paths = new Set(notes.map(({ path }) => path));
    for (const path of this.#seen.keys()) if (!paths.has(path)) this.#seen.delete(path);
  }

  /** It was written again while this server looked: its worker is alive and still reaches nothing. */
  #isLive({ path, count }: FoundNote, nowMs: number): boolean {
    const before = this.#seen.get(path);
    if (before === undefined || before.count !== count) {
      this.#seen.set(path, { count, changedMs: nowMs, isLive: before !== undefined });
      return before !== undefined;
    }
    if (nowMs - before.changedMs > keepNoteMs) removeNetworkFile(path);
    return before.isLive && nowMs - before.changedMs < liveForMs;
  }

  #reach({ slurm_job_id: slurmJobId, node, num_nodes: numNodes }: FoundNote, nowMs: number): void {
    if (slurmJobId === null) return;
    const relay = this.#relays.get(slurmJobId);
    if (relay === undefined && this.#relays.size >= mostRelays) return;
    if (relay !== undefined && (relay.process !== null || nowMs < relay.notBeforeMs)) return;
    this.#start({ slurmJobId, node, numNodes }, relay?.retryMs ?? retryMs.first);
  }

  #start(place: RelayNode, nextRetryMs: number): void {
    const { clock, info } = this.#context;
    const { host, port, kind } = this.#options;
    const unusedSinceMs = clock.monotonic();
    const relay: Relay = { place, process: null, retryMs: nextRetryMs, notBeforeMs: 0, unusedSinceMs, isUsed: false };
    this.#relays.set(place.slurmJobId, relay);
    const events = {
      listens: (greeting: RelayGreeting) => this.#listens(relay, greeting),
      ended: (reason: string, words: string) => this.#ended(relay, reason, words),
    };
    const connection = () => connect({ host, port, allowHalfOpen: true });
    info.log.info({ slurm_job_id: place.slurmJobId, node: place.node, kind }, 'starting a relay');
    relay.process = new RelayProcess(remoteCommand(kind, place), connection, events, clock);
  }

  #listens(relay: Relay, { hostname, port, addresses }: RelayGreeting): void {
    const { clock, info } = this.#context;
    relay.unusedSinceMs = clock.monotonic();
    info.log.info({ slurm_job_id: relay.place.slurmJobId, hostname, port }, 'a relay listens');
    this.#publish(relay, { hostname, port, addresses, problem: null });
  }

  #publish({ place }: Relay, found: Pick<RelayFile, 'hostname' | 'port' | 'addresses' | 'problem'>): void {
    const { slurmJobId: slurm_job_id, node, numNodes: num_nodes } = place;
    this.#try(() => writeRelayFile(this.#context.info.directory, { slurm_job_id, node, num_nodes, ...found }));
  }

  #ended(relay: Relay, reason: string, words: string): void {
    const { clock, info } = this.#context;
    const { slurmJobId } = relay.place;
    relay.process = null;
    if (this.#isClosed) {
      this.#try(() => removeNetworkFile(relayPath(info.directory, slurmJobId)));
      return;
    }
    info.log.warn({ slurm_job_id: slurmJobId, reason, words }, 'a relay has ended');
    const problem = words === '' ? reason : `${reason}: ${words}`;
    this.#publish(relay, { hostname: null, port: null, addresses: [], problem });
    if (relay.isUsed) {
      // its workers miss it now
      this.#start(relay.place, retryMs.first);
      return;
    }
    relay.notBeforeMs = clock.monotonic() + relay.retryMs;
    relay.retryMs = Math.min(retryMs.longest, relay.retryMs * 2);
  }

  #endUnused(slurmJobId: string, relay: Relay, nowMs: number): void {
    const { process: running } = relay;
    relay.isUsed = running !== null && running.numStreams > 0;
    if (running === null) {
      // nobody has missed it for long
      if (nowMs < relay.notBeforeMs + keepNoteMs) return;
      this.#relays.delete(slurmJobId);
      this.#try(() => removeNetworkFile(relayPath(this.#context.info.directory, slurmJobId)));
    } else if (relay.isUsed) {
      relay.unusedSinceMs = nowMs;
      // it works: when it dies, it is started again soon
      relay.retryMs = retryMs.first;
    } else if (nowMs - relay.unusedSinceMs > unusedForMs) void running.end('no worker uses it');
  }
}

function remoteCommand(kind: RelayOptions['kind'], { slurmJobId, node, numNodes }: RelayNode): RemoteCommand {
  const more = numNodes > 1 ? ['--all-nodes'] : [];
  const words = [process.execPath, ...smallNodeOptions, programPath(), 'server', 'relay', ...more];
  if (kind === 'ssh') return sshCommand(node, words, environment());
  return stepCommand({ slurmJobId, node }, words, environment());
}
