/** Everything a worker does to the world, so that a simulator can drive the worker with a world of its own. */
import type { ActionReport, WorkerCommands } from '../api/contract.ts';
import type { SpoolWriter } from './exchange/spool.ts';
import type { Credentials } from './files/credentials.ts';
import type { FileReader } from './files/file-reader.ts';
import type { LogStore } from './files/log-store.ts';
import type { ValueFiles } from './files/values.ts';
import type { JobRunner, RunnerEvents } from './processes/job-runner.ts';

/**
 * `drain`: start nothing more, and end when the running jobs have. `warning`: the end of the allocation is announced.
 * `terminate`: end within seconds. `kill`: at once.
 */
export type StopSignal = 'drain' | 'warning' | 'terminate' | 'kill';

export interface StopSource {
  /** Calls `listener` at each signal; returns a function that ends it. */
  listen(listener: (signal: StopSignal) => void): () => void;
}

export interface WorkerEffects {
  workerId: string;
  bootId: string;
  pid: number;
  /** When this process started, in clock ticks since boot; null where the system does not say. */
  startTicks: number | null;
  /** Where jobs start. */
  workingDirectory: string;
  /** The innermost runner, which starts processes; see runner-chain.ts for what is wrapped around it. */
  openRunner(events: RunnerEvents): JobRunner;
  /** Below it lie the user data of jobs and the marks of their recovery scripts. */
  dataDirectory: string;
  files: FileReader;
  values: ValueFiles;
  credentials: Credentials;
  logs: LogStore;
  spool: SpoolWriter;
  /** Runs the commands of an action one after the other, until one fails or `abort` fires. Never fails. */
  runCommands(commands: WorkerCommands, abort: AbortSignal): Promise<ActionReport>;
  /** Whether the server has asked this worker, through the server directory, to stop. */
  isFenced(): Promise<boolean>;
  /** From 0 to 1. */
  random(): number;
  /** The worker has ended. */
  close(): Promise<void>;
}
