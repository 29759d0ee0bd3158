/** How a worker introduces itself. */
import type { Request } from '../api/contract.ts';
import { protocolVersion } from '../api/limits.ts';
import type { WorkerEffects } from './effects.ts';
import type { WorkerOptions } from './options.ts';

export function helloRequest(options: WorkerOptions, effects: WorkerEffects): Request<'worker_hello'> {
  const {
    identity,
    capacity,
    workflowKey,
    maxParallelJobs,
    outputDirectory,
    labels = [],
    alsoUnlabelled = false,
    resources,
  } = options;
  return {
    protocol: protocolVersion,
    worker_id: effects.workerId,
    workflow_key: workflowKey,
    hostname: identity.hostname,
    boot_id: effects.bootId,
    pid: effects.pid,
    cluster: identity.cluster,
    slurm_job_id: identity.slurmJobId,
    ...(identity.enclosingSlurmJobId === undefined ? {} : { enclosing_slurm_job_id: identity.enclosingSlurmJobId }),
    restart_count: identity.restartCount,
    allocation_key: identity.allocationKey,
    num_nodes: capacity.nodeNames.length,
    num_cpus: capacity.numCpus,
    memory_bytes: capacity.memoryBytes,
    num_gpus: capacity.numGpus,
    max_parallel_jobs: maxParallelJobs,
    working_directory: effects.workingDirectory,
    output_directory: outputDirectory,
    start_ticks: effects.startTicks,
    walltime_seconds: options.walltimeSeconds,
    ...(resources === undefined ? {} : { resources: { ...resources } }),
    ...(labels.length === 0 ? {} : { labels: [...labels] }),
    ...(alsoUnlabelled ? { also_unlabelled: true } : {}),
  };
}
