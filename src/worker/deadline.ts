/** When a worker must be done, and how long its jobs get to end themselves. Durations in milliseconds. */
import type { StopReason } from '../model/decide/outcome.ts';
import type { StopSignal } from './effects.ts';

/** Between SIGTERM and SIGKILL for a job that has not said that it can end itself. */
export const normalGraceMs = 2_000;
/** The same for a job with `supports_termination`, at most: time to write a checkpoint. */
const checkpointGraceMs = 15_000;
/** Kept at the end of the allocation for killing, reporting and leaving. */
const reserveMs = 5_000;

/**
 * From now until the worker's latest end: the end of the allocation less the buffer, which is at most a tenth of the
 * walltime so that a short allocation is not all buffer. Negative when that has passed.
 */
export function untilLatestEndMs(untilDeadlineMs: number, walltimeMs: number, bufferMs: number): number {
  return untilDeadlineMs - Math.min(bufferMs, walltimeMs / 10);
}

/** How long a job gets after SIGTERM when `untilDeadlineMs` remain of the allocation itself; null for no deadline. */
export function graceMs(supportsTermination: boolean, untilDeadlineMs: number | null): number {
  if (!supportsTermination) return normalGraceMs;
  const longest = untilDeadlineMs === null ? checkpointGraceMs : untilDeadlineMs - reserveMs;
  return Math.max(normalGraceMs, Math.min(checkpointGraceMs, longest));
}

/** An allocation that is told to end while more than this is left of it was not ended by its time. */
const longBeforeEndMs = 120_000;

/**
 * Why a signal asks a worker in an allocation to stop. Slurm sends the warning only ahead of the allocation's end, but
 * SIGTERM also when it is cancelled, preempted or requeued. Without a known end it is put down to the time.
 */
export function reasonOfSlurmSignal(
  signal: StopSignal,
  untilDeadlineMs: number | null,
  walltimeMs: number,
): Extract<StopReason, 'walltime' | 'allocation_ended'> {
  const isExpected = signal === 'warning' || untilDeadlineMs === null;
  return isExpected || untilDeadlineMs <= Math.max(longBeforeEndMs, walltimeMs / 10) ? 'walltime' : 'allocation_ended';
}
