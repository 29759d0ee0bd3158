/** What jobs use against what they ask for. */
import { z } from 'zod';
import { count, key } from './fields.ts';

export const askUsage = z.strictObject({ workflow_key: key });

/** Null where it is not known; `requested` is null where nothing is stated. */
const measure = () =>
  z.strictObject({
    requested: z.number().nullable(),
    min: z.number().nullable(),
    median: z.number().nullable(),
    p95: z.number().nullable(),
    max: z.number().nullable(),
    proposed: z.number().nullable(),
    /** `under_half`: no attempt used half of the request. `exceeded`: one used more. */
    finding: z.enum(['under_half', 'exceeded']).nullable(),
  });

export const usageReply = () =>
  z.strictObject({
    usage: z.array(
      z.strictObject({
        /** The names of the jobs with * for each number. */
        stem: z.string(),
        /** Attempts that succeeded, or ran out of memory or time. */
        num_attempts: count,
        num_oom: count,
        num_timeouts: count,
        memory_bytes: measure(),
        num_cpus: measure(),
        runtime_seconds: measure(),
      }),
    ),
  });
export type UsageRow = z.infer<ReturnType<typeof usageReply>>['usage'][number];
