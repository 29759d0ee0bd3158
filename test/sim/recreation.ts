/** The workflow of a world, created again with other settings of the same jobs. */
import type { Request } from '../../src/api/contract.ts';
import type { TestJob } from '../support/service.ts';
import type { Random } from './random.ts';
import { randomConcurrency, randomLimits, type SimWorkflow } from './workflow.ts';

type TakeOver = NonNullable<NonNullable<Request<'workflow_restart'>['resume']>['take_over']>;

/** Other limits, and other priorities of some jobs; parts that are not named stay. */
export function recreated(workflow: SimWorkflow, random: Random): TakeOver {
  const { max_failures, timeout_seconds } = randomLimits(random);
  const concurrency = workflow.concurrency === null ? null : randomConcurrency(random);
  return {
    workflow: {
      name: 'test',
      description: null,
      project: null,
      metadata: null,
      expiration_buffer_seconds: 180,
      wait_for_new_jobs_seconds: 90,
      ignore_workflow_completion: false,
      wait_for_healthy_database_minutes: 20,
      jobs_sort_method: random.pick(['none', 'none', 'gpus_runtime_memory']),
      requirements: [],
      slurm_configs: [],
      failure_handlers: [],
      sample_interval_seconds: null,
      max_losses: workflow.maxLosses,
      ...(max_failures === null ? {} : { max_failures }),
      ...(timeout_seconds === null ? {} : { timeout_ms: timeout_seconds * 1000 }),
      ...(concurrency === null ? {} : ofWorkflow(concurrency)),
    },
    num_jobs: workflow.jobs.length,
    // the person may have moved jobs to other pools, which running ones do not leave
    jobs: workflow.hasLabels
      ? []
      : workflow.jobs.flatMap((job, n) => (random.chance(0.3) ? [settings(job, n, random)] : [])),
    user_data: [],
  };
}

/** The shared limit belongs to no workflow. */
function ofWorkflow({ max_concurrent_jobs, limits: { own = 0 } }: NonNullable<SimWorkflow['concurrency']>) {
  return {
    limits: [{ name: 'own', maximum: own }],
    ...(max_concurrent_jobs === null ? {} : { max_concurrent_jobs }),
  };
}

function settings(job: TestJob, index: number, random: Random): TakeOver['jobs'][number] {
  return {
    job_key: String(index + 1),
    command: job.command ?? 'true',
    invocation_script: null,
    resource_requirements: `r${index}`,
    scheduler: null,
    failure_handler: job.failureHandler === undefined ? null : `h${job.failureHandler}`,
    priority: random.int(0, 2),
    cancel_on_blocking_job_failure: job.cancelOnFailure ?? true,
    supports_termination: job.supportsTermination ?? false,
    ...(job.maxWaitMs === undefined ? {} : { max_wait_ms: job.maxWaitMs }),
    ...(job.limits === undefined ? {} : { limits: job.limits }),
  };
}
