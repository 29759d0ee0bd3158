/** The environment that every job of a worker inherits: the worker's own, without what is only about the worker. */
import type { Environment } from '../../base/config.ts';
import { openFilesVariable } from '../../base/open-files.ts';

/**
 * What srun tells each process that it starts about itself. With these a parallel program that a job starts would take
 * itself for a part of the step that runs the worker.
 */
const ofStep = /^(PMI2?_|PMIX_|SLURM_(STEP_|PMI|SRUN_COMM_)|SLURM_(STEPID|PROCID|LOCALID|GTIDS|TASK_PID|MPI_TYPE)$)/;

export function jobEnvironment(env: Environment): Environment {
  const isStep = env.SLURM_STEP_ID !== undefined;
  const kept = Object.entries(env).filter(([name]) => name !== openFilesVariable && !(isStep && ofStep.test(name)));
  return Object.fromEntries(kept);
}
