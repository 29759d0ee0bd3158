/** How much time jobs have in an allocation. Durations in milliseconds. */

/**
 * From now until the latest end of a worker's jobs: the end of the allocation less the buffer, which is at most a tenth
 * of the walltime so that a short allocation is not all buffer. Negative when that has passed.
 */
export function untilLatestEndMs(untilDeadlineMs: number, walltimeMs: number, bufferMs: number): number {
  return untilDeadlineMs - Math.min(bufferMs, walltimeMs / 10);
}
