/** How the command of a job ended that srun ran as a step: from what srun ended with, and what was left in the step. */
import { looksKilled } from './outcome.ts';

/** What is left of a step. */
export type StepMark =
  /** Its command has ended; one of the first two is a number. */
  | { exitCode: number | null; signal: number | null; cpuMs: number; largestBytes: number }
  /** It was about to start, and everything in the step ended at once. */
  | 'started'
  /** Nothing: the step has not started its command. */
  | 'absent'
  /** Its command was started without anything that could leave it. */
  | 'unknown';

export interface StepEnd {
  exitCode: number | null;
  signal: number | null;
  /** Processor time of the command; null when it is not known. */
  cpuMs: number | null;
  /** The most memory that one of its processes had. */
  largestBytes: number | null;
  /** Slurm saw that the memory of the step ran out, and the command was killed. */
  isOutOfMemory: boolean;
}

const sigkill = 9;
const unmeasured = { cpuMs: null, largestBytes: null };
/** srun ends with it when the memory of a step has run out, however the command itself ended. */
const codeOfFailedStep = 1;
const lastSignal = 64;

/** Null when there was no command that could have ended. */
export function stepEnd(srun: { exitCode: number | null; signal: number | null }, mark: StepMark): StepEnd | null {
  const hasFailed = srun.exitCode === codeOfFailedStep;
  if (mark === 'absent') return null;
  if (mark === 'started' && hasFailed) {
    return { exitCode: null, signal: sigkill, ...unmeasured, isOutOfMemory: true };
  }
  if (mark === 'started' || mark === 'unknown') return { ...asShellsSay(srun), ...unmeasured, isOutOfMemory: false };
  return { ...mark, isOutOfMemory: hasFailed && looksKilled(mark.exitCode, mark.signal) };
}

/** 128 and a number stand for a signal. */
function asShellsSay({ exitCode, signal }: { exitCode: number | null; signal: number | null }): {
  exitCode: number | null;
  signal: number | null;
} {
  const number = (exitCode ?? 0) - 128;
  return number > 0 && number <= lastSignal ? { exitCode: null, signal: number } : { exitCode, signal };
}

/** The id of the step and its mark, from the text of the link; null for a text that nobody but a stranger could have written. */
export function readMark(text: string): { step: string | null; mark: Exclude<StepMark, 'absent' | 'unknown'> } | null {
  const [, step = '', status, cpuMs, kib] = /^(\d{1,10}|-)(?: (\d{1,6}) (\d{1,15}) (\d{1,12}))?$/.exec(text) ?? [];
  if (step === '') return null;
  const number = step === '-' ? null : step;
  if (status === undefined) return { step: number, mark: 'started' };
  const signal = Number(status) & 0x7f;
  const exitCode = signal === 0 ? (Number(status) >> 8) & 0xff : null;
  return {
    step: number,
    mark: { exitCode, signal: signal || null, cpuMs: Number(cpuMs), largestBytes: Number(kib) * 1024 },
  };
}
