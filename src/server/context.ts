/** What the rooms of the server work with: the database, the clock, this machine, and the service's own calls. */
import type { Api, ServerLack } from '../api/contract.ts';
import type { Spool } from '../api/spool.ts';
import type { Clock } from '../base/clock.ts';
import type { Histogram } from '../base/histogram.ts';
import type { Log } from '../base/log.ts';
import type { SlurmCommands } from '../slurm/commands.ts';
import type { Database } from '../storage/database/database.ts';
import type { Fact } from '../storage/database/facts.ts';
import type { Transaction } from '../storage/database/transaction.ts';

/** `call` carries out a request of the contract, as if a client had sent it. */
export interface ServerContext extends Api {
  readonly db: Database;
  readonly clock: Clock;
  readonly info: ServiceInfo;
  readonly startedAt: number;
  readonly lastHeard: WorkerSilence;
  readonly machine: Machine;
  /** A worker that is silent for longer has lost contact. */
  readonly leaseMs: number;
  readonly epoch: number;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** What jobs of a shape have taken lately; null while that is not known. */
  readonly usualRuntimeMs: (shapeKey: number) => number | null;
  /** Reads outside of a transaction; nothing may be written through it. */
  readonly view: Transaction;
  /** How long requests took in whose replies workers were given jobs. */
  readonly claimSeconds: Histogram;
  /** Requests that wait for the next transactions. */
  readonly numQueued: number;
  /** Whether the database can be written. */
  readonly space: { readonly lack: ServerLack | null };
  /** Whether another process has taken over the database. */
  readonly isLost: boolean;
  /** Runs `work` as a member of the next transaction; resolves after it is durable. */
  write<T>(work: (tx: Transaction) => T): Promise<T>;
  /** Drops what is in memory and opens the database again, after an I/O error. */
  startAfresh(): void;
  /** Gives the facts of each transaction to `subscriber`, after COMMIT; returns a function that ends this. */
  subscribe(subscriber: Subscriber): () => void;
  /** Called by `server_stop`; null in a process that does not serve. */
  readonly onStop: (() => void) | null;
  /** Replaces the token; the previous one stays valid for this long. Null in a process that does not serve. */
  readonly onRotateToken: ((graceSeconds: number) => void) | null;
}

/** Gets what one transaction made true; may not wait, and is not told twice. */
export type Subscriber = (facts: readonly Fact[]) => void;

/** Who serves, and where. */
export interface ServiceInfo {
  version: string;
  directory: string;
  /** Of the database. */
  identity: number;
  hostname: string;
  pid: number;
  user: string;
  log: Log;
  /** The key of a worker, with which it makes credentials of jobs; missing in a process that does not serve. */
  workerKey?: (workerId: string) => string;
}

/** How long workers have been silent, on a clock that never jumps. */
export interface WorkerSilence {
  /** Whether this process answers workers: it serves, or one was heard from. */
  readonly isServing: boolean;
  /** From now on silence is counted here; before, only the stored heartbeat is known. */
  beginServing(): void;
  /** This process stood still for this long, which counts against no worker. */
  noteStall(stalledMs: number): void;
  /** The file that tells a worker to stop has just been written. */
  noteFenced(workerId: string): void;
  /** How long a worker has been able to read that file. */
  fencedMs(workerId: string, fencedAt: number): number;
  /** How long a worker has been silent; a waiting request is contact. */
  silentMs(workerId: string, lastHeartbeatAt: number): number;
}

/** What evidence is gathered from: Slurm's commands, this host's processes, files. Tests replace it. */
export interface Machine {
  slurm: SlurmCommands;
  hostname: string;
  /** Empty where the system does not say. */
  bootId: string;
  /** Whether a process lives; its start time tells it apart from a later one with the same number. */
  isProcessAlive(pid: number, startTicks: number | null): boolean;
  /** Processes that carry this worker's id in their environment. */
  processesOf(workerId: string): number[];
  /** Signals the processes that still exist and can be signaled. */
  signal(pids: readonly number[], signal: 'SIGTERM' | 'SIGKILL'): void;
  /** The end of what an allocation printed, by the name of its file; null when it cannot be read. */
  slurmOutput(name: string): string | null;
  /** Throws the system's error when it exists and cannot be read. */
  readSpool(workerId: string): Spool;
  /** The ids of workers that may have left a spool. */
  spooledWorkers(): string[];
  /** Durable; also where there is none. Throws the system's error. */
  removeSpool(workerId: string): void;
  hasStopFile(workerId: string): boolean;
  writeStopFile(workerId: string): void;
  /** The name of a user id, or null. */
  userName(uid: string): string | null;
}
