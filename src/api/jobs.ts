/** Requests about single jobs and what they refer to: shown, changed, added, deleted. */
import { z } from 'zod';
import type { Diagnosis } from '../model/decide/diagnosis.ts';
import type { Reason } from '../model/decide/reason.ts';
import { count, key, name, text } from './fields.ts';
import { limits } from './limits.ts';
import type { ListRecord } from './lists.ts';

export const diagnoseJobs = z.strictObject({ workflow_key: key, job_keys: z.array(key).nullable() });
export const showJob = z.strictObject({ job_key: key });
/** What a change may make of requirements; a runtime of null is one that nobody states. */
const changedResources = {
  num_cpus: z.number().int().positive(),
  memory_bytes: z.number().int().positive(),
  gpu_thousandths: count,
  runtime_ms: z.number().int().positive().nullable(),
};
export const modifyJob = z.strictObject({
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
export const modifyResourceRequirements = z.strictObject({
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
  /** Why it is not running now, as sentences; null when it runs. */
  why: string | null;
  /** The same as data, the nearest first; none when it runs. */
  reasons: Reason[];
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

const names = z.array(name).max(limits.listPage);

/** Names in commands (`${files.input.NAME}` ..) declare what they say, as in a specification. */
const addedJob = z.strictObject({
  name,
  command: text.min(1),
  invocation_script: text.nullable(),
  /** Of named requirements; null for the defaults. */
  resource_requirements: name.nullable(),
  /** Of the Slurm config whose workers alone take it; null for any worker. */
  scheduler: name.nullable(),
  failure_handler: name.nullable(),
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
export const addJobs = z.strictObject({ workflow_key: key, jobs: z.array(addedJob).min(1).max(limits.createChunk) });
export const deleteJobs = z.strictObject({
  job_keys: z.array(key).min(1).max(limits.listPage),
  /** Also every job that depends on them. */
  cascade: z.boolean(),
  dry_run: z.boolean(),
});
export const addFile = z.strictObject({ workflow_key: key, name, path: text.min(1) });
export const deleteFile = z.strictObject({ file_key: key });
export const addResourceRequirements = z.strictObject({
  workflow_key: key,
  name,
  ...changedResources,
  num_nodes: z.number().int().positive(),
  /** Null: nobody states how much. */
  memory_bytes: z.number().int().positive().nullable(),
});
export const assignResourceRequirements = z.strictObject({
  resource_requirements_key: key,
  job_keys: z.array(key).min(1).max(limits.listPage),
});

export const addUserData = z.strictObject({ workflow_key: key, name, data: z.json(), is_ephemeral: z.boolean() });
export const modifyUserData = z.strictObject({
  user_data_key: key,
  /** What is not there stays as it is; null removes the data. */
  changes: z.strictObject({ data: z.json(), is_ephemeral: z.boolean() }).partial(),
});
export const deleteUserData = z.strictObject({ user_data_key: key });
