/** Whether a job that is a step of Slurm was killed because the memory of the step ran out. */
import { memoryUser, type RunningJob } from './running-job.ts';

/** What had at least this part of the memory of its step when it was killed was killed for it. */
const nearLimit = 0.9;

/**
 * Whether the step of a job ran out of memory: what Slurm says, or else what it had. Where the kernel may kill Slurm's
 * daemon of a step, it does when it has killed everything else of it. Undefined for jobs that are no steps.
 */
export function hasOutgrownStep(
  job: Pick<RunningJob, 'isAbandoned' | 'exit'> & Parameters<typeof memoryUser>[0],
): boolean | undefined {
  const { exit, isAbandoned, memoryLimitBytes } = job;
  if (!isAbandoned || memoryLimitBytes === null) return exit?.isOutOfMemory;
  return (memoryUser(job, exit?.largestBytes).peakMemoryBytes ?? 0) >= memoryLimitBytes * nearLimit;
}
