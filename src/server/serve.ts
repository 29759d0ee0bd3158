/** Makes an open service reachable for others: over HTTPS, at the address in `server.json`. */
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type Advertised, addressText } from '../api/addresses.ts';
import type { RelayKind } from '../api/relay-kinds.ts';
import { readServerFile, removeServerFile, type ServerFile, writeServerFile } from '../api/server-file.ts';
import { isoInstant } from '../base/clock.ts';
import { keepHeapSmall } from '../base/heap.ts';
import { credentialSecret, workerKey } from '../base/job-credential.ts';
import { ActionRunner } from './actions/action-runner.ts';
import { Autoscaler } from './actions/autoscaler.ts';
import { MessageSender } from './actions/message-sender.ts';
import { Recoverer } from './actions/recoverer.ts';
import { ScheduleRunner } from './actions/schedule-runner.ts';
import { Reconciler } from './evidence/reconcile.ts';
import { loadIdentity } from './http/certificate.ts';
import { listen } from './http/http.ts';
import { newToken, Tokens } from './http/tokens.ts';
import { Counters } from './live/counters.ts';
import { EventFeed } from './live/event-feed.ts';
import { Relays } from './network/relays.ts';
import type { Service } from './service.ts';
import { Timekeeper } from './time/timekeeper.ts';

export interface ServeOptions {
  /** Address to listen on; all by default, because workers come from compute nodes. */
  host?: string;
  /** Any free port when 0 or missing. */
  port?: number;
  /** Further addresses for `server.json`, tried before those of this host. */
  advertise?: readonly Advertised[];
  /** How long a worker may be silent before contact counts as lost. */
  leaseSeconds?: number;
  /** How nodes are reached that cannot connect to this host; not at all when missing. */
  relay?: RelayKind;
  /** Whether this process runs actions and sends messages; a process that serves only until its own work is done does not. */
  runsActions?: boolean;
  /** Whether an action with the scheduler type `local` starts a worker; not in a process that has its own. */
  startsWorkers?: boolean;
  /** Whether this process makes the workflows of schedules, asks for nodes and recovers by itself; only one that lasts does. */
  runsSchedules?: boolean;
  /** How often in a minute autoscalers may call sbatch and scancel. */
  slurmCallsPerMinute?: number;
}

export interface Serving {
  file: ServerFile;
  /** Those who follow events. */
  readonly numViewers: number;
  /** Removes `server.json` and closes the connections; the service stays open. */
  close(): Promise<void>;
}

/** Of the heap of a server. With 50, a job takes a tenth more processor time; without a limit, up to 80 MB more are used. */
const growthPercent = 100;

/** Raises the epoch, listens, publishes `server.json`. */
export async function serve(service: Service, options: ServeOptions = {}): Promise<Serving> {
  keepHeapSmall(growthPercent);
  const { directory } = service.info;
  const identity = await loadIdentity(directory);
  // the token of a server that crashed stays valid, so its workers notice nothing
  const token = readServerFileToken(directory) ?? newToken();
  const secret = credentialSecret(identity.key);
  const tokens = new Tokens(service.clock, token, secret);
  service.info.workerKey = (workerId) => workerKey(secret, workerId);
  const host = options.host ?? '0.0.0.0';
  const feed = new EventFeed(service);
  const counters = new Counters(service);
  const server = await listen({ context: service, feed, counters, ...identity, tokens, host, port: options.port ?? 0 });
  let file: ServerFile;
  try {
    file = publish(service, server, { host, advertise: options.advertise ?? [], token, ...identity });
  } catch (error) {
    // on a full disk, for example: an open socket would keep the process from ending
    server.close();
    server.closeAllConnections();
    throw error;
  }
  service.onRotateToken = (graceSeconds) => {
    const next = newToken();
    writeServerFile(directory, { ...file, token: next });
    tokens.replace(next, graceSeconds * 1000);
    service.info.log.info({ grace_seconds: graceSeconds }, 'the token was replaced');
  };
  if (options.leaseSeconds !== undefined) service.leaseMs = options.leaseSeconds * 1000;
  const reconciler = new Reconciler(service);
  reconciler.start();
  const timekeeper = new Timekeeper(service);
  timekeeper.start();
  const actions = options.runsActions === true ? new ActionRunner(service, options) : null;
  actions?.start();
  const schedules = options.runsSchedules === true ? new ScheduleRunner(service) : null;
  schedules?.start();
  const sender = options.runsActions === true ? new MessageSender(service) : null;
  sender?.start();
  const autoscaler = options.runsSchedules === true ? new Autoscaler(service, options.slurmCallsPerMinute) : null;
  autoscaler?.start();
  const recoverer = options.runsSchedules === true ? new Recoverer(service) : null;
  recoverer?.start();
  const relays = relaysOf(service, server, host, options.relay ?? 'off');
  relays?.start();
  void service.lost.then(() => {
    feed.close();
    counters.close();
    void relays?.close();
    void autoscaler?.close();
    void recoverer?.close();
    reconciler.close();
    timekeeper.close();
    void schedules?.close();
    void actions?.close();
    void sender?.close();
    server.close();
    server.closeAllConnections();
  });
  return {
    file,
    get numViewers() {
      return feed.size;
    },
    async close() {
      service.onRotateToken = null;
      feed.close();
      counters.close();
      await relays?.close();
      reconciler.close();
      timekeeper.close();
      await autoscaler?.close();
      await recoverer?.close();
      await schedules?.close();
      await actions?.close();
      await sender?.close();
      await stopServing(directory, file, server);
    },
  };
}

function relaysOf(service: Service, server: Server, host: string, kind: RelayKind): Relays | null {
  if (kind === 'off') return null;
  const { port } = server.address() as AddressInfo;
  const own = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return new Relays(service, { kind, host: own, port });
}

/** Raises the epoch and writes `server.json`. */
function publish(
  service: Service,
  server: Server,
  {
    host,
    advertise,
    token,
    certificate,
    fingerprint,
  }: { host: string; advertise: readonly Advertised[] } & Pick<ServerFile, 'token' | 'certificate' | 'fingerprint'>,
): ServerFile {
  const { directory, hostname, pid, version } = service.info;
  const { port } = server.address() as AddressInfo;
  const file: ServerFile = {
    addresses: [
      ...advertise.map((one) => addressText(one.host, one.port ?? port)),
      ...reachableAddresses(host, hostname).map((address) => addressText(address, port)),
    ],
    hostname,
    pid,
    token,
    certificate,
    fingerprint,
    epoch: service.beginEpoch(),
    version,
    started_at: isoInstant(service.startedAt),
  };
  writeServerFile(directory, file);
  return file;
}

function readServerFileToken(directory: string): string | null {
  try {
    return readServerFile(directory)?.token ?? null;
  } catch {
    return null;
  }
}

async function stopServing(directory: string, file: ServerFile, server: Server): Promise<void> {
  removeServerFile(directory, file);
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  // time to send the replies that are under way
  const timer = setTimeout(() => server.closeAllConnections(), 500);
  await closed;
  clearTimeout(timer);
}

/** The host's name first, then its addresses for nodes that cannot resolve the name. */
function reachableAddresses(host: string, hostname: string): string[] {
  if (host !== '0.0.0.0' && host !== '::') return [host];
  const numeric = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ family, internal, address }) => isReachable(host, family, address) && !internal)
    .map((address) => address.address);
  return [hostname, ...numeric];
}

/** A link-local address means another interface on each host. */
function isReachable(host: string, family: string, address: string): boolean {
  return family === 'IPv4' || (host === '::' && !address.toLowerCase().startsWith('fe80:'));
}
