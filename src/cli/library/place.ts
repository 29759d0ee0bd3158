/** What every method of the library needs: where the database is, its options, a process without a terminal. */
import { TorcError } from '../../base/errors.ts';
import { didYouMean, quoted } from '../../model/spec/names.ts';
import { type Context, createContext } from '../context/context.ts';
import type { InterruptHandler, Interrupts } from '../context/interrupts.ts';
import type { Terminal } from '../context/terminal.ts';
import type { WorkerCommandOptions } from '../workers/local-worker.ts';

/** Where the database is: the server directory, else TORC_DIR, else ~/.torc. */
export interface Place {
  dir?: string;
}

/** How often `wait` checks. */
export interface WaitOptions {
  pollSeconds?: number;
}

/** What a copy has that its source has not. */
export interface CopyOptions {
  /** The same name by default. */
  name?: string;
}

/** Limits of the worker, as the options of `torc jobs run`; `output` is the output directory. */
export interface RunOptions extends WorkerCommandOptions {
  /** Stops running jobs; the call then throws TorcError 'interrupted'. */
  signal?: AbortSignal;
}

/** How `run` runs a workflow: what it is stored with, and the worker. */
export interface WorkflowRunOptions extends Place, RunOptions {
  /** In this call, after the first failure nothing more starts (`fail_fast`). */
  failFast?: boolean;
  /** In this call, this long after the start of the run nothing more starts (`timeout`). */
  secondsUntilTimeout?: number;
  /** Continues the workflow if it is there: by its args, or the stored one. What has not succeeded runs again. */
  resume?: boolean;
  /** With `resume`, running jobs continue (hot), or are stopped first (cold); without either, they are an error. */
  keepRunning?: boolean;
  stopRunning?: boolean;
  /** Seconds that stopping may take; 300 by default. */
  resumeTimeout?: number;
  /** Jobs of workers that no longer answer count as dead. */
  forceCleanup?: boolean;
}

/** The keys of T, checked by the compiler to be complete. */
export type Keys<T> = Readonly<Record<keyof T, true>>;
export const placeKeys: Keys<Place> = { dir: true };
export const copyKeys: Keys<CopyOptions> = { name: true };
export const waitKeys: Keys<WaitOptions> = { pollSeconds: true };
export const runKeys: Keys<RunOptions> = {
  output: true,
  maxParallelJobs: true,
  cpus: true,
  memory: true,
  gpus: true,
  pin: true,
  resource: true,
  timeLimit: true,
  label: true,
  alsoUnlabelled: true,
  pollInterval: true,
  wait: true,
  waitForNewJobs: true,
  signal: true,
};

export const workflowRunKeys: Keys<WorkflowRunOptions> = {
  ...placeKeys,
  ...runKeys,
  failFast: true,
  secondsUntilTimeout: true,
  resume: true,
  keepRunning: true,
  stopRunning: true,
  resumeTimeout: true,
  forceCleanup: true,
};

/** Throws 'usage' for an unknown option: a misspelled limit would limit nothing. */
export function refuseUnknown(options: object, known: Readonly<Record<string, true>>): void {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue;
    const meant = didYouMean(name, Object.keys(known));
    throw new TorcError('usage', `unknown option ${quoted(name)}${meant}`, `Options: ${Object.keys(known).join(', ')}`);
  }
}

export const endedStatuses: readonly string[] = ['done', 'failed', 'canceled', 'timeout'];

const silent: Terminal = {
  isStdinTerminal: false,
  isStdoutTerminal: false,
  isStderrTerminal: false,
  columns: () => 80,
  isWriting: () => false,
  out: async () => true,
  err: () => {},
};

export function contextAt({ dir }: Place, signal?: AbortSignal): Context {
  const interrupts = signal === undefined ? noInterrupts : interruptsOf(signal);
  return createContext(dir === undefined ? {} : { dir }, { terminal: silent, interrupts });
}

const noInterrupts: Interrupts = { handle: () => () => {}, exit: () => {} };

/** The newest handler gets the abort as a SIGTERM. */
function interruptsOf(signal: AbortSignal): Interrupts {
  const handlers: InterruptHandler[] = [];
  signal.addEventListener('abort', () => handlers.at(-1)?.('SIGTERM'), { once: true });
  return {
    exit: () => {},
    handle(handler) {
      handlers.push(handler);
      return () => void handlers.splice(handlers.lastIndexOf(handler), 1);
    },
  };
}
