/**
 * What the end of an attempt means: from what was seen of the process, what torc did to it and what the kernel counted,
 * to the status, return code and cause that are stored. A lack of evidence is never a success.
 */
import { formatMemory } from '../../base/units.ts';
import type { AttemptEnd } from '../job.ts';

/** Why torc stopped a running job. */
export type StopReason =
  /** A person canceled it. */
  | 'cancel'
  /** A restart waits for its end. */
  | 'restart'
  /** The server no longer counts the attempt as the job's live one. */
  | 'superseded'
  /** The allocation or the time limit ends. */
  | 'walltime'
  /** Someone stopped a worker that runs outside of Slurm. */
  | 'shutdown'
  /** Slurm ended the allocation long before its time. */
  | 'allocation_ended'
  /** The worker was declared dead, or another one has taken its place. */
  | 'fenced'
  /** It ran longer than its own stated runtime. */
  | 'runtime_limit'
  /** It used more than its own stated memory. */
  | 'memory_limit';

export interface EndEvidence {
  /** One of the two is a number; both are null when it is not known how it ended. */
  exitCode: number | null;
  signal: number | null;
  /** Set when torc had sent the job a signal before it ended. */
  stopped: StopReason | null;
  /** The kernel killed a process for lack of memory, and this job is judged to be the one. */
  isOomVictim: boolean;
  /** Such a job kept to its request, and the one of this name had taken the memory; null when it was its own fault. */
  memoryTakenBy: string | null;
  peakMemoryBytes: number | null;
  /** What the job asked for; null where it states nothing. */
  memoryLimitBytes: number | null;
  runtimeLimitMs: number | null;
}

const sigkill = 9;
const codeOfOom = 137;
const codeOfTimeout = 152;

/** Whether an end looks like the work of the kernel's out-of-memory killer: SIGKILL, or a shell that passes it on. */
export function looksKilled(exitCode: number | null, signal: number | null): boolean {
  return signal === sigkill || exitCode === 128 + sigkill;
}

/** The end of an attempt whose process ran. */
export function classifyEnd(evidence: EndEvidence): AttemptEnd {
  const { exitCode, signal } = evidence;
  const stopped = evidence.stopped === null ? null : stoppedEnd(evidence.stopped, evidence);
  return { exitCode, signal, ...(stopped ?? ownEnd(evidence)) };
}

type Verdict = Omit<AttemptEnd, 'exitCode' | 'signal'>;

function done(returnCode: number, cause: AttemptEnd['cause'], detail: string | null = null): Verdict {
  return { status: 'done', returnCode, cause, detail };
}

function stoppedEnd(reason: StopReason, evidence: EndEvidence): Verdict {
  const { peakMemoryBytes, memoryLimitBytes, runtimeLimitMs } = evidence;
  switch (reason) {
    case 'memory_limit':
      return done(codeOfOom, 'oom', `it used ${bytes(peakMemoryBytes)}, its limit is ${bytes(memoryLimitBytes)}`);
    case 'runtime_limit':
      return done(codeOfTimeout, 'job_timeout', `it ran longer than its limit of ${(runtimeLimitMs ?? 0) / 1000} s`);
    case 'cancel':
      return { status: 'canceled', returnCode: null, cause: 'canceled', detail: null };
    case 'superseded':
      return { status: 'canceled', returnCode: null, cause: 'canceled', detail: 'another attempt replaced it' };
    case 'walltime':
      return {
        status: 'terminated',
        returnCode: null,
        cause: 'walltime',
        detail: 'the time limit of its worker was reached',
      };
    case 'restart':
      return { status: 'terminated', returnCode: null, cause: 'canceled', detail: 'it was stopped for a restart' };
    case 'shutdown':
      return { status: 'terminated', returnCode: null, cause: 'canceled', detail: 'its worker was stopped' };
    case 'allocation_ended': {
      const detail = 'its allocation was ended early (canceled, preempted or requeued)';
      return { status: 'terminated', returnCode: null, cause: 'canceled', detail };
    }
    case 'fenced':
      return {
        status: 'terminated',
        returnCode: null,
        cause: 'node_failure',
        detail: 'its worker had lost contact and was given up',
      };
  }
}

function ownEnd(evidence: EndEvidence): Verdict {
  const { exitCode, signal, isOomVictim, memoryTakenBy } = evidence;
  if (isOomVictim && looksKilled(exitCode, signal)) {
    if (memoryTakenBy !== null) {
      const detail = `the kernel killed it because ${memoryTakenBy} took the memory of the node; ${usage(evidence)}`;
      return { status: 'terminated', returnCode: null, cause: 'oom', detail };
    }
    return done(codeOfOom, 'oom', `the kernel killed it for lack of memory; ${usage(evidence)}`);
  }
  if (signal !== null) {
    const detail = signal === sigkill ? `killed from outside, not by torc; ${usage(evidence)}` : null;
    return done(Math.min(128 + signal, 255), 'signal', detail);
  }
  if (exitCode === null) {
    return {
      status: 'terminated',
      returnCode: null,
      cause: 'worker_lost',
      detail: 'it is not known how it ended',
    };
  }
  return exitCode === 0 ? done(0, 'success') : done(exitCode, 'exit_code');
}

function usage(evidence: EndEvidence): string {
  const { peakMemoryBytes, memoryLimitBytes } = evidence;
  const request =
    memoryLimitBytes === null ? 'no memory was requested for it' : `it requested ${bytes(memoryLimitBytes)}`;
  return `${request}, its peak was ${bytes(peakMemoryBytes)}`;
}

/** A success turned into a failure because the job did not make what it declared; `detail` says what. */
export function withoutOutput(end: AttemptEnd, detail: string): AttemptEnd {
  return { ...end, returnCode: 1, cause: 'missing_output', detail };
}

/** The failure of an attempt that was not started because a value that its command names is missing; `detail` says which. */
export function withoutInput(detail: string): AttemptEnd {
  return { status: 'done', returnCode: 1, cause: 'missing_input', exitCode: null, signal: null, detail };
}

/** Whether an end counts as success although its return code is not 0, for a job whose failures are forgiven. */
export function isForgivable({
  status,
  returnCode,
  cause,
}: Pick<AttemptEnd, 'status' | 'returnCode' | 'cause'>): boolean {
  return status === 'done' && returnCode !== 0 && cause === 'exit_code';
}

/** The end of an attempt whose command did not run because its recovery script failed. */
export function withoutRecovery(end: AttemptEnd): AttemptEnd {
  return { ...end, detail: `its recovery script failed with ${end.returnCode}, so the command did not run` };
}

/** The end of an attempt whose shell could not start the programs of its command, because the node has no room for more. */
export function withoutFork(end: AttemptEnd): AttemptEnd {
  const detail = 'its shell could not start another process: the node has no more processes or memory';
  return { ...end, status: 'terminated', returnCode: null, cause: 'spawn_error', detail };
}

/** 126 for a command that could not be started, 127 for a shell that does not exist, as shells do. */
export function spawnFailed(code: string | null, detail: string): AttemptEnd {
  const returnCode = code === 'ENOENT' ? 127 : 126;
  return { status: 'done', returnCode, cause: 'spawn_error', exitCode: null, signal: null, detail };
}

function bytes(value: number | null): string {
  return value === null ? 'unknown' : formatMemory(value);
}
