/**
 * The contract between clients (CLI, workers) and the server: for each endpoint the request's schema and the reply's
 * type. `POST /v1/NAME` with the request as JSON answers the reply as JSON, or `{"error":{code,message,hint}}`.
 *
 * Words on the wire are snake_case; keys are strings for people's commands and integers inside the exchange, where
 * a busy worker sends thousands. Durations are in the unit their name ends in.
 */
import { z } from 'zod';
import type { Diagnosis } from '../model/diagnosis.ts';
import { actionTypes, triggerTypes } from '../model/expanded.ts';
import type { GroupedGraph } from '../model/job-groups.ts';
import { causes, jobStatuses } from '../model/status.ts';

/** Raised when an old worker could misunderstand a new server; another protocol is refused. */
export const protocolVersion = 1;

/** Sizes at which requests are refused or split. All limits of the protocol stand here. */
export const limits = {
  bodyBytes: 16 * 1024 * 1024,
  /** Of a refused request's body, so that its sender sees the answer. */
  discardedBytes: 1024 * 1024,
  listPage: 10_000,
  /** A plan is made anew for each page of it. */
  planPage: 100_000,
  createChunk: 5_000,
  nodesOfWorker: 100_000,
  longPollSeconds: 25,
  parkedRequests: 10_000,
} as const;

const key = z.string().regex(/^[1-9][0-9]{0,15}$/, 'a key is a positive whole number');
const count = z.number().int().nonnegative();
const age = z.number().nonnegative();
const text = z.string().refine((s) => !s.includes('\0'), 'must not contain a NUL byte');
const name = text.min(1).max(4096);

// ------------------------------------------------------------------ workflows

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
});

const slurmConfigFields = {
  account: text,
  partition: text.nullable(),
  qos: text.nullable(),
  walltime_seconds: z.number().int().positive(),
  num_nodes: z.number().int().positive(),
  ntasks_per_node: z.number().int().positive().nullable(),
  mem: text.nullable(),
  tmp: text.nullable(),
  gres: text.nullable(),
  extra: text.nullable(),
};

/** What follows a failure: the first rule that matches the return code decides. */
const failureRule = z.strictObject({
  exit_codes: z.array(z.number().int().min(1).max(255)),
  match_all_exit_codes: z.boolean(),
  /** Shell text that must have succeeded before the next attempt begins. */
  recovery_script: text.nullable(),
  /** Further attempts after the first. */
  max_retries: count,
});

const newAction = z.strictObject({
  trigger_type: z.enum(triggerTypes),
  action_type: z.enum(actionTypes),
  /** Fires each time that its trigger happens in a run; otherwise once in a run. */
  persistent: z.boolean(),
  commands: z.array(text),
  /** Name of the Slurm config that nodes are scheduled with. */
  scheduler: name.nullable(),
  num_allocations: z.number().int().positive(),
  start_one_worker_per_node: z.boolean(),
  max_parallel_jobs: z.number().int().positive().nullable(),
});

const createBegin = z.strictObject({
  name,
  user: name,
  description: text.nullable(),
  project: text.nullable(),
  metadata: z.json().nullable(),
  /** How workers of this workflow behave; seconds. */
  expiration_buffer_seconds: count,
  wait_for_new_jobs_seconds: count,
  ignore_workflow_completion: z.boolean(),
  wait_for_healthy_database_minutes: count,
  jobs_sort_method: z.enum(['gpus_runtime_memory', 'gpus_memory_runtime', 'none']),
  requirements: z.array(requirements),
  slurm_configs: z.array(z.strictObject({ name, ...slurmConfigFields })),
  failure_handlers: z.array(z.strictObject({ name, rules: z.array(failureRule) })),
  /** How often each job's memory and processor time is written down; null for not at all. */
  sample_interval_seconds: z.number().positive().nullable(),
  num_jobs: count,
  num_files: count,
  num_user_data: count,
  num_barriers: count,
  /** Missing when there are none; their commands start in the working directory. Directories are absolute. */
  actions: z
    .strictObject({ working_directory: text.min(1), output_directory: text.min(1), list: z.array(newAction) })
    .optional(),
});

const newJob = z.strictObject({
  name,
  command: text.min(1),
  invocation_script: text.nullable(),
  /** Index into the workflow's requirements, or null for the defaults. */
  requirements: count.nullable(),
  /** Index into the workflow's Slurm configs: only their workers take it. Missing for any. */
  slurm_config: count.optional(),
  /** Index into the workflow's failure handlers. */
  failure_handler: count.optional(),
  priority: z.number().int(),
  cancel_on_blocking_job_failure: z.boolean(),
  supports_termination: z.boolean(),
  /** Indices of the workflow's files. */
  input_files: z.array(count),
  output_files: z.array(count),
  /** Indices of the workflow's user data. */
  input_user_data: z.array(count),
  output_user_data: z.array(count),
});

const createChunk = z.strictObject({
  workflow_key: key,
  /** Index of the first job, file and datum of this chunk; chunks come in order and may be repeated. */
  first_job: count,
  first_file: count,
  first_user_data: count,
  jobs: z.array(newJob).max(limits.createChunk),
  files: z.array(z.strictObject({ name, path: text.min(1) })).max(limits.createChunk),
  /** Data of null are not there yet. */
  user_data: z.array(z.strictObject({ name, data: z.json(), is_ephemeral: z.boolean() })).max(limits.createChunk),
  edges: z.array(z.tuple([node, node])).max(limits.createChunk * 4),
  /** Which jobs the triggers of actions are about: numbers of the action and of the job. */
  action_jobs: z
    .array(z.tuple([count, count]))
    .max(limits.createChunk * 4)
    .optional(),
});

const createFinish = z.strictObject({ workflow_key: key });
const workflowOnly = z.strictObject({ workflow_key: key });
const planned = z.strictObject({ workflow_key: key, dry_run: z.boolean() });

// ------------------------------------------------------------------ plans

/**
 * Every plan: with `dry_run` it is made and given, and nothing changes. `expected_state` is the `state` of a plan that
 * was looked at before: when the workflow has moved on since, this one is refused with 'conflict'. `skip` leaves out the
 * first changes of the reply, so that a long plan can be read in pages.
 */
const planOptions = {
  dry_run: z.boolean(),
  expected_state: z.string().nullable(),
  skip: count,
};

const restart = z.strictObject({
  workflow_key: key,
  ...planOptions,
  /** Missing input files and user data are no reason to refuse. */
  ignore_missing_data: z.boolean(),
  /** Only uninitialized jobs change. */
  only_uninitialized: z.boolean(),
  /** What runs goes on; without it, running jobs are a reason to refuse. */
  keep_running: z.boolean(),
  /** Jobs of silent workers count as ended although nothing shows that they are. */
  force: z.boolean(),
  /** Of a dry run: what it looks like once everything that runs was stopped. */
  assume_stopped: z.boolean(),
  /** Against which relative paths are read when no worker has run yet; absolute. */
  working_directory: text.min(1),
});
const resetJobs = z.strictObject({
  workflow_key: key,
  ...planOptions,
  /** `all`, those whose last result has a return code other than 0, or the jobs named; each with all behind it. */
  which: z.union([z.enum(['all', 'failed']), z.array(key).min(1)]),
});
const disableJobs = z.strictObject({ workflow_key: key, ...planOptions, job_keys: z.array(key).min(1) });
const stopRunning = z.strictObject({ workflow_key: key, stop: z.boolean() });

/** One change of a plan; the same value is printed by a dry run and returned by the command that applied it. */
export interface PlannedChange {
  job_key: string;
  job_name: string;
  old_status: string;
  new_status: string;
  reason: string;
  /** Of a job whose worker is gone: why it has no result. */
  diagnosis: Diagnosis | null;
}

export interface Plan {
  dry_run: boolean;
  workflow_key: string;
  /** What the plan was made from; changes with every event of the workflow. */
  state: string;
  /** At most `limits.planPage` changes; `num_changes` counts them all. */
  changes: PlannedChange[];
  num_changes: number;
}

/** A job that a restart leaves as it is although people may expect otherwise, and why. */
export interface KeptJob {
  job_key: string;
  job_name: string;
  status: string;
  reason: string;
}

export interface RestartPlan extends Plan {
  run_id: number;
  num_ready: number;
  num_blocked: number;
  /** Running jobs that go on. */
  num_running: number;
  /** Ephemeral user data that is cleared. */
  cleared_user_data: string[];
  /** The first of them. */
  kept: KeptJob[];
  num_kept: number;
}

// ------------------------------------------------------------------ one job

const diagnoseJobs = z.strictObject({ workflow_key: key, job_keys: z.array(key).nullable() });
const showJob = z.strictObject({ job_key: key });
/** What a change may make of requirements; a runtime of null is one that nobody states. */
const changedResources = {
  num_cpus: z.number().int().positive(),
  memory_bytes: z.number().int().positive(),
  gpu_thousandths: count,
  runtime_ms: z.number().int().positive().nullable(),
};
const modifyJob = z.strictObject({
  job_key: key,
  dry_run: z.boolean(),
  changes: z
    .strictObject({
      name,
      command: text.min(1),
      invocation_script: text.nullable(),
      priority: z.number().int(),
      cancel_on_blocking_job_failure: z.boolean(),
      supports_termination: z.boolean(),
      ...changedResources,
    })
    .partial(),
});

/** Changes what every job with these requirements asks for; what runs keeps what it was given. */
const modifyResourceRequirements = z.strictObject({
  resource_requirements_key: key,
  dry_run: z.boolean(),
  changes: z.strictObject(changedResources).partial(),
});

/** One field that a change makes another value; null where there is none. */
export interface ChangedField {
  field: string;
  old_value: unknown;
  new_value: unknown;
}

/** What is known of one claimed job. */
export interface DiagnosedJob {
  job_key: string;
  job_name: string;
  status: string;
  run_id: number;
  attempt_id: number;
  diagnosis: Diagnosis;
}

/** One job's whole story. Attempts, results and events are rows of their lists, newest last, at most 1,000 of each. */
export interface JobShown {
  job: ListRecord;
  /** Why it is not running now, as a sentence; null when it runs. */
  why: string | null;
  diagnosis: Diagnosis | null;
  attempts: ListRecord[];
  events: ListRecord[];
  input_files: ListRecord[];
  output_files: ListRecord[];
  input_user_data: ListRecord[];
  output_user_data: ListRecord[];
  /** Through barriers, in stored order; at most 1,000. */
  upstream: { job_key: string; name: string; status: string }[];
  num_upstream: number;
  downstream: { job_key: string; name: string; status: string }[];
  num_downstream: number;
}

// ------------------------------------------------------------------ parts of a stored workflow

const names = z.array(name).max(limits.listPage);

/** Names in commands (`${files.input.NAME}` ..) declare what they say, as in a specification. */
const addedJob = z.strictObject({
  name,
  command: text.min(1),
  invocation_script: text.nullable(),
  /** Of named requirements; null for the defaults. */
  resource_requirements: name.nullable(),
  priority: z.number().int(),
  cancel_on_blocking_job_failure: z.boolean(),
  supports_termination: z.boolean(),
  /** Names of jobs that are there, or come earlier in the request. */
  depends_on: names,
  input_files: names,
  output_files: names,
  input_user_data: names,
  output_user_data: names,
});
export type AddedJob = z.infer<typeof addedJob>;

/** All of them or none. */
const addJobs = z.strictObject({ workflow_key: key, jobs: z.array(addedJob).min(1).max(limits.createChunk) });
const deleteJobs = z.strictObject({
  job_keys: z.array(key).min(1).max(limits.listPage),
  /** Also every job that depends on them. */
  cascade: z.boolean(),
  dry_run: z.boolean(),
});
const addFile = z.strictObject({ workflow_key: key, name, path: text.min(1) });
const deleteFile = z.strictObject({ file_key: key });
const addResourceRequirements = z.strictObject({
  workflow_key: key,
  name,
  ...changedResources,
  num_nodes: z.number().int().positive(),
  /** Null: nobody states how much. */
  memory_bytes: z.number().int().positive().nullable(),
});
const assignResourceRequirements = z.strictObject({
  resource_requirements_key: key,
  job_keys: z.array(key).min(1).max(limits.listPage),
});

const modifyWorkflow = z.strictObject({
  workflow_key: key,
  changes: z
    .strictObject({
      name,
      description: text.nullable(),
      project: text.nullable(),
      metadata: z.json().nullable(),
      is_archived: z.boolean(),
      expiration_buffer_seconds: count,
      wait_for_new_jobs_seconds: count,
      ignore_workflow_completion: z.boolean(),
      wait_for_healthy_database_minutes: count,
    })
    .partial(),
});

// ------------------------------------------------------------------ export and import

const exportWorkflow = z.strictObject({
  workflow_key: key,
  /** `barriers`: what the hidden nodes wait for, which jobs name by their keys. Pages are of the part alone. */
  part: z.enum(['head', 'jobs', 'barriers']),
  limit: z.number().int().positive().max(limits.listPage),
  skip: count,
});

/** A job with the names of all that it refers to. */
export interface ExportedJob extends AddedJob {
  barriers: string[];
  /** Of a job with requirements of its own, which have no name. */
  own_requirements: ExportedRequirements | null;
}

/** Null is what nobody stated. */
export interface ExportedRequirements {
  name: string | null;
  num_cpus: number;
  memory_bytes: number | null;
  num_gpus: number;
  num_nodes: number;
  runtime_seconds: number | null;
}

const instant = z.iso.datetime();

/** A row of the list of results; columns that follow from others are ignored. */
const importedResult = z.object({
  job_name: name,
  run_id: z.number().int().positive(),
  attempt_id: z.number().int().positive(),
  status: z.enum(['done', 'canceled', 'terminated', 'returned', 'lost']),
  return_code: z.number().int().min(0).max(255).nullable(),
  cause: z.enum(causes),
  start_time: instant.nullable(),
  end_time: instant.nullable(),
  exec_time_seconds: age.nullable(),
  peak_memory_bytes: count.nullable(),
  average_memory_bytes: count.nullable(),
  cpu_seconds: age.nullable(),
  hostname: name,
  slurm_job_id: text.nullable(),
  num_nodes: z.number().int().positive().optional(),
  num_cpus: z.number().int().positive(),
  memory_bytes: count,
  gpu_indices: z.array(count).nullable(),
  exit_code: z.number().int().nullable(),
  signal: z.number().int().nullable(),
  detail: text.nullable(),
});

/** Adds the history of another workflow to a new one with the same jobs, in any number of requests before `finish`. */
const importHistory = z.strictObject({
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
        data: z.json(),
      }),
    )
    .max(limits.createChunk),
});

const importFinish = z.strictObject({
  workflow_key: key,
  run_id: z.number().int().positive(),
  is_canceled: z.boolean(),
  started_at: instant.nullable(),
  ended_at: instant.nullable(),
  /** In stored order. */
  job_statuses: z.array(z.enum(jobStatuses)),
});

// ------------------------------------------------------------------ user data

const addUserData = z.strictObject({ workflow_key: key, name, data: z.json(), is_ephemeral: z.boolean() });
const modifyUserData = z.strictObject({
  user_data_key: key,
  /** What is not there stays as it is; null removes the data. */
  changes: z.strictObject({ data: z.json(), is_ephemeral: z.boolean() }).partial(),
});
const deleteUserData = z.strictObject({ user_data_key: key });

// ------------------------------------------------------------------ lists

export const listNames = [
  'workflows',
  'jobs',
  'results',
  'files',
  'compute_nodes',
  'slurm_configs',
  'allocations',
  'events',
  'resource_requirements',
  'user_data',
  'actions',
] as const;
export type ListName = (typeof listNames)[number];

const list = z.strictObject({
  list: z.enum(listNames),
  workflow_key: key.nullable(),
  filters: z.array(z.strictObject({ column: z.string().max(64), value: text })).max(32),
  sort_by: z.string().max(64).nullable(),
  reverse: z.boolean(),
  limit: z.number().int().positive().max(limits.listPage),
  skip: count,
  /** Of results: only the newest of each job. */
  latest_only: z.boolean().optional(),
});

/** A row of a list: snake_case columns in a fixed order; keys as text, instants as ISO 8601 UTC, missing as null. */
export type ListRecord = Record<string, unknown>;
export interface ListReply {
  records: ListRecord[];
  /** Whether rows after these exist. */
  more: boolean;
}

// ------------------------------------------------------------------ workers

const hello = z.strictObject({
  protocol: z.number().int(),
  worker_id: z.string().regex(/^[0-9a-f]{32}$/),
  workflow_key: key,
  hostname: name,
  boot_id: text,
  pid: z.number().int().positive(),
  cluster: text.nullable(),
  slurm_job_id: text.nullable(),
  restart_count: count,
  allocation_key: key.nullable(),
  /** Nodes that the worker owns; missing for 1. What follows is what each of them has. */
  num_nodes: z.number().int().positive().max(limits.nodesOfWorker).optional(),
  num_cpus: z.number().int().positive(),
  memory_bytes: count,
  num_gpus: count,
  /** Most jobs at a time, whatever they ask for; null for no such limit. */
  max_parallel_jobs: z.number().int().positive().nullable(),
  /** Where its jobs start; relative paths of files are read against it. */
  working_directory: text.nullable(),
  /** Where the output of its jobs goes. */
  output_directory: text.nullable(),
  /** When its process started, in clock ticks since boot; null where the system does not say. */
  start_ticks: count.nullable(),
});

export interface WorkerSettings {
  expiration_buffer_seconds: number;
  wait_for_new_jobs_seconds: number;
  ignore_workflow_completion: boolean;
  wait_for_healthy_database_minutes: number;
  /** How often each job's memory and processor time is written down; null for not at all. */
  sample_interval_seconds: number | null;
}

/** Commands that a worker runs at its start, before the first job, or when it has no more jobs and leaves. */
export interface WorkerCommands {
  firing: number;
  action_key: string;
  run_id: number;
  when: 'start' | 'complete';
  commands: string[];
}

export interface HelloReply {
  /** `gone`: a later process of the same allocation and node has taken over; the worker must end. */
  answer: 'welcome' | 'gone';
  epoch: number;
  compute_node_key: string;
  workflow_name: string;
  settings: WorkerSettings;
  /** Missing when there are none. */
  actions?: WorkerCommands[];
}

const attemptKey = z.number().int().positive();

const startedReport = z.object({ attempt: attemptKey, age_ms: age, pid: z.number().int().positive() });

/** A declared file as the worker saw it: an input when the job began, an output when it ended. Times in microseconds. */
const fileState = z.object({
  file_key: z.number().int().positive(),
  is_output: z.boolean(),
  /** -1 when it was not there. */
  size_bytes: z.number().int().min(-1),
  modified_us: z.number().int().nullable(),
  changed_us: z.number().int().nullable(),
  /** SHA-256 of the content; null when it is too large to be read. */
  content_hash: text.nullable(),
});
export type FileState = z.infer<typeof fileState>;

const finishedReport = z.object({
  attempt: attemptKey,
  /** Age of the start; null when no process was ever started. */
  start_age_ms: age.nullable(),
  age_ms: age,
  status: z.enum(['done', 'canceled', 'terminated']),
  return_code: z.number().int().min(0).max(255).nullable(),
  cause: z.enum(causes),
  exit_code: z.number().int().nullable(),
  signal: z.number().int().nullable(),
  detail: text.nullable(),
  exec_ms: age,
  peak_memory_bytes: count.nullable(),
  average_memory_bytes: count.nullable(),
  cpu_ms: count.nullable(),
  /** Missing for a job without declared files. */
  files: z.array(fileState).optional(),
  /** What the job wrote for its output user data. */
  user_data: z.array(z.object({ name, data: z.json() })).optional(),
});

/** Of a running attempt; the peak is the most memory seen so far. */
const sample = z.object({ attempt: attemptKey, memory_bytes: count, peak_memory_bytes: count, cpu_ms: count });

/** How the commands of a firing went: the return codes of those that ran, in order; an error unless all went well. */
const actionReport = z.object({
  firing: z.number().int().positive(),
  return_codes: z.array(z.number().int()),
  output_path: text.nullable(),
  error: text.nullable(),
});
export type ActionReport = z.infer<typeof actionReport>;

/** Unknown fields are ignored, so that a newer worker can talk to this server within one protocol. */
const exchange = z.object({
  protocol: z.number().int(),
  worker_id: z.string(),
  seq: count,
  /** The highest epoch the worker has seen. */
  epoch: count,
  /** The highest attempt key the worker has received. */
  ack: count,
  /** Attempts at or below `ack` that the worker has and has not finished; one snapshot with the reports. */
  held: z.array(attemptKey),
  started: z.array(startedReport),
  finished: z.array(finishedReport),
  returned: z.array(attemptKey),
  samples: z.array(sample),
  /** Until the worker's latest end; null when it has none. */
  time_left_ms: z.number().nullable(),
  /** The worker takes no more jobs. */
  draining: z.boolean(),
  /** The worker ends after this exchange; it holds nothing any more. */
  leaving: z.boolean(),
  /** Commands that were run; repeated until a request that carried it was answered. */
  actions: z.array(actionReport).optional(),
});

/** One attempt given to a worker, with everything that it needs to run it. */
export interface Assignment {
  attempt: number;
  /** Number of the attempt within (job, run), from 1. */
  attempt_id: number;
  run_id: number;
  job_key: string;
  job_name: string;
  command: string;
  invocation_script: string | null;
  num_cpus: number;
  /** What the job asked for; the share by which an out-of-memory culprit is judged. */
  memory_bytes: number;
  /** Enforced when not null. */
  memory_limit_bytes: number | null;
  runtime_limit_ms: number | null;
  /** For the packing: what must be left of the allocation when the job starts; null fits always. */
  runtime_ms: number | null;
  /** On each of its nodes. */
  gpu_indices: number[];
  /** Which of the worker's nodes it has for itself; missing for a job on the worker's own, number 0, beside others. */
  node_indices?: number[];
  supports_termination: boolean;
  /** Declared files; missing for a job without any. */
  files?: AssignedFile[];
  /** Names of the user data that the job is to write; missing when there is none. */
  output_user_data?: string[];
  /** What must succeed before the command begins, because an earlier attempt failed. */
  recovery?: Recovery;
}

export interface Recovery {
  /** Shell text. */
  script: string;
  /** The attempt that failed. */
  run_id: number;
  attempt_id: number;
  return_code: number;
}

export interface AssignedFile {
  file_key: number;
  path: string;
  is_output: boolean;
}

/**
 * Why an attempt should end. `cancel`: a person cancelled it, recorded as canceled. `restart`: a restart waits for its
 * end, recorded as terminated. `superseded`: another attempt may take its place. `fenced`: its worker was given up.
 */
export type StopRequest = 'cancel' | 'restart' | 'superseded' | 'fenced';

export interface ReportAnswer {
  attempt: number;
  report: 'started' | 'finished' | 'returned';
  /** Every one of them means: do not send it again. */
  answer: 'accepted' | 'repeated' | 'superseded' | 'rejected';
}

export interface ExchangeReply {
  seq: number;
  epoch: number;
  now: string;
  /** Every live attempt of this worker above `ack`. */
  jobs: Assignment[];
  /** Every attempt of this worker that should end. */
  stop: { attempt: number; reason: StopRequest }[];
  reports: ReportAnswer[];
  /** The worker must end when it holds nothing; it is closed. */
  leave: boolean;
  /** The server does not know this worker (a rebuilt database): say hello again. */
  unknown_worker: boolean;
}

// ------------------------------------------------------------------ Slurm

const addSlurmConfig = z.strictObject({ workflow_key: key, name, ...slurmConfigFields });
const modifySlurmConfig = z.strictObject({
  slurm_config_key: key,
  changes: z.strictObject({ name, ...slurmConfigFields }).partial(),
});

const recordAllocations = z.strictObject({
  workflow_key: key,
  slurm_config_key: key,
  allocations: z
    .array(
      z.strictObject({
        /** Unique name given to sbatch, by which an unconfirmed submission is found again. */
        name,
        num_nodes: z.number().int().positive(),
        one_worker_per_node: z.boolean(),
        script_path: text,
        output_directory: text,
      }),
    )
    .min(1)
    .max(limits.listPage),
});
const confirmAllocation = z.strictObject({
  allocation_key: key,
  /** Null with an error: sbatch refused it. */
  slurm_job_id: text.nullable(),
  cluster: text.nullable(),
  error: text.nullable(),
});

// ------------------------------------------------------------------ the table

/** Request schemas by endpoint. `reads` of an endpoint never write; all others are batched into transactions. */
export const requests = {
  server_info: z.strictObject({}),
  server_stop: z.strictObject({}),
  workflow_create_begin: createBegin,
  workflow_create_chunk: createChunk,
  workflow_create_finish: createFinish,
  workflow_show: workflowOnly,
  workflow_graph: workflowOnly,
  workflow_start: planned,
  workflow_cancel: planned,
  workflow_delete: planned,
  workflow_restart: restart,
  workflow_stop_running: stopRunning,
  jobs_reset: resetJobs,
  jobs_disable: disableJobs,
  jobs_diagnose: diagnoseJobs,
  job_show: showJob,
  job_modify: modifyJob,
  resource_requirements_modify: modifyResourceRequirements,
  jobs_add: addJobs,
  jobs_delete: deleteJobs,
  file_add: addFile,
  file_delete: deleteFile,
  resource_requirements_add: addResourceRequirements,
  resource_requirements_assign: assignResourceRequirements,
  workflow_modify: modifyWorkflow,
  workflow_export: exportWorkflow,
  workflow_import_history: importHistory,
  workflow_import_finish: importFinish,
  user_data_add: addUserData,
  user_data_modify: modifyUserData,
  user_data_delete: deleteUserData,
  list,
  worker_hello: hello,
  exchange,
  slurm_config_add: addSlurmConfig,
  slurm_config_modify: modifySlurmConfig,
  allocations_record: recordAllocations,
  allocation_confirm: confirmAllocation,
} as const;

export type EndpointName = keyof typeof requests;
export type Request<N extends EndpointName> = z.infer<(typeof requests)[N]>;

export interface WorkflowSummary extends ListRecord {
  workflow_key: string;
  name: string;
  user: string;
  run_id: number;
  status: string;
  num_jobs: number;
  num_done: number;
  num_failed: number;
  num_canceled: number;
}

export interface WorkflowShown extends WorkflowSummary {
  /** Jobs by status, every status present. */
  counts: Record<string, number>;
  num_active_workers: number;
  /** Firings of actions that a server still has to carry out, and those of the present run that failed. */
  num_open_actions: number;
  num_failed_actions: number;
}

/** Reply types by endpoint. */
export interface Replies {
  server_info: {
    version: string;
    protocol: number;
    epoch: number;
    hostname: string;
    pid: number;
    user: string;
    directory: string;
    started_at: string;
    num_active_workers: number;
  };
  server_stop: { pid: number };
  workflow_create_begin: { workflow_key: string };
  workflow_create_chunk: { num_jobs: number };
  workflow_create_finish: {
    workflow_key: string;
    num_jobs: number;
    num_files: number;
    num_user_data: number;
    num_edges: number;
    num_barriers: number;
  };
  workflow_show: WorkflowShown;
  /** The jobs in at most a few hundred groups. */
  workflow_graph: GroupedGraph & { workflow_key: string; name: string; num_jobs: number };
  workflow_start: Plan & { run_id: number; num_ready: number; num_blocked: number };
  workflow_cancel: Plan & { num_stopping: number; slurm_job_ids: string[] };
  workflow_delete: { dry_run: boolean; workflow_key: string; num_jobs: number; num_results: number };
  workflow_restart: RestartPlan;
  /** How many attempts were asked to stop, and which still occupy a worker; with `stop` false claims go on again. */
  workflow_stop_running: { num_stopping: number; running: KeptJob[] };
  jobs_reset: Plan;
  jobs_disable: Plan;
  jobs_diagnose: { jobs: DiagnosedJob[] };
  job_show: JobShown;
  /** Only what differs from before. */
  job_modify: { dry_run: boolean; job_key: string; job_name: string; changes: ChangedField[] };
  resource_requirements_modify: {
    dry_run: boolean;
    resource_requirements_key: string;
    name: string;
    num_jobs: number;
    changes: ChangedField[];
  };
  jobs_add: { workflow_key: string; jobs: { job_key: string; name: string; status: string }[] };
  /** `jobs` are the first of them. */
  jobs_delete: {
    dry_run: boolean;
    workflow_key: string;
    num_jobs: number;
    jobs: { job_key: string; name: string }[];
  };
  file_add: { file_key: string };
  file_delete: { file_key: string; name: string };
  resource_requirements_add: { resource_requirements_key: string };
  resource_requirements_assign: { resource_requirements_key: string; name: string; num_jobs: number };
  workflow_modify: { workflow_key: string; name: string; changes: ChangedField[] };
  workflow_export: {
    /** What a specification says of the workflow as a whole, and its named requirements. */
    head: { workflow: ListRecord; resource_requirements: ExportedRequirements[] } | null;
    jobs: ExportedJob[];
    barriers: { barrier_key: string; depends_on: string }[];
    more: boolean;
  };
  workflow_import_history: { num_results: number; num_events: number };
  workflow_import_finish: { workflow_key: string; run_id: number };
  user_data_add: { user_data_key: string };
  /** `is_changed`: the data are another document now. */
  user_data_modify: { user_data_key: string; name: string; is_changed: boolean; version: number };
  user_data_delete: { user_data_key: string; name: string };
  list: ListReply;
  worker_hello: HelloReply;
  exchange: ExchangeReply;
  slurm_config_add: { slurm_config_key: string };
  slurm_config_modify: { slurm_config_key: string };
  allocations_record: { allocation_keys: string[] };
  allocation_confirm: { allocation_key: string };
}
export type Reply<N extends EndpointName> = Replies[N];

/** Calls an endpoint, over HTTPS or in process; throws TorcError. */
export interface Api {
  call<N extends EndpointName>(endpoint: N, request: Request<N>, options?: CallOptions): Promise<Reply<N>>;
  /** Frees connections, or closes the database of an in-process service. */
  close(): Promise<void>;
}

export interface CallOptions {
  /** Ends the call early with a TorcError('interrupted'). */
  signal?: AbortSignal;
  timeoutMs?: number;
}
