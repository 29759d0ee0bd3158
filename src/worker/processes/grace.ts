/** How long a job gets to end itself between SIGTERM and SIGKILL. Durations in milliseconds. */

/** For a job that does not declare `supports_termination`. */
export const normalGraceMs = 2_000;
/** For a job with `supports_termination`, at most: time to write a checkpoint. */
const checkpointGraceMs = 15_000;
/** Kept at the end of the allocation for killing, reporting and leaving. */
const reserveMs = 5_000;

/** How long a job gets when `untilDeadlineMs` remain of the allocation itself; null for no deadline. */
export function graceMs(supportsTermination: boolean, untilDeadlineMs: number | null): number {
  if (!supportsTermination) return normalGraceMs;
  const longest = untilDeadlineMs === null ? checkpointGraceMs : untilDeadlineMs - reserveMs;
  return Math.max(normalGraceMs, Math.min(checkpointGraceMs, longest));
}
