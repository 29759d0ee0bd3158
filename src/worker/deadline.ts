/** When a worker must be done, and what a signal near that time means. Durations in milliseconds. */
import type { StopReason } from '../model/decide/outcome.ts';
import type { StopSignal } from './effects.ts';

/**
 * From now until the worker's latest end: the end of the allocation less the buffer, which is at most a tenth of the
 * walltime so that a short allocation is not all buffer. Negative when that has passed.
 */
export function untilLatestEndMs(untilDeadlineMs: number, walltimeMs: number, bufferMs: number): number {
  return untilDeadlineMs - Math.min(bufferMs, walltimeMs / 10);
}

/** When more than this is left of an allocation that is told to end, it does not end because its time is over. */
const longBeforeEndMs = 120_000;

/**
 * Why a signal asks a worker in an allocation to stop. Slurm sends the warning only ahead of the allocation's end, but
 * SIGTERM also when it is cancelled, preempted or requeued. Without a known end the time counts as the reason.
 */
export function reasonOfSlurmSignal(
  signal: StopSignal,
  untilDeadlineMs: number | null,
  walltimeMs: number,
): Extract<StopReason, 'walltime' | 'allocation_ended'> {
  const isExpected = signal === 'warning' || untilDeadlineMs === null;
  return isExpected || untilDeadlineMs <= Math.max(longBeforeEndMs, walltimeMs / 10) ? 'walltime' : 'allocation_ended';
}
