/** Why an autoscaler asks for nodes or does not, as data in the words of the wire. `scalingText` renders it. */
import { z } from 'zod';

const count = z.number().int().nonnegative();

const scalingReasons = () =>
  [
    z.strictObject({ code: z.literal('not_running') }),
    z.strictObject({ code: z.literal('paused') }),
    z.strictObject({ code: z.literal('no_config') }),
    z.strictObject({ code: z.literal('nothing_ready'), num_blocked: count }),
    /** What is there, or queued, takes everything that is ready. */
    z.strictObject({ code: z.literal('enough'), num_queued: count }),
    z.strictObject({ code: z.literal('submits'), num_allocations: count }),
    z.strictObject({ code: z.literal('at_max'), max_nodes: count }),
    z.strictObject({ code: z.literal('at_max_queued'), max_queued: count }),
    /** Jobs that no Slurm config of the workflow has room or time for. */
    z.strictObject({ code: z.literal('fits_no_config'), num_jobs: count }),
    z.strictObject({
      code: z.literal('backs_off'),
      num_failed: count,
      until: z.string(),
      last_failure: z.string(),
    }),
    /** After so many failed starts in a row, a single allocation shows whether they work again. */
    z.strictObject({ code: z.literal('tries_one'), num_failed: count }),
    /** So many calls of Slurm's commands were made in the last minute. */
    z.strictObject({ code: z.literal('too_many_calls'), calls_per_minute: count, until: z.string() }),
  ] as const;

export const scalingReason = () => z.discriminatedUnion('code', scalingReasons());
export type ScalingReason = z.infer<ReturnType<typeof scalingReason>>;
