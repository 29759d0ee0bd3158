/**
 * The folder `network` of the server directory: workers that reach no address of the server leave a note there, and the
 * server writes where the relay of an allocation listens. It holds no secret.
 */
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { ownSlurmJob } from '../base/config.ts';
import { networkFolder, relayPath } from '../base/paths.ts';
import { makePrivateFolder, readPrivateFile, replacePrivateFile } from '../base/trusted/private.ts';
import { addressText } from './addresses.ts';
import { readServerFile, type ServerFile } from './server-file.ts';

/** What a worker says that reaches no address of the server. It is written again as long as that lasts. */
export interface UnreachedNote {
  hostname: string;
  /** As Slurm calls the node, else the host's own name. */
  node: string;
  pid: number;
  workflow_key: string;
  slurm_job_id: string | null;
  /** Nodes of its allocation. */
  num_nodes: number;
  /** Each address that was tried, and why it failed. */
  problem: string;
  /** How often it was written. */
  count: number;
}

/** The relay of an allocation; without host and port while there is none, and then why. */
export interface RelayFile {
  slurm_job_id: string;
  /** The node on which it was started, as Slurm calls it, and how many its allocation has. */
  node: string;
  num_nodes: number;
  hostname: string | null;
  port: number | null;
  /** The node's addresses for the other nodes of the allocation; none when it serves only its own. */
  addresses: string[];
  problem: string | null;
}

export function writeRelayFile(directory: string, relay: RelayFile): void {
  makePrivateFolder(networkFolder(directory));
  replacePrivateFile(relayPath(directory, relay.slurm_job_id), `${JSON.stringify(relay, null, 2)}\n`);
}

/** Where the published server can be reached from here: through the relay of the own allocation first. */
export function readReachableServer(directory: string): ServerFile | null {
  const file = readServerFile(directory);
  const slurmJobId = ownSlurmJob();
  if (file === null || slurmJobId === null) return file;
  const relay = readRelay(directory, slurmJobId);
  if (relay?.port == null) return file;
  const own = relay.hostname === hostname() ? [addressText('127.0.0.1', relay.port)] : [];
  return { ...file, addresses: [...own, ...relay.addresses, ...file.addresses] };
}

/** Null where no relay was ever started. */
export function readRelay(directory: string, slurmJobId: string): RelayFile | null {
  const relay = readObject(relayPath(directory, slurmJobId)) as Partial<RelayFile> | null;
  return Array.isArray(relay?.addresses) ? (relay as RelayFile) : null;
}

const noteName = /^worker_[A-Za-z0-9._-]{1,255}_\d{1,10}\.json$/;
const relayName = /^relay_\d{1,18}\.json$/;
/** What goes into a command line of srun or ssh. */
const nodeName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$/;

export interface FoundNote extends UnreachedNote {
  path: string;
  /** By the clock of the file system's host, in milliseconds since 1970. */
  writtenAtMs: number;
}

/** The notes of workers, those of workers that were killed among them. */
export function readUnreachedNotes(directory: string): FoundNote[] {
  const folder = networkFolder(directory);
  return namesIn(folder, noteName).flatMap((name) => {
    const path = join(folder, name);
    const note = readObject(path) as Partial<UnreachedNote> | null;
    const written = lstatSync(path, { throwIfNoEntry: false });
    if (note === null || written === undefined || !isWhole(note)) return [];
    return [{ ...note, path, writtenAtMs: written.mtimeMs }];
  });
}

function isWhole(note: Partial<UnreachedNote>): note is UnreachedNote {
  const { hostname: host, node, slurm_job_id, workflow_key, problem, pid, num_nodes, count } = note;
  const texts = [host, workflow_key, problem].every((text) => typeof text === 'string');
  const numbers = [pid, num_nodes, count].every((number) => Number.isSafeInteger(number));
  const isJob = slurm_job_id === null || (typeof slurm_job_id === 'string' && /^\d{1,18}$/.test(slurm_job_id));
  return texts && numbers && isJob && typeof node === 'string' && nodeName.test(node);
}

export function removeNetworkFile(path: string): void {
  rmSync(path, { force: true });
}

/** Takes away the relays of a server that has ended, which lead nowhere, and returns those that were in use. */
export function takeRelayFiles(directory: string): RelayFile[] {
  const folder = networkFolder(directory);
  return namesIn(folder, relayName).flatMap((name) => {
    const slurmJobId = /\d+/.exec(name)?.[0] ?? '';
    const relay = readRelay(directory, slurmJobId);
    removeNetworkFile(join(folder, name));
    const isUsable =
      typeof relay?.port === 'number' && nodeName.test(relay.node) && Number.isSafeInteger(relay.num_nodes);
    return isUsable ? [{ ...relay, slurm_job_id: slurmJobId }] : [];
  });
}

function namesIn(folder: string, pattern: RegExp): string[] {
  try {
    return readdirSync(folder).filter((name) => pattern.test(name));
  } catch {
    return [];
  }
}

/** Null for a file that is missing, damaged or not ours. */
function readObject(path: string): object | null {
  try {
    const value: unknown = JSON.parse(readPrivateFile(path) ?? 'null');
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}
