/** Requests that plan before they change: restart, reset, disable; and what a plan looks like. */
import { z } from 'zod';
import type { Diagnosis } from '../model/decide/diagnosis.ts';
import { count, key, text } from './fields.ts';

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

/** `all`, those whose last result has a return code other than 0, or the jobs named; each with all behind it. */
const jobsToReset = z.union([z.enum(['all', 'failed']), z.array(key).min(1)]);

export const restart = z.strictObject({
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
  /** Of a dry run: what it looks like once these jobs were reset. */
  after_reset: jobsToReset.optional(),
  /** Against which relative paths are read when no worker has run yet; absolute. */
  working_directory: text.min(1),
});
export const resetJobs = z.strictObject({ workflow_key: key, ...planOptions, which: jobsToReset });
export const disableJobs = z.strictObject({ workflow_key: key, ...planOptions, job_keys: z.array(key).min(1) });
export const stopRunning = z.strictObject({ workflow_key: key, stop: z.boolean() });

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
