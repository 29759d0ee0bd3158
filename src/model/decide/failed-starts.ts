/** Which starts of allocations came to nothing, and how long to wait after some in a row. Durations in milliseconds. */

export const startOutcomes = ['worked', 'nothing', 'needless'] as const;
export type StartOutcome = (typeof startOutcomes)[number];

/** An allocation that an autoscaler has asked for, and what is known of its start. */
export interface StartFacts {
  status: string;
  /** Slurm's own word, once it is known. */
  slurmState: string | null;
  /** Whether sbatch has answered. */
  isAnswered: boolean;
  isCanceled: boolean;
  /** Since when it has ended; null before. */
  endedForMs: number | null;
  /** Since its first job has started; null while none has. */
  busyForMs: number | null;
  hasEndedJob: boolean;
  /** Whether jobs wait for nodes now. */
  isWanted: boolean;
}

/** How long Slurm's word about an end is waited for. */
const wordMs = 150_000;
/** A node that has run a job for this long is in order. */
const provenMs = 60_000;
const nodeFailures: readonly string[] = ['NODE_FAIL', 'BOOT_FAIL'];

/** Null while that is not known. A start that nobody needed any more is no failure. */
export function judgeStart(start: StartFacts): StartOutcome | null {
  if (start.hasEndedJob) return 'worked';
  const isOver = start.status === 'refused' || start.status === 'ended';
  if (!isOver) return (start.busyForMs ?? 0) >= provenMs ? 'worked' : null;
  if (start.status === 'refused') return start.isAnswered ? 'nothing' : 'needless';
  if (start.isCanceled && start.busyForMs === null) return 'needless';
  if (start.busyForMs !== null) {
    if (start.slurmState === null) return (start.endedForMs ?? 0) >= wordMs ? 'worked' : null;
    return nodeFailures.includes(start.slurmState) ? 'nothing' : 'worked';
  }
  return start.isWanted ? 'nothing' : 'needless';
}

/** From this many failed starts in a row on, the autoscaler backs off; before, it pauses for a moment. */
export const failuresToBackOff = 3;
const pauseMs = 10_000;
const backOffMs = 60_000;
const longestBackOffMs = 1_800_000;

/** The wait after the last of `numFailed` failed starts in a row: it doubles, up to half an hour. */
export function waitAfterFailures(numFailed: number): number {
  if (numFailed === 0) return 0;
  if (numFailed < failuresToBackOff) return pauseMs * 2 ** (numFailed - 1);
  return Math.min(longestBackOffMs, backOffMs * 2 ** Math.min(10, numFailed - failuresToBackOff));
}
