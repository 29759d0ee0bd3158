/**
 * The rows of each list: columns in snake_case, keys as text, instants as ISO 8601 UTC, missing values as null. A test
 * compares them with the definitions of the lists.
 */
import { z } from 'zod';
import { actionTypes, triggerTypes } from '../model/expanded.ts';
import { messageStates, notificationKinds } from '../model/notification.ts';
import { allocationStatuses, causes, jobStatuses, outcomes } from '../model/status.ts';
import { result } from './attempt-records.ts';
import { age, count, instant, json, key } from './fields.ts';
import { run } from './run-record.ts';
import { workflow } from './workflow-record.ts';

const integer = z.number().int();

const requirements = {
  num_cpus: count,
  memory_bytes: count,
  num_gpus: age,
  num_nodes: count,
  runtime_seconds: age,
  expected_runtime_seconds: age.nullable(),
  /** Named resources: `fpga=1,scratch_gb=200`. */
  resources: z.string().nullable(),
};

const job = () =>
  z.strictObject({
    job_key: key,
    workflow_key: key,
    name: z.string(),
    status: z.enum(jobStatuses),
    outcome: z.enum(outcomes).nullable(),
    return_code: integer.nullable(),
    cause: z.enum(causes).nullable(),
    orphaned: z.boolean(),
    held: z.boolean(),
    run_id: count.nullable(),
    attempt_id: count.nullable(),
    priority: integer,
    num_blockers: count,
    failed_upstream_key: key.nullable(),
    hostname: z.string().nullable(),
    slurm_job_id: z.string().nullable(),
    resource_requirements: z.string().nullable(),
    ...requirements,
    scheduler: z.string().nullable(),
    labels: z.string().nullable(),
    /** Limits under which it runs, separated by commas. */
    limits: z.string().nullable(),
    failure_handler: z.string().nullable(),
    num_retries: count,
    command: z.string(),
    invocation_script: z.string().nullable(),
    cancel_on_blocking_job_failure: z.boolean(),
    supports_termination: z.boolean(),
    task_failure_is_success: z.boolean(),
    max_wait_seconds: age.nullable(),
    /** When a ready job with `max_wait` fails unless it starts. */
    expires_at: instant.nullable(),
    attributes: z.record(z.string(), z.string()).nullable(),
  });

const file = () =>
  z.strictObject({
    file_key: key,
    workflow_key: key,
    name: z.string(),
    path: z.string(),
    size_bytes: integer.nullable(),
    modified_at: instant.nullable(),
  });

const userData = () =>
  z.strictObject({
    user_data_key: key,
    workflow_key: key,
    name: z.string(),
    is_ephemeral: z.boolean(),
    version: count,
    data: json(),
  });

const computeNode = () =>
  z.strictObject({
    compute_node_key: key,
    workflow_key: key,
    allocation_key: key.nullable(),
    hostname: z.string(),
    pid: count,
    cluster: z.string().nullable(),
    slurm_job_id: z.string().nullable(),
    restart_count: count,
    num_nodes: count,
    num_cpus: count,
    memory_bytes: count,
    num_gpus: count,
    /** Named resources: `fpga=1,scratch_gb=200`. */
    resources: z.string().nullable(),
    max_parallel_jobs: count.nullable(),
    /** Those that it was given, and those that every worker has by itself. */
    labels: z.string().nullable(),
    takes_unlabelled: z.boolean(),
    is_active: z.boolean(),
    num_running: count,
    started_at: instant,
    last_heartbeat_at: instant,
    contact_lost_at: instant.nullable(),
    ended_at: instant.nullable(),
    close_reason: z.string().nullable(),
  });

const slurmConfig = () =>
  z.strictObject({
    slurm_config_key: key,
    workflow_key: key,
    name: z.string(),
    account: z.string(),
    partition: z.string().nullable(),
    qos: z.string().nullable(),
    walltime_seconds: count,
    num_nodes: count,
    ntasks_per_node: count.nullable(),
    mem: z.string().nullable(),
    tmp: z.string().nullable(),
    gres: z.string().nullable(),
    extra: z.string().nullable(),
    labels: z.string().nullable(),
    also_unlabelled: z.boolean(),
    /** Its place among the configs that jobs take when they have outgrown their own; null for none. */
    fallback_order: count.nullable(),
    /** What its workers have: `fpga=1,scratch_gb=200`. */
    resources: z.string().nullable(),
    /** Ready jobs that only workers of this config may take. */
    num_ready_jobs: count,
    /** The most that a ready job asks for which workers of this config may take. */
    most_nodes_asked_for: count,
  });

const allocation = () =>
  z.strictObject({
    allocation_key: key,
    workflow_key: key,
    slurm_config_key: key,
    name: z.string(),
    status: z.enum(allocationStatuses),
    cluster: z.string().nullable(),
    slurm_job_id: z.string().nullable(),
    slurm_state: z.string().nullable(),
    slurm_reason: z.string().nullable(),
    num_nodes: count,
    min_cpus: count.nullable(),
    min_memory_bytes: count.nullable(),
    min_gpus: count.nullable(),
    hostnames: z.string().nullable(),
    num_workers: count,
    num_jobs_done: count,
    time_left_seconds: age.nullable(),
    restart_count: count,
    one_worker_per_node: z.boolean(),
    script_path: z.string(),
    output_directory: z.string(),
    error: z.string().nullable(),
    created_at: instant,
    submitted_at: instant.nullable(),
    started_at: instant.nullable(),
    expires_at: instant.nullable(),
    ended_at: instant.nullable(),
    checked_at: instant.nullable(),
  });

const firing = () =>
  z.strictObject({
    firing_key: key,
    run_id: count,
    occurrence: count,
    state: z.string(),
    compute_node_key: key.nullable(),
    num_attempts: count,
    fired_at: instant.nullable(),
    ended_at: instant.nullable(),
    result: json(),
    error: z.string().nullable(),
  });

const action = () =>
  z.strictObject({
    action_key: key,
    workflow_key: key,
    trigger_type: z.enum(triggerTypes),
    action_type: z.enum(actionTypes),
    persistent: z.boolean(),
    num_jobs: count,
    num_jobs_awaited: count,
    run_id: count.nullable(),
    state: z.string().nullable(),
    num_firings: count,
    num_failed: count,
    what: z.string().nullable(),
    error: z.string().nullable(),
    definition: json(),
    /** The newest ones. */
    firings: z.array(firing()),
  });

const event = () =>
  z.strictObject({
    /** Also the cursor from which a list of events continues. */
    event_key: z.string(),
    timestamp: instant,
    workflow_key: key,
    job_key: key.nullable(),
    type: z.string(),
    old_status: z.enum(jobStatuses).nullable(),
    new_status: z.enum(jobStatuses).nullable(),
    /** The person who caused it; null for what workers and the server did by themselves. */
    who: z.string().nullable(),
    data: json(),
  });

const resourceRequirements = () =>
  z.strictObject({
    resource_requirements_key: key,
    workflow_key: key,
    name: z.string(),
    ...requirements,
    /** Fields that each job gets from data, with their texts; those beside it are what stands in their place. */
    from_data: z.record(z.string(), z.string()).nullable(),
  });

const message = () =>
  z.strictObject({
    message_key: key,
    run_id: count,
    event: z.string(),
    state: z.string(),
    num_attempts: count,
    written_at: instant,
    sent_at: instant.nullable(),
    error: z.string().nullable(),
  });

const notification = () =>
  z.strictObject({
    notification_key: key,
    workflow_key: key,
    /** Separated by commas. */
    events: z.string(),
    kind: z.enum(notificationKinds),
    /** Of the URL of a webhook only the host. */
    target: z.string(),
    num_messages: count,
    num_sent: count,
    num_failed: count,
    /** Of the newest message, as are the next three. */
    run_id: count.nullable(),
    event: z.string().nullable(),
    state: z.enum(messageStates).nullable(),
    error: z.string().nullable(),
    next_try_at: instant.nullable(),
    /** The newest ones. */
    messages: z.array(message()),
  });

/** By the list's name. */
export const records = {
  workflows: workflow,
  jobs: job,
  results: result,
  runs: run,
  files: file,
  compute_nodes: computeNode,
  slurm_configs: slurmConfig,
  allocations: allocation,
  events: event,
  resource_requirements: resourceRequirements,
  user_data: userData,
  actions: action,
  notifications: notification,
} as const;

export type ListName = keyof typeof records;
/** A row of a given list. */
export type RecordOf<L extends ListName> = z.infer<ReturnType<(typeof records)[L]>>;
