/** Failure handlers of workflows: what follows a failure. */
import { z } from 'zod';
import { retryCauses } from '../model/retry.ts';
import { count, name, text } from './fields.ts';

/** A hundred years, as in specifications: now plus this is still a date. */
export const delay = count.max(36_525 * 86_400_000);

const factor = z.number().gt(1).max(1000);
const growth = z.union([
  z.strictObject({ factor }),
  z.strictObject({ values: z.array(count.min(1)).min(1).max(100) }),
  z.strictObject({ peak: factor }),
]);
const scale = z.strictObject({
  memory: growth.optional(),
  runtime: growth.optional(),
  max: z.strictObject({ memory: count.min(1).optional(), runtime: count.min(1).optional() }).optional(),
});

/** What follows a failure: the first rule that matches the return code or the cause decides. */
const failureRule = z.strictObject({
  exit_codes: z.array(z.number().int().min(1).max(255)),
  match_all_exit_codes: z.boolean(),
  causes: z.array(z.enum(retryCauses)).optional(),
  /** Shell text that must succeed before the next attempt starts. */
  recovery_script: text.nullable(),
  /** Further attempts after the first. */
  max_retries: count,
  /** How long the next attempt waits, the factor by which each further one waits longer, and the longest wait. */
  retry_delay_ms: delay.optional(),
  retry_backoff: z.number().min(1).max(1000).optional(),
  retry_max_delay_ms: delay.optional(),
  /** How what was exceeded grows before the next attempt: memory in bytes, runtime in milliseconds. */
  scale: scale.optional(),
});

export const failureHandler = z.strictObject({
  name,
  rules: z.array(failureRule),
  /** Written as `max_retries`, `retry_delay` and `retry_backoff` of jobs. */
  is_plain: z.boolean().optional(),
});
