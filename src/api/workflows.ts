/** Whole workflows: creating one in chunks, changing and showing it. */
import { z } from 'zod';
import { actionTypes, stdioModes, terminationSignals, triggerTypes } from '../model/expanded.ts';
import { groupedGraph, jobGroup } from '../model/graph/grouped-graph.ts';
import { executions } from '../model/launch.ts';
import { jobStatuses, workflowStatuses } from '../model/status.ts';
import { autoscaler } from './autoscaling.ts';
import { delay, failureHandler } from './failure-handlers.ts';
import {
  attributes,
  changedAttributes,
  changedEnvironment,
  changedField,
  count,
  environment,
  json,
  key,
  labels,
  launch,
  limitName,
  limitNames,
  name,
  namedResources,
  self,
  text,
} from './fields.ts';
import { limits } from './limits.ts';
import { newNotification } from './notifications.ts';
import { records } from './records.ts';
import { recoverySettings, recoveryShown } from './recovery.ts';
import { fromData } from './requirements-from-data.ts';
import { slurmConfigFields } from './slurm.ts';
import { autoSize } from './usage.ts';

const absolutePath = text.regex(/^\//, 'is not an absolute path');

/** A node of the graph inside one new workflow: n >= 0 is the n-th job, -1 - b is the b-th barrier. */
const node = z.number().int();

const requirements = z.strictObject({
  name: name.nullable(),
  num_cpus: z.number().int().positive(),
  memory_bytes: count,
  gpu_thousandths: count,
  num_nodes: z.number().int().positive(),
  runtime_ms: count,
  is_memory_stated: z.boolean(),
  is_runtime_stated: z.boolean(),
  /** Texts of fields that come from data; missing for none. */
  from_data: fromData.optional(),
  expected_runtime_ms: count.min(1).optional(),
  resources: namedResources.optional(),
});

export const newAction = z.strictObject({
  trigger_type: z.enum(triggerTypes),
  action_type: z.enum(actionTypes),
  /** Fires each time that its trigger occurs in a run; otherwise once in a run. */
  persistent: z.boolean(),
  commands: z.array(text),
  /** Name of the Slurm config that nodes are scheduled with. */
  scheduler: name.nullable(),
  num_allocations: z.number().int().positive(),
  start_one_worker_per_node: z.boolean(),
  max_parallel_jobs: z.number().int().positive().nullable(),
});

/** As `argsText` writes them. */
const args = text.min(1).max(65_536);

export const createBegin = z.strictObject({
  name,
  user: self,
  /** Missing for the name. */
  tool: name.optional(),
  /** What makes it the same workflow again; missing for one that is new each time. */
  args: args.optional(),
  description: text.nullable(),
  project: text.nullable(),
  metadata: json().nullable(),
  attributes,
  env: environment,
  /** Where relative paths start and jobs run; absolute. Missing: where the first worker starts. */
  base_directory: absolutePath.optional(),
  /** How workers of this workflow behave; seconds. */
  expiration_buffer_seconds: count,
  wait_for_new_jobs_seconds: count,
  ignore_workflow_completion: z.boolean(),
  wait_for_healthy_database_minutes: count,
  jobs_sort_method: z.enum(['gpus_runtime_memory', 'gpus_memory_runtime', 'none']),
  requirements: z.array(requirements),
  slurm_configs: z.array(z.strictObject({ name, ...slurmConfigFields })),
  failure_handlers: z.array(failureHandler),
  /** How often each job's memory and processor time is written down; null for not at all. */
  sample_interval_seconds: z.number().positive().nullable(),
  /** How often in a run a job comes back whose attempt was lost by infrastructure; missing for 3. */
  max_losses: count.max(1_000_000).optional(),
  /** At most this many jobs may be added by its running jobs, 0 for none; missing for 100,000. */
  max_dynamic_jobs: count.optional(),
  /** With this many failures in a run nothing more starts, and what waits is canceled; missing for no limit. */
  max_failures: count.min(1).optional(),
  /** So many of its jobs run at once, 0 for none; missing for as many as fit. */
  max_concurrent_jobs: count.optional(),
  /** Its own limits, which jobs name; those of the server directory need not be named here. */
  limits: z.array(z.strictObject({ name: limitName, maximum: count })).optional(),
  /** This long after its start nothing more of a run starts; missing for never. */
  timeout_ms: delay.min(1).optional(),
  /** What jobs with `supports_termination` get this long before their time is over; missing for SIGTERM and 30 s. */
  termination_signal: z.enum(terminationSignals).optional(),
  sigterm_lead_seconds: count.max(1_000_000).optional(),
  /** Whether the folders of declared output files are made before a job starts; missing for true. */
  create_output_folders: z.boolean().optional(),
  /** Where the output of jobs goes; missing for two files each. */
  stdio: z.enum(stdioModes).optional(),
  /** For jobs that do not state these themselves; missing for false and `direct`. */
  pin: z.boolean().optional(),
  execution: z.enum(executions).optional(),
  num_jobs: count,
  num_files: count,
  num_user_data: count,
  num_barriers: count,
  /** Missing where the specification says nothing about them. */
  notifications: z.array(newNotification).max(100).optional(),
  /** Missing when there are none; their commands start in the working directory. Directories are absolute. */
  actions: z
    .strictObject({ working_directory: text.min(1), output_directory: text.min(1), list: z.array(newAction) })
    .optional(),
});

/** Which workflow has an identity; `tool` is null for the name. */
export const findIdentity = z.strictObject({ user: self, tool: name.nullable(), name, args });
/** Nulls when there is none. */
export const findIdentityReply = () =>
  z.strictObject({
    workflow_key: key.nullable(),
    status: z.enum(workflowStatuses).nullable(),
    run_id: count.nullable(),
    base_directory: z.string().nullable(),
  });

export const createBeginReply = () => z.strictObject({ workflow_key: key });

const newJob = z.strictObject({
  name,
  command: text.min(1),
  /** What is compared instead of the command when the workflow is created again; missing for the command. */
  identity: text.min(1).optional(),
  invocation_script: text.nullable(),
  /** Index into the workflow's requirements, or null for the defaults. */
  requirements: count.nullable(),
  /** Index into the workflow's Slurm configs: only their workers take it. Missing for any. */
  slurm_config: count.optional(),
  /** Only workers with all of them take it; missing for none. */
  labels: labels.optional(),
  /** Names of limits of the workflow or of the server directory under which it runs; missing for none. */
  limits: limitNames.optional(),
  /** Index into the workflow's failure handlers. */
  failure_handler: count.optional(),
  priority: z.number().int(),
  cancel_on_blocking_job_failure: z.boolean(),
  supports_termination: z.boolean(),
  /** It counts as successful whatever code it exits with; missing for false. */
  task_failure_is_success: z.boolean().optional(),
  /** It does not start until somebody releases it; missing for false. */
  hold: z.boolean().optional(),
  /** How long it may be ready without starting; missing for ever. */
  max_wait_ms: delay.min(1).optional(),
  attributes,
  ...launch,
  /** Indices of the workflow's files. */
  input_files: z.array(count),
  output_files: z.array(count),
  /** Indices of the workflow's user data. */
  input_user_data: z.array(count),
  output_user_data: z.array(count),
  /** Indices of the jobs that it waits for, in its own order: runs of successive ones. Missing when they ascend. */
  upstream_order: z.array(z.tuple([count, count])).optional(),
});

export const createChunk = z.strictObject({
  workflow_key: key,
  /** Index of the first job, file and datum of this chunk; chunks come in order and may be repeated. */
  first_job: count,
  first_file: count,
  first_user_data: count,
  jobs: z.array(newJob).max(limits.createChunk),
  files: z.array(z.strictObject({ name, path: text.min(1) })).max(limits.createChunk),
  /** `data` is null while there is none yet. */
  user_data: z.array(z.strictObject({ name, data: json(), is_ephemeral: z.boolean() })).max(limits.createChunk),
  edges: z.array(z.tuple([node, node])).max(limits.createChunk * 4),
  /** Which jobs the triggers of actions are about: numbers of the action and of the job. */
  action_jobs: z
    .array(z.tuple([count, count]))
    .max(limits.createChunk * 4)
    .optional(),
});

export const createChunkReply = () => z.strictObject({ num_jobs: count });

export const createFinish = z.strictObject({ workflow_key: key, auto_size: autoSize.optional() });
export const createFinishReply = () =>
  z.strictObject({
    workflow_key: key,
    num_jobs: count,
    num_files: count,
    num_user_data: count,
    num_edges: count,
    num_barriers: count,
  });

export const workflowOnly = z.strictObject({ workflow_key: key });

export const modifyWorkflow = z.strictObject({
  workflow_key: key,
  changes: z
    .strictObject({
      name,
      description: text.nullable(),
      project: text.nullable(),
      metadata: json().nullable(),
      attributes: changedAttributes,
      env: changedEnvironment,
      is_archived: z.boolean(),
      expiration_buffer_seconds: count,
      wait_for_new_jobs_seconds: count,
      ignore_workflow_completion: z.boolean(),
      wait_for_healthy_database_minutes: count,
      stdio: z.enum(stdioModes),
      pin: z.boolean(),
      execution: z.enum(executions),
      max_losses: count.max(1_000_000),
      max_dynamic_jobs: count,
      max_failures: count.min(1).nullable(),
      max_concurrent_jobs: count.nullable(),
      timeout_seconds: z
        .number()
        .min(0.001)
        .max(36_525 * 86_400)
        .nullable(),
      termination_signal: z.enum(terminationSignals),
      sigterm_lead_seconds: count.max(1_000_000),
      create_output_folders: z.boolean(),
      base_directory: absolutePath,
      /** Whether it recovers by itself after a failed run; null turns that off. */
      recovery: recoverySettings.nullable(),
    })
    .partial(),
});

export const modifyWorkflowReply = () =>
  z.strictObject({ workflow_key: key, name: z.string(), changes: z.array(changedField()) });

export const workflowShown = () =>
  records.workflows().extend({
    /** Jobs by status, every status present. */
    counts: z.record(z.enum(jobStatuses), count),
    num_active_workers: count,
    /** Claimed jobs that were lost and do not come back by themselves. */
    num_lost: count,
    /** Firings of actions that a server still has to carry out, and failed ones of the present run. */
    num_open_actions: count,
    num_failed_actions: count,
    /** Messages to people that are being sent, that failed and are sent again later, and that were given up in this run. */
    num_open_notifications: count,
    num_late_notifications: count,
    num_failed_notifications: count,
    /** Why the newest of the last two was not sent. */
    notification_error: z.string().nullable(),
    /** Environment variables of every job; values that look like secrets are hidden. */
    env: z.record(z.string(), z.string()),
    /** Null for a workflow that asks for no nodes by itself. */
    autoscaler: autoscaler().nullable(),
    /** Null for a workflow that does not recover by itself. */
    recovery: recoveryShown().nullable(),
  });
export type WorkflowShown = z.infer<ReturnType<typeof workflowShown>>;

/** The jobs in at most a few hundred groups. */
export const graphReply = () =>
  groupedGraph().extend({
    workflow_key: key,
    name: z.string(),
    num_jobs: count,
    /** The first job of each stands for the group; null for a barrier. */
    groups: z.array(jobGroup().extend({ first_job_key: key.nullable() })),
  });

export const askGroup = z.strictObject({
  workflow_key: key,
  /** Any job of the group. */
  job_key: key,
  limit: z.number().int().min(1).max(100),
});
/** Failed jobs first, then running ones, then the others, each in stored order. */
export const groupReply = () =>
  z.strictObject({
    first_job_key: key,
    num_jobs: count,
    jobs: z.array(records.jobs().pick({ job_key: true, name: true, status: true, outcome: true, orphaned: true })),
  });
