/** What waits and why, by shape: for planning, not for single jobs. */
import { z } from 'zod';
import { waitingReason } from '../model/decide/reason.ts';
import { count, key } from './fields.ts';

/**
 * Of all workflows that are not archived when the key is null. With `only_obstacles`, blocked and uninitialized jobs that
 * only wait are left out: counting them takes long in a large workflow.
 */
export const askDemand = z.strictObject({ workflow_key: key.nullable(), only_obstacles: z.boolean().optional() });

const seconds = z.number().nonnegative();

/** Jobs that ask for the same and wait for the same reasons. Resources are for each node of a job. */
const demandRow = () =>
  z.strictObject({
    workflow_key: key,
    status: z.enum(['uninitialized', 'blocked', 'ready']),
    num_jobs: count,
    num_cpus: count,
    memory_bytes: count,
    num_gpus: z.number(),
    num_nodes: count,
    /** Named resources, by name. */
    resources: z.record(z.string(), count),
    /** What they are packed with: the expected runtime, else the stated one; null without either. */
    runtime_seconds: seconds.nullable(),
    /** The median of those that ended lately; null while too few have. */
    expected_runtime_seconds: seconds.nullable(),
    /** Their runtime does not keep them from starting. */
    supports_termination: z.boolean(),
    /** Only workers of this Slurm config may take them; null for any worker. */
    slurm_config_key: key.nullable(),
    slurm_config: z.string().nullable(),
    /** Only workers with all of them may take them. */
    labels: z.string().nullable(),
    /** Limits under which they run, separated by commas. */
    limits: z.string().nullable(),
    reasons: z.array(waitingReason()),
  });
export type DemandRow = z.infer<ReturnType<typeof demandRow>>;

/** `more`: rows beyond the 10,000 of a reply are left out. */
export const demandReply = () => z.strictObject({ demand: z.array(demandRow()), more: z.boolean() });
export type DemandReply = z.infer<ReturnType<typeof demandReply>>;
