/** How much time jobs have in an allocation. Durations in milliseconds. */

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

/** What a job that continues from a checkpoint must have left to start again: the lead of the warning, and some progress. */
export function continuationMs(leadMs: number): number {
  return leadMs + 60_000;
}
