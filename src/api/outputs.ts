/** Where many jobs have left what they wrote. */
import { z } from 'zod';
import { jobStatuses } from '../model/status.ts';
import { shownAttempt } from './attempt-records.ts';
import { count, key } from './fields.ts';
import { limits } from './limits.ts';

/**
 * Jobs by their keys, of any workflow if it is null; or the failed ones of a workflow: those with a return code other than
 * 0, those that were stopped, and those that were lost for good. `after`: only jobs with a larger key.
 */
export const askOutputs = z.strictObject({
  workflow_key: key.nullable(),
  job_keys: z.array(key).max(limits.listPage).nullable(),
  /** Every attempt of each, oldest first, instead of the newest. */
  all_attempts: z.boolean(),
  after: key.nullable(),
  limit: z.number().int().positive().max(limits.outputsPage),
});

const jobOutputs = () =>
  z.strictObject({
    job: z.strictObject({
      job_key: key,
      workflow_key: key,
      name: z.string(),
      command: z.string(),
      status: z.enum(jobStatuses),
      orphaned: z.boolean(),
      run_id: count.nullable(),
      attempt_id: count.nullable(),
    }),
    /** None before it has started. What they left for other jobs (`result`) is left out. */
    attempts: z.array(shownAttempt()),
  });
export type JobOutputs = z.infer<ReturnType<typeof jobOutputs>>;

/** In the order of the keys. */
export const outputsReply = () => z.strictObject({ jobs: z.array(jobOutputs()), more: z.boolean() });

/** The failed jobs of a workflow, as for `jobs_outputs`. */
export const askFailedOutputs = z.strictObject({
  workflow_key: key,
  after: key.nullable(),
  limit: z.number().int().positive().max(limits.listPage),
});

/** What groups of failures are made of, and no more: there may be thousands. */
const failedOutput = () =>
  z.strictObject({
    job_key: key,
    job_name: z.string(),
    /** The newest; null for a job that has not started. */
    attempt: shownAttempt()
      .pick({ job_key: true, run_id: true, attempt_id: true, return_code: true, cause: true, hostname: true })
      .extend(shownAttempt().pick({ memory_bytes: true, inherited_from: true, log_kind: true }).shape)
      .extend(shownAttempt().pick({ log_offset: true, log_length: true, stdout_path: true, stderr_path: true }).shape)
      .nullable(),
  });
export type FailedOutput = z.infer<ReturnType<typeof failedOutput>>;

/** In the order of the keys. */
export const failedOutputsReply = () => z.strictObject({ jobs: z.array(failedOutput()), more: z.boolean() });
