/** Exported and imported workflows. */
import { z } from 'zod';
import { stdioModes, terminationSignals } from '../model/expanded.ts';
import { executions } from '../model/launch.ts';
import { causes, jobStatuses } from '../model/status.ts';
import { failureHandler } from './failure-handlers.ts';
import { age, attributes, count, environment, instant, json, key, limitName, name, text } from './fields.ts';
import { addedJob } from './jobs.ts';
import { limits } from './limits.ts';
import { exportedNotification } from './notifications.ts';
import { fromData } from './requirements-from-data.ts';
import { newAction } from './workflows.ts';

export const exportWorkflow = z.strictObject({
  workflow_key: key,
  /**
   * `barriers`: what the hidden nodes wait for, which jobs name by their keys; `action_jobs`: the jobs that triggers
   * of actions name. Pages belong only to the part.
   */
  part: z.enum(['head', 'jobs', 'barriers', 'action_jobs']),
  limit: z.number().int().positive().max(limits.listPage),
  skip: count,
});

/** Null where nothing was stated. */
const exportedRequirements = () =>
  z.strictObject({
    name: z.string().nullable(),
    num_cpus: count,
    memory_bytes: count.nullable(),
    num_gpus: age,
    num_nodes: count,
    runtime_seconds: age.nullable(),
    from_data: fromData.exactOptional(),
    expected_runtime_seconds: age.optional(),
    resources: z.record(z.string(), count).optional(),
  });
export type ExportedRequirements = z.infer<ReturnType<typeof exportedRequirements>>;

/** How a job was added to a stored workflow: by the job of this name, or by a person, with this request. */
const addition = {
  added_by: name.nullable(),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
};

/** A job with the names of all that it refers to. */
const exportedJob = () =>
  addedJob.extend({
    barriers: z.array(key),
    /** Of a job with requirements of its own, which have no name. */
    own_requirements: exportedRequirements().nullable(),
    /** Missing for one that the workflow was created with. */
    added: z.strictObject(addition).exactOptional(),
  });
export type ExportedJob = z.infer<ReturnType<typeof exportedJob>>;

/** An action without its jobs. */
const exportedAction = () => newAction.extend({ action_key: key });
export type ExportedAction = z.infer<ReturnType<typeof exportedAction>>;

/** The workflow in the words of a specification; null where a setting has its default. */
const exportedWorkflow = () =>
  z.strictObject({
    name: z.string(),
    user: z.string(),
    tool: z.string().nullable(),
    args: z.string().nullable(),
    description: z.string().nullable(),
    project: z.string().nullable(),
    metadata: json(),
    attributes: attributes.unwrap().nullable(),
    env: environment.unwrap().nullable(),
    compute_node_expiration_buffer_seconds: count,
    compute_node_wait_for_new_jobs_seconds: count,
    compute_node_ignore_workflow_completion: z.boolean(),
    compute_node_wait_for_healthy_database_minutes: count,
    jobs_sort_method: z.enum(['gpus_runtime_memory', 'gpus_memory_runtime', 'none']),
    stdio: z.enum(stdioModes).nullable(),
    pin: z.literal(true).nullable(),
    execution: z.enum(executions).nullable(),
    max_losses: count.nullable(),
    max_dynamic_jobs: count.nullable(),
    max_failures: count.nullable(),
    max_concurrent_jobs: count.nullable(),
    limits: z.record(limitName, count).nullable(),
    timeout: z.string().nullable(),
    termination_signal: z.enum(terminationSignals).nullable(),
    sigterm_lead_seconds: count.nullable(),
    create_output_folders: z.boolean().nullable(),
    /** Where memory is for packing only. */
    execution_config: z.strictObject({ limit_resources: z.literal(false) }).nullable(),
  });

/** One page of one part; the others are empty. */
export const exportReply = () =>
  z.strictObject({
    /** What a specification says about the workflow as a whole, and its parts besides the jobs. */
    head: z
      .strictObject({
        workflow: exportedWorkflow(),
        /** Only those with a name. */
        resource_requirements: z.array(exportedRequirements()),
        failure_handlers: z.array(failureHandler),
        /** How often each job's memory and processor time is written down; null for not at all. */
        sample_interval_seconds: z.number().nullable(),
        /** Only those that can fire. */
        actions: z.array(exportedAction()),
        notifications: z.array(exportedNotification()),
      })
      .nullable(),
    jobs: z.array(exportedJob()),
    barriers: z.array(z.strictObject({ barrier_key: key, depends_on: z.string() })),
    action_jobs: z.array(z.strictObject({ action_key: key, job_name: z.string() })),
    more: z.boolean(),
  });
export type ExportedPage = z.infer<ReturnType<typeof exportReply>>;

/** A row of the list of results; columns that follow from others are ignored. */
const importedResult = z.object({
  job_name: name,
  /** 0 where the result was there before the first run. */
  run_id: count,
  attempt_id: z.number().int().positive(),
  status: z.enum(['done', 'canceled', 'terminated', 'returned', 'lost']),
  return_code: z.number().int().min(0).max(255).nullable(),
  cause: z.enum(causes),
  outcome: text.optional(),
  start_time: instant.nullable(),
  end_time: instant.nullable(),
  exec_time_seconds: age.nullable(),
  peak_memory_bytes: count.nullable(),
  average_memory_bytes: count.nullable(),
  cpu_seconds: age.nullable(),
  /** Null where no process ran. */
  hostname: name.nullable(),
  slurm_job_id: text.nullable(),
  slurm_step_id: text.nullable().optional(),
  num_nodes: z.number().int().positive().optional(),
  num_cpus: count,
  memory_bytes: count,
  /** Missing in exports from before there were these three. */
  requested_memory_bytes: count.nullable().optional(),
  requested_runtime_seconds: age.nullable().optional(),
  scaled: json().optional(),
  gpu_indices: z.array(count).nullable(),
  exit_code: z.number().int().nullable(),
  signal: z.number().int().nullable(),
  detail: text.nullable(),
  result: json().optional(),
});

/** Adds the history of another workflow to a new one with the same jobs, in any number of requests before `finish`. */
export const importHistory = z.strictObject({
  workflow_key: key,
  results: z.array(importedResult).max(limits.createChunk),
  events: z
    .array(
      z.object({
        timestamp: instant,
        job_name: name.nullable(),
        type: text.min(1).max(64),
        old_status: z.enum(jobStatuses).nullable(),
        new_status: z.enum(jobStatuses).nullable(),
        who: name.nullish(),
        data: json(),
      }),
    )
    .max(limits.createChunk),
  /** A job that adds jobs finds these again. */
  added_jobs: z
    .array(z.object({ job_name: name, ...addition }))
    .max(limits.createChunk)
    .optional(),
});

export const importHistoryReply = () => z.strictObject({ num_results: count, num_events: count });

export const importFinish = z.strictObject({
  workflow_key: key,
  run_id: z.number().int().positive(),
  is_canceled: z.boolean(),
  started_at: instant.nullable(),
  ended_at: instant.nullable(),
  /** In stored order. */
  job_statuses: z.array(z.enum(jobStatuses)),
});
export const importFinishReply = () => z.strictObject({ workflow_key: key, run_id: count });
