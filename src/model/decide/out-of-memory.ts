/**
 * Which job is to blame for a kill by the kernel for lack of memory. The kernel counts its kills for all jobs of a worker
 * together and kills what is largest, not what is to blame: so these are judgments.
 */

export interface MemoryUser {
  attempt: number;
  jobName: string;
  /** Null when it was not measured. */
  peakMemoryBytes: number | null;
  requestedMemoryBytes: number;
  isMemoryStated: boolean;
}

/** Which of the jobs that died by SIGKILL the kernel killed when its counter rose by `numKills`: those most over their request. */
export function oomVictims(numKills: number, dead: readonly MemoryUser[]): Set<number> {
  const overage = (job: MemoryUser): number => (job.peakMemoryBytes ?? 0) / Math.max(1, job.requestedMemoryBytes);
  const worstFirst = dead.toSorted((a, b) => overage(b) - overage(a) || a.attempt - b.attempt);
  return new Set(worstFirst.slice(0, Math.max(0, numKills)).map((job) => job.attempt));
}

/** What is over a request by less than this part of the worker's memory leaves no other job without. */
const partOfWorker = 1 / 16;

/** Whether a job uses so much more than it states that others may lack it. */
export function takesMemory(job: MemoryUser, capacityBytes: number): boolean {
  return excess(job) > capacityBytes * partOfWorker;
}

/**
 * The job that had taken the memory which a killed one lacked; null when that is the killed one itself, or nobody is known
 * to have. A job that keeps to what it states has a right to it, and one that states nothing has a right to nothing.
 */
export function takerOfMemory(
  killed: MemoryUser,
  others: readonly MemoryUser[],
  capacityBytes: number,
): MemoryUser | null {
  if (!killed.isMemoryStated || excess(killed) > 0) return null;
  const takers = others.filter((job) => job.attempt !== killed.attempt && takesMemory(job, capacityBytes));
  return takers.toSorted((a, b) => excess(b) - excess(a) || a.attempt - b.attempt)[0] ?? null;
}

function excess({ peakMemoryBytes, requestedMemoryBytes, isMemoryStated }: MemoryUser): number {
  return (peakMemoryBytes ?? 0) - (isMemoryStated ? requestedMemoryBytes : 0);
}
