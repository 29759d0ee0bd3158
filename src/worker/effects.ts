/** Everything a worker does to the world, so that a simulator can drive the worker with a world of its own. */
import type { ActionReport, Assignment, LogPlace, WorkerCommands } from '../api/contract.ts';
import type { SpooledReport } from '../api/spool.ts';
import type { AttemptName, JobStdioPaths } from '../base/paths.ts';
import type { StopReason } from '../model/decide/outcome.ts';
import type { FinishedAttempt } from './exchange/reports.ts';
import type { Sample } from './exchange/session.ts';

/** `started` may be called from within `start`; the others never from within one of the runner's own methods. */
export interface RunnerEvents {
  /**
   * The process of the job runs; the instant is on the worker's monotonic clock. Where files are used by one job after
   * another, with the number of those that it writes to.
   */
  started(attempt: number, pid: number, startedAtMs: number, logSlot?: number | null): void;
  /** The main process is gone and nothing is left in its group: what it occupied can be used again. */
  freed(attempt: number): void;
  /** The job has ended and all of its processes are gone. */
  ended(finished: FinishedAttempt): void;
  /** The job was stopped before it had a process, and none will be started. */
  unstarted(attempt: number): void;
  /** The job's memory has grown so much that its sample should be told at once. */
  grown(attempt: number): void;
}

/** Runs jobs as processes, samples them, enforces their limits, stops them. */
export interface JobRunner {
  /**
   * Begins to start a job; that it runs, or could not be started, follows as an event. With an interval, what it uses is
   * written down that often. It writes to files of its own unless it is given others.
   */
  start(job: Assignment, sampleEveryMs?: number | null, output?: JobStdioPaths | null): void;
  /**
   * SIGTERM, then SIGKILL after `graceMs`, to all processes of the jobs. A job that is being stopped keeps its first
   * reason and gets the shorter of the two times.
   */
  stop(jobs: readonly { attempt: number; graceMs: number }[], reason: StopReason): void;
  /** The latest sample of each running job that has grown, or was not told of within the last `minAgeMs`. */
  takeSamples(minAgeMs: number): Sample[];
  /** Ends all timers; running processes are left alone. */
  close(): void;
}

/** A file that is there. `identity` is another one as soon as the content may be. */
export interface PresentFile {
  kind: 'there';
  sizeBytes: number;
  /** Microseconds since 1970; null beyond what can be counted exactly. */
  modifiedUs: number | null;
  changedUs: number | null;
  isRegular: boolean;
  identity: string;
}

/** `unknown`: it cannot be looked at; `code` is the system's name for the reason. */
export type SeenFile = PresentFile | { kind: 'absent' } | { kind: 'unknown'; code: string };

/** A text that was read, or null with what is wrong with the file; null again when there is none. */
export type ReadText = { text: string } | { text: null; problem: string | null };

/** The files of jobs. */
export interface FileReader {
  /** Looks at what a path leads to. `isFresh` goes past what a network file system remembers. Never fails. */
  look(path: string, isFresh: boolean): Promise<SeenFile>;
  /**
   * SHA-256 of the content as hex. Null for what is no regular file, too large, not as it was `seen` any more, or not
   * yet begun when `abort` fires. Never fails.
   */
  hash(path: string, seen: PresentFile, abort: AbortSignal): Promise<string | null>;
  /** Makes the folder of each path, and removes what is at the path itself. Throws the system's error. */
  makeRoom(paths: readonly string[]): Promise<void>;
  /** The text of a UTF-8 file of at most so many bytes. Never fails. */
  readText(path: string, longestBytes: number): Promise<ReadText>;
}

/** Where reports go that the server does not acknowledge. */
export interface SpoolWriter {
  /** Appends and makes durable, after what was appended before; never throws. */
  append(reports: readonly SpooledReport[]): Promise<void>;
  /** Removes what was written, because all of it has been acknowledged. */
  remove(): Promise<void>;
}

/** What one job wrote, to be kept in the worker's one file. */
export interface EndedOutput {
  name: AttemptName;
  paths: JobStdioPaths;
  /** Nobody waits for it any more: its files are not to be touched. */
  isAbandoned(): boolean;
}

/** Files with the output of jobs, where these do not have their own. */
export interface LogStore {
  /**
   * Moves what a job wrote into the worker's one file, so that its files are empty. Null for what is too much to be
   * moved. Throws the system's error; then nothing was moved.
   */
  collect(output: EndedOutput): Promise<Extract<LogPlace, { kind: 'combined' | 'empty' }> | null>;
  /** Throws the system's error, but not for what is not there. */
  remove(paths: JobStdioPaths): Promise<void>;
  /** At the worker's end: removes these files, which are empty, and the worker's folder when nothing is left in it. */
  tidy(files: readonly JobStdioPaths[]): Promise<void>;
}

/** `warning`: the end of the allocation is announced. `terminate`: end within seconds. */
export type StopSignal = 'warning' | 'terminate';

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
  openRunner(events: RunnerEvents): JobRunner;
  files: FileReader;
  logs: LogStore;
  spool: SpoolWriter;
  /** Runs the commands of an action one after the other, until one fails or `abort` fires. Never fails. */
  runCommands(commands: WorkerCommands, abort: AbortSignal): Promise<ActionReport>;
  /** Whether the server has asked this worker, through the server directory, to stop. */
  isFenced(): Promise<boolean>;
  /** From 0 to 1. */
  random(): number;
}
