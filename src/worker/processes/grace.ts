/** How long a job gets to end itself between the signal and SIGKILL. Durations in milliseconds. */

/** For a job that does not declare `supports_termination`. */
export const normalGraceMs = 2_000;
/**
 * For any job of a worker that was given up: its jobs start elsewhere `fenceMs` after the worker was told, of which the
 * worker may need several seconds to see it.
 */
export const fencedGraceMs = 5_000;
/** Kept at the end of the allocation for killing, reporting and leaving. */
const reserveMs = 5_000;

/** What is kept at the end of an allocation of this walltime. */
export function keptMs(walltimeMs: number): number {
  return Math.min(reserveMs, walltimeMs / 10);
}

/**
 * How long a job with `supports_termination` gets for its checkpoint, of the `leadMs` of its workflow, when
 * `untilDeadlineMs` remain of the allocation itself; null for no deadline.
 */
export function checkpointGraceMs(leadMs: number, untilDeadlineMs: number | null): number {
  const longestMs = untilDeadlineMs === null ? leadMs : Math.min(leadMs, untilDeadlineMs - reserveMs);
  return Math.max(normalGraceMs, longestMs);
}
