/** How much time jobs have in an allocation. Durations in milliseconds. */
import { packedMs, type Requirements } from '../job.ts';

/**
 * From now until the latest end of a worker's jobs: the end of the allocation less the buffer, which is at most a tenth
 * of the walltime so that a short allocation is not all buffer. Negative when that has passed.
 */
export function untilLatestEndMs(untilDeadlineMs: number, walltimeMs: number, bufferMs: number): number {
  return untilDeadlineMs - keptMs(walltimeMs, bufferMs);
}

function keptMs(walltimeMs: number, bufferMs: number): number {
  return Math.min(bufferMs, walltimeMs / 10);
}

/** What the way of a claim takes off the time that the worker has told. */
const onTheWayMs = 1_000;

/**
 * How long the stated runtime of a job may be that starts now. An allocation that has just begun takes jobs as long as its
 * walltime: what is stated is a limit, and people state the same for both. Later, what is left until the latest end.
 */
export function longestRuntimeMs(untilDeadlineMs: number, walltimeMs: number, bufferMs: number): number {
  const hasJustBegun = walltimeMs - untilDeadlineMs <= keptMs(walltimeMs, bufferMs);
  const left = untilLatestEndMs(untilDeadlineMs, walltimeMs, bufferMs);
  return hasJustBegun ? Math.max(left, walltimeMs + onTheWayMs) : left;
}

/** How long jobs that write a checkpoint get for it: at most a tenth of the walltime. */
export function checkpointMs(leadMs: number, walltimeMs: number): number {
  return Math.min(leadMs, walltimeMs / 10);
}

/** How long a job that writes a checkpoint should run before that; in a short allocation half of the walltime. */
const progressMs = 60_000;

/**
 * What a job with `supports_termination` must have left to start: the lead of its signal, and time for some progress.
 * Null for a walltime that is not known.
 */
export function leastTimeMs(leadMs: number, walltimeMs: number | null): number {
  if (walltimeMs === null) return leadMs + progressMs;
  return checkpointMs(leadMs, walltimeMs) + Math.min(progressMs, walltimeMs / 2);
}

/** What must fit for a job to start: of one with `supports_termination` not the whole runtime that it states. */
export function needAtStart(
  { need, supportsTermination }: { need: Requirements; supportsTermination: boolean },
  leastMs: number,
): Requirements {
  if (!supportsTermination) return need;
  const { expectedMs: _, ...others } = need;
  const isAny = !need.isRuntimeStated && need.expectedMs === undefined;
  return { ...others, isRuntimeStated: !isAny, runtimeMs: Math.min(packedMs(need), leastMs) };
}
