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
