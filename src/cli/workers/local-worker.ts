/** The local worker: its options, and the child process in which it runs while this process serves. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type ErrorCode, exitCodes, TorcError } from '../../base/errors.ts';
import { programEnvironment, programPath, workerNodeOptions } from '../../base/program.ts';
import { visible } from '../../base/text.ts';
import { type Context, note } from '../context/context.ts';

/** Options of a worker as typed, before sizes and durations are read. */
export interface WorkerCommandOptions {
  output?: string;
  maxParallelJobs?: number;
  cpus?: number;
  memory?: string;
  gpus?: number;
  pin?: boolean;
  timeLimit?: string;
  label?: readonly string[];
  alsoUnlabelled?: boolean;
  /** Named resources of the node. */
  resource?: Readonly<Record<string, number>>;
  pollInterval?: number;
  wait?: number;
  /** Seconds without work after which the worker ends; only set by the parent process. */
  waitForNewJobs?: number;
}

/** What a worker prints at its end: the exit of `runWorker` as JSON. */
export interface WorkerResult {
  reason: string;
  num_jobs: number;
  num_failed: number;
}

export interface WorkerChild {
  pid: number;
  /** Rejects with the worker's own TorcError, with 'unusable' when it was killed, otherwise with 'bug'. */
  result: Promise<WorkerResult>;
  /** Lets the worker start no more jobs, and end when those that run have; may be repeated. */
  drain(): void;
  /** Lets the worker stop its jobs and report them; may be repeated. */
  stop(): void;
  /** The same without giving jobs time to end themselves. */
  kill(): void;
}

/** The same options as words of a command line. */
export function workerWords(options: WorkerCommandOptions): string[] {
  const named: [string, string | number | undefined][] = [
    ['--output', options.output],
    ['--max-parallel-jobs', options.maxParallelJobs],
    ['--cpus', options.cpus],
    ['--memory', options.memory],
    ['--gpus', options.gpus],
    ['--time-limit', options.timeLimit],
    ['--poll-interval', options.pollInterval],
    ['--wait', options.wait],
    ['--wait-for-new-jobs', options.waitForNewJobs],
  ];
  return [
    ...named.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`])),
    ...(options.label ?? []).map((label) => `--label=${label}`),
    ...Object.entries(options.resource ?? {}).map(([name, amount]) => `--resource=${name}=${amount}`),
    ...(options.pin === true ? ['--pin'] : []),
    ...(options.alsoUnlabelled === true ? ['--also-unlabelled'] : []),
  ];
}

/** A worker itself reads no configuration files: it may start in another directory. */
function withMost<T extends WorkerCommandOptions>({ settings }: Context, options: T): T {
  const { max_parallel_jobs: maxParallelJobs } = settings;
  return maxParallelJobs === undefined ? options : { maxParallelJobs, ...options };
}

/**
 * Starts this program as a worker of this process, which serves, in a directory or here. The child has its own process group, so
 * that ^C reaches only this process, which then stops the worker cleanly.
 */
export function spawnWorker(
  context: Context,
  workflowKey: string,
  options: WorkerCommandOptions & { output: string },
  directory: string | null,
): WorkerChild {
  const words = [
    '--dir',
    context.directory,
    '-F',
    'json',
    '-c',
    context.consoleLevel,
    'jobs',
    'run',
    workflowKey,
    '--worker',
    ...workerWords(withMost(context, options)),
  ];
  const child = spawn(process.execPath, [...workerNodeOptions, programPath(), ...words], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    // commands that run without a shell inherit this PWD
    env: { ...programEnvironment(context.env), ...(directory === null ? {} : { PWD: directory }) },
    ...(directory === null ? {} : { cwd: directory }),
  });
  const printed = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed.stdout += text;
  });
  child.stderr.setEncoding('utf8');
  createInterface({ input: child.stderr, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
    if (!tellWarning(context, line)) printed.stderr = `${printed.stderr}${line}\n`.slice(-10_000);
  });
  const result = once(child, 'close').then(([code, signal]) => {
    if (code === 0) return JSON.parse(printed.stdout) as WorkerResult;
    const log = join(options.output, workerLogName(child.pid ?? 0));
    const why = `${context.torc} jobs diagnose -k ${workflowKey}`;
    const hint = `See its log ${log}. What happened to its jobs: ${why}. To continue: ${context.torc} jobs run ${workflowKey}`;
    throw workerError(printed.stderr, { code, signal }, hint);
  });
  // the error is delivered when somebody awaits the result; it may come earlier
  result.catch(() => {});
  return {
    pid: child.pid ?? 0,
    result,
    drain: () => void child.kill('SIGUSR1'),
    stop: () => void child.kill('SIGTERM'),
    kill: () => void child.kill('SIGQUIT'),
  };
}

/** Shows a warning of the worker; false when the line is something else. */
function tellWarning(context: Context, line: string): boolean {
  if (!line.startsWith('{"warning":')) return false;
  try {
    const { warning } = JSON.parse(line) as { warning: string };
    note(context, `${context.hasProgress ? '\n' : ''}warning: ${visible(warning)}`, 'warning');
    return true;
  } catch {
    return false;
  }
}

/** The log of a local worker in its output directory. */
export function workerLogName(pid: number): string {
  return `worker_${hostname()}_${pid}.log`;
}

/** How a process ended: one of the two is null. */
interface Ending {
  code: number | null;
  signal: string | null;
}

/** The error that the child wrote, or that it died; being killed from outside is not a bug. */
export function workerError(stderr: string, { code, signal }: Ending, hint: string): TorcError {
  for (const line of stderr.split('\n').toReversed()) {
    const error = parsedError(line);
    if (error !== null) return error;
  }
  const words = stderr.trim().split('\n').slice(-3).join(' / ');
  const ending = signal ?? `exit code ${code}`;
  return new TorcError(
    signal === null ? 'bug' : 'unusable',
    `the worker died (${ending})${words === '' ? '' : `: ${words}`}`,
    hint,
  );
}

function parsedError(line: string): TorcError | null {
  if (!line.startsWith('{"error":')) return null;
  try {
    const { error } = JSON.parse(line) as { error: { code: string; message: string; hint: string | null } };
    return new TorcError(error.code in exitCodes ? (error.code as ErrorCode) : 'bug', error.message, error.hint);
  } catch {
    return null;
  }
}
