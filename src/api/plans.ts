/** Requests that plan before they change something, and their plans. */
import { z } from 'zod';
import { diagnosis } from '../model/decide/diagnosis-fields.ts';
import { jobStatuses } from '../model/status.ts';
import { count, key, name, self, text } from './fields.ts';
import { recover, recovered } from './recovery.ts';
import { resume, takenOver } from './resume.ts';
import { jobNames } from './selection.ts';

/**
 * For every plan: with `dry_run` it is only returned, and nothing changes. `expected_state` is the `state` of an
 * earlier plan: when the workflow has changed since, this one is refused with 'conflict'. `skip` leaves out the first
 * changes of the reply, so that a long plan can be read in pages.
 */
const planOptions = {
  dry_run: z.boolean(),
  expected_state: z.string().nullable(),
  skip: count,
};

/**
 * `all`, those whose last result has a return code other than 0, those that have not succeeded (without the disabled
 * ones), or the named jobs; each with all downstream jobs.
 */
const jobsToReset = z.union([z.enum(['all', 'failed', 'unfinished']), z.array(key)]);

/** Jobs by their keys, by names and patterns, or both; at least one. */
const jobChoice = { job_keys: z.array(key), job_names: jobNames };

export const restart = z.strictObject({
  workflow_key: key,
  ...planOptions,
  /** Missing input files and user data are not a reason to refuse. */
  ignore_missing_data: z.boolean(),
  /** Only uninitialized jobs change. */
  only_uninitialized: z.boolean(),
  /** Running jobs continue; otherwise they are a reason to refuse. */
  keep_running: z.boolean(),
  /** Jobs of silent workers count as ended although nothing shows that they are. */
  force: z.boolean(),
  /** For a dry run: the plan once all running jobs were stopped. */
  assume_stopped: z.boolean(),
  /** For a dry run: the plan once these jobs were reset. */
  after_reset: jobsToReset.optional(),
  /** Failed jobs run again, and a pause ends. */
  resume: resume.optional(),
  /** Failed jobs run again as this says; what a person canceled stays so. */
  recover: recover.optional(),
  /** Relative paths are resolved against it where the workflow has no base directory yet; absolute. */
  working_directory: text.min(1),
});
export const resetJobs = z.strictObject({ workflow_key: key, ...planOptions, which: jobsToReset, job_names: jobNames });
export const disableJobs = z.strictObject({ workflow_key: key, ...planOptions, ...jobChoice });
export const cancelJobs = z.strictObject({ workflow_key: key, ...planOptions, ...jobChoice });
/** With `hold` false, jobs that were held are released. */
export const holdJobs = z.strictObject({
  workflow_key: key,
  ...planOptions,
  ...jobChoice,
  hold: z.boolean(),
});
export const markJobs = z.strictObject({ workflow_key: key, ...planOptions, ...jobChoice });
/**
 * A new workflow with the same jobs. `clone`: nothing is inherited. `rerun`: jobs that succeeded are done, with their
 * results; the changes are the jobs that run, by their keys in the source.
 */
export const copyWorkflow = z.strictObject({
  workflow_key: key,
  how: z.enum(['clone', 'rerun']),
  dry_run: z.boolean(),
  /** Of the new workflow; null for the name of the source. */
  name: name.nullable(),
  user: self,
});
/** With `stop` false, workers claim jobs again. */
export const stopRunning = z.strictObject({ workflow_key: key, stop: z.boolean() });
export const start = z.strictObject({
  workflow_key: key,
  dry_run: z.boolean(),
  /** Missing input files and user data are not a reason to refuse. */
  ignore_missing_data: z.boolean().optional(),
});
/** Cancels and deletes. */
export const planned = z.strictObject({ workflow_key: key, dry_run: z.boolean() });

/** One change of a plan; a dry run prints the same value as the command that applied the plan. */
const plannedChange = () =>
  z.strictObject({
    job_key: key,
    job_name: z.string(),
    old_status: z.enum(jobStatuses),
    new_status: z.enum(jobStatuses),
    reason: z.string(),
    /** Why a job has no result whose worker is gone. */
    diagnosis: diagnosis().nullable(),
  });
export type PlannedChange = z.infer<ReturnType<typeof plannedChange>>;

export const planReply = () =>
  z.strictObject({
    dry_run: z.boolean(),
    workflow_key: key,
    /** What the plan was made from; changes with every event of the workflow. */
    state: z.string(),
    /** At most `limits.planPage` changes; `num_changes` counts them all. */
    changes: z.array(plannedChange()),
    num_changes: count,
  });
export type Plan = z.infer<ReturnType<typeof planReply>>;

/** A job that a plan leaves unchanged although people may expect otherwise, and why. */
const keptJob = () =>
  z.strictObject({ job_key: key, job_name: z.string(), status: z.enum(jobStatuses), reason: z.string() });
export type KeptJob = z.infer<ReturnType<typeof keptJob>>;

/** The first of the jobs that stay unchanged, and how many there are. */
const keptJobs = () => ({ kept: z.array(keptJob()), num_kept: count });

/** Jobs that run or are done are not held. */
export const holdJobsReply = () => planReply().extend(keptJobs());
/** Jobs that have ended are not canceled; `num_stopping` of the others are asked to stop first. */
export const cancelJobsReply = () => planReply().extend({ num_stopping: count, ...keptJobs() });

const sharedOutputs = () => z.array(z.strictObject({ workflow_key: key, name: z.string(), path: z.string() }));

export const restartReply = () =>
  planReply().extend({
    /** Whether there is something to run: otherwise no run begins, and `run_id` is the present run. */
    begins_run: z.boolean(),
    run_id: count,
    num_ready: count,
    num_blocked: count,
    /** Running jobs that continue. */
    num_running: count,
    /** Workflows whose run has not ended and that write the same files, each with one of them. */
    shared_outputs: sharedOutputs(),
    /** Where relative paths of declared files start. */
    base_directory: z.string(),
    /** Of the jobs that are done, those that run again because a declared file is missing, theirs or that of a job upstream. */
    missing_files: z.strictObject({ num_rerun: count, num_done: count }),
    /** Names of the ephemeral user data that is cleared. */
    cleared_user_data: z.array(z.string()),
    ...keptJobs(),
    /** Jobs of silent workers that count as ended because of `force`. */
    num_given_up: count,
    /** Of a resume: whether it ends a pause. */
    ends_pause: z.boolean(),
    /** Whether no job starts before somebody resumes the workflow. */
    is_paused: z.boolean(),
    /** Of a workflow that was created again; else null. */
    taken_over: takenOver().nullable(),
    /** Of a recovery; else null. */
    recovered: recovered().nullable(),
  });
export type RestartPlan = z.infer<ReturnType<typeof restartReply>>;

export const startReply = () =>
  planReply().extend({ run_id: count, num_ready: count, num_blocked: count, shared_outputs: sharedOutputs() });
export const cancelReply = () => planReply().extend({ num_stopping: count, slurm_job_ids: z.array(z.string()) });

export const deleteWorkflowReply = () =>
  z.strictObject({ dry_run: z.boolean(), workflow_key: key, num_jobs: count, num_results: count });

export const copyWorkflowReply = () =>
  z.strictObject({
    dry_run: z.boolean(),
    /** The new workflow; null in a dry run. */
    workflow_key: key.nullable(),
    name: z.string(),
    source_workflow_key: key,
    /** The source of a rerun; null for a clone. */
    parent_workflow_key: key.nullable(),
    num_jobs: count,
    /** Jobs that are done with the results of the source. */
    num_inherited: count,
    num_files: count,
    num_user_data: count,
    /** Of a rerun: at most `limits.planPage` of the jobs that run; `num_changes` counts them all. */
    changes: z.array(plannedChange()),
    num_changes: count,
  });

/**
 * How many attempts were asked to stop, and which jobs still occupy a worker. With `stop` false: how many go on after
 * all, and how many that had stopped are ready again.
 */
export const stopRunningReply = () =>
  z.strictObject({ num_stopping: count, num_going_on: count, num_back: count, running: z.array(keptJob()) });

/** With `paused` false, jobs start again. */
export const pauseWorkflow = z.strictObject({ workflow_key: key, paused: z.boolean() });
export const pauseReply = () =>
  z.strictObject({
    workflow_key: key,
    is_paused: z.boolean(),
    was_paused: z.boolean(),
    num_ready: count,
    num_running: count,
  });
