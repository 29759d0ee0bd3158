/** Single jobs and what they refer to: shown, changed, added, deleted. */
import { z } from 'zod';
import { diagnosis } from '../model/decide/diagnosis-fields.ts';
import { reason } from '../model/decide/reason.ts';
import { cpuPlacements, executions, stdioModes } from '../model/launch.ts';
import { jobStatuses, outcomes } from '../model/status.ts';
import { shownAttempt } from './attempt-records.ts';
import {
  attributes,
  changedAttributes,
  changedEnvironment,
  changedField,
  count,
  json,
  key,
  labels,
  launch,
  limitNames,
  name,
  namedResources,
  path,
  text,
} from './fields.ts';
import { limits } from './limits.ts';
import { records } from './records.ts';

export const diagnoseJobs = z.strictObject({ workflow_key: key, job_keys: z.array(key).nullable() });
export const showJob = z.strictObject({ job_key: key });
/** Requirements that may change; a runtime of null means that there is none. */
const changedResources = {
  num_cpus: z.number().int().positive(),
  memory_bytes: z.number().int().positive(),
  gpu_thousandths: count,
  runtime_ms: z.number().int().positive().nullable(),
  /** Null: as long as the runtime. */
  expected_runtime_ms: z.number().int().positive().nullable(),
  /** Instead of those before; none in an empty object. */
  resources: namedResources,
};
const jobChanges = z
  .strictObject({
    name,
    command: text.min(1),
    invocation_script: text.nullable(),
    priority: z.number().int(),
    cancel_on_blocking_job_failure: z.boolean(),
    supports_termination: z.boolean(),
    task_failure_is_success: z.boolean(),
    attributes: changedAttributes,
    /** The name of a Slurm config whose workers are the only ones that may take it; null for any. */
    scheduler: name.nullable(),
    /** Instead of those that it had; none for workers of any labels. */
    labels,
    /** Instead of those that it had; none for no limit. */
    limits: limitNames,
    env: changedEnvironment,
    /** Null: that of the workflow. */
    stdio: z.enum(stdioModes).nullable(),
    /** Relative to where the others start; null: there. */
    cwd: path.nullable(),
    ...changedResources,
  })
  .partial();

export const modifyJob = z.strictObject({ job_key: key, dry_run: z.boolean(), changes: jobChanges });
/** All of them or none; running ones stay as they are. */
export const modifyJobs = z.strictObject({
  job_keys: z.array(key).min(1).max(limits.createChunk),
  dry_run: z.boolean(),
  changes: jobChanges,
});

/** Changes what every job with these requirements asks for; running jobs keep what they were given. */
export const modifyResourceRequirements = z.strictObject({
  resource_requirements_key: key,
  dry_run: z.boolean(),
  changes: z.strictObject(changedResources).partial(),
});

/** Only what differs from before. */
export const modifyJobReply = () =>
  z.strictObject({ dry_run: z.boolean(), job_key: key, job_name: z.string(), changes: z.array(changedField()) });
const modifiedJob = () => z.strictObject({ job_key: key, job_name: z.string(), changes: z.array(changedField()) });
/** In the order of the request: those that something changes for, and the keys of those that are running. */
export const modifyJobsReply = () =>
  z.strictObject({ dry_run: z.boolean(), jobs: z.array(modifiedJob()), running: z.array(key) });
export const modifyRequirementsReply = () =>
  z.strictObject({
    dry_run: z.boolean(),
    resource_requirements_key: key,
    name: z.string(),
    num_jobs: count,
    changes: z.array(changedField()),
  });

/** What is known of one claimed job. */
const diagnosedJob = () =>
  z.strictObject({
    job_key: key,
    job_name: z.string(),
    status: z.enum(jobStatuses),
    run_id: count,
    attempt_id: count,
    diagnosis: diagnosis(),
  });
export type DiagnosedJob = z.infer<ReturnType<typeof diagnosedJob>>;
export const diagnoseReply = () => z.strictObject({ jobs: z.array(diagnosedJob()) });

const namedJob = () => z.strictObject({ job_key: key, name: z.string() });
const namedJobWithStatus = () => namedJob().extend({ status: z.enum(jobStatuses) });
const neighbour = () => namedJobWithStatus().extend({ outcome: z.enum(outcomes).nullable() });

/** One job's whole story. Attempts, results and events are rows of their lists, newest last, at most 1,000 of each. */
export const jobShown = () =>
  z.strictObject({
    job: records.jobs().extend({ is_memory_stated: z.boolean(), is_runtime_stated: z.boolean() }),
    /** Why it is not running now, as sentences; null when it runs. */
    why: z.string().nullable(),
    /** The same as data, the nearest first; none when it runs. */
    reasons: z.array(reason()),
    diagnosis: diagnosis().nullable(),
    attempts: z.array(shownAttempt()),
    events: z.array(records.events()),
    input_files: z.array(records.files()),
    output_files: z.array(records.files()),
    input_user_data: z.array(records.user_data()),
    output_user_data: z.array(records.user_data()),
    /** Through barriers, in stored order; at most 1,000. */
    upstream: z.array(neighbour()),
    num_upstream: count,
    downstream: z.array(neighbour()),
    num_downstream: count,
    /** Its environment variables, those of the workflow among them; values that look like secrets are hidden. */
    env: z.record(z.string(), z.string()),
    /** What the job itself states about its start. */
    launch: z.strictObject({
      stdio: z.enum(stdioModes).optional(),
      cwd: z.string().optional(),
      stdin: z.string().optional(),
      container: z.string().optional(),
      pin: z.boolean().optional(),
      cpu_placement: z.enum(cpuPlacements).optional(),
      execution: z.enum(executions).optional(),
      warm: z.string().optional(),
    }),
  });
export type JobShown = z.infer<ReturnType<typeof jobShown>>;

const names = z.array(name).max(limits.listPage);

/** Names in commands (`${files.input.NAME}` ..) declare inputs and outputs, as in a specification. */
export const addedJob = z.strictObject({
  name,
  command: text.min(1),
  /** What is compared instead of the command when the workflow is created again; missing for the command. */
  identity: text.min(1).optional(),
  invocation_script: text.nullable(),
  /** The name of requirements; null for the defaults. */
  resource_requirements: name.nullable(),
  /** The Slurm config whose workers may take it; null for any worker. */
  scheduler: name.nullable(),
  /** Only workers with all of them take it; missing for none. */
  labels: labels.optional(),
  /** Names of limits under which it runs; missing for none. */
  limits: limitNames.optional(),
  failure_handler: name.nullable(),
  priority: z.number().int(),
  cancel_on_blocking_job_failure: z.boolean(),
  supports_termination: z.boolean(),
  /** It counts as successful whatever code it exits with; missing for false. */
  task_failure_is_success: z.boolean().optional(),
  /** It does not start until somebody releases it; missing for false. */
  hold: z.boolean().optional(),
  /** How long it may be ready without starting; missing for ever. */
  max_wait_ms: count
    .min(1)
    .max(36_525 * 86_400_000)
    .optional(),
  attributes,
  ...launch,
  /** Names of jobs that exist, or that come earlier in the request; of children anywhere in the request. */
  depends_on: names,
  input_files: names,
  output_files: names,
  input_user_data: names,
  output_user_data: names,
});
export type AddedJob = z.infer<typeof addedJob>;

/** All of them or none. */
export const addJobs = z.strictObject({ workflow_key: key, jobs: z.array(addedJob).min(1).max(limits.createChunk) });
/** `is_new`: false for a job that the same request has added before. */
const addedJobReply = () => namedJobWithStatus().extend({ is_new: z.boolean() });
export const addJobsReply = () => z.strictObject({ workflow_key: key, jobs: z.array(addedJobReply()) });

/** What a running job adds to its workflow: all of them or none. */
export const addChildren = z.strictObject({
  /** The live attempt of the job that adds them. */
  attempt_key: key,
  /** The worker that runs it: set by the server when the job shows its own credential. */
  worker_id: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  jobs: z.array(addedJob).min(1).max(limits.children),
  /** Names of blocked jobs that will wait for all of them. */
  before: names,
  /** They do not wait for the job that adds them. */
  now: z.boolean(),
  dry_run: z.boolean(),
});
export const addChildrenReply = () =>
  z.strictObject({
    dry_run: z.boolean(),
    workflow_key: key,
    /** The job that adds them. */
    job_key: key,
    job_name: z.string(),
    before: z.array(namedJob()),
    jobs: z.array(addedJobReply()),
  });

export const deleteJobs = z.strictObject({
  job_keys: z.array(key).min(1).max(limits.listPage),
  /** Also every job that depends on them. */
  cascade: z.boolean(),
  dry_run: z.boolean(),
});
/** `jobs` are the first of them. */
export const deleteJobsReply = () =>
  z.strictObject({ dry_run: z.boolean(), workflow_key: key, num_jobs: count, jobs: z.array(namedJob()) });

export const addFile = z.strictObject({ workflow_key: key, name, path: text.min(1) });
export const addFileReply = () => z.strictObject({ file_key: key });
export const deleteFile = z.strictObject({ file_key: key });
export const deleteFileReply = () => z.strictObject({ file_key: key, name: z.string() });

export const addResourceRequirements = z.strictObject({
  workflow_key: key,
  name,
  ...changedResources,
  num_nodes: z.number().int().positive(),
  /** Null: not stated. */
  memory_bytes: z.number().int().positive().nullable(),
  expected_runtime_ms: changedResources.expected_runtime_ms.optional(),
  resources: namedResources.optional(),
});
export const addRequirementsReply = () => z.strictObject({ resource_requirements_key: key });
export const assignResourceRequirements = z.strictObject({
  resource_requirements_key: key,
  job_keys: z.array(key).min(1).max(limits.listPage),
});
export const assignRequirementsReply = () =>
  z.strictObject({ resource_requirements_key: key, name: z.string(), num_jobs: count });

export const addUserData = z.strictObject({ workflow_key: key, name, data: json(), is_ephemeral: z.boolean() });
export const addUserDataReply = () => z.strictObject({ user_data_key: key });
export const modifyUserData = z.strictObject({
  user_data_key: key,
  /** What is missing stays unchanged; null removes the data. */
  changes: z.strictObject({ data: json(), is_ephemeral: z.boolean() }).partial(),
});
/** `is_changed`: the data differ from before. */
export const modifyUserDataReply = () =>
  z.strictObject({ user_data_key: key, name: z.string(), is_changed: z.boolean(), version: count });
export const deleteUserData = z.strictObject({ user_data_key: key });
export const deleteUserDataReply = () => z.strictObject({ user_data_key: key, name: z.string() });
