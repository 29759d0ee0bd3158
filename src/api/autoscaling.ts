/** Autoscalers: workflows that ask for nodes by themselves. */
import { z } from 'zod';
import { leastWalltimeSeconds, mostOfAutoscaler } from '../model/decide/autoscaling-maximum.ts';
import { scalingReason } from '../model/decide/autoscaling-reason.ts';
import { count, instant, key, slurmJobId, text } from './fields.ts';
import { nodeMinimum } from './slurm.ts';

const nodes = count.min(1).max(mostOfAutoscaler);
const seconds = count.min(leastWalltimeSeconds).max(36_525 * 86_400);

export const autoscaleWorkflow = z.strictObject({
  workflow_key: key,
  dry_run: z.boolean(),
  /** Null turns the autoscaler off. A missing one stays as it is, or gets its default. */
  settings: z
    .strictObject({
      min_nodes: count.max(mostOfAutoscaler),
      max_nodes: nodes,
      max_queued: nodes,
      idle_seconds: count.max(36_525 * 86_400),
      /** Null: as long as what is left needs, at most that of the Slurm config. */
      walltime_seconds: seconds.nullable(),
      /** Null: any of the workflow's. */
      slurm_config_key: key.nullable(),
      /** Null: that of the Slurm config. */
      nodes_per_allocation: nodes.nullable(),
      max_parallel_jobs: nodes.nullable(),
      /** One allocation runs at a time, and the next one is queued while it works. */
      is_chain: z.boolean(),
      /** Needed when there is no autoscaler yet. */
      output_directory: text.regex(/^\//, 'is not an absolute path'),
    })
    .partial()
    .nullable(),
});

/** What a person has set, how many nodes there are, and the decision of the last look. */
export const autoscaler = () =>
  z.strictObject({
    min_nodes: count,
    max_nodes: count,
    max_queued: count,
    idle_seconds: count,
    walltime_seconds: count.nullable(),
    slurm_config_key: key.nullable(),
    slurm_config: z.string().nullable(),
    nodes_per_allocation: count.nullable(),
    max_parallel_jobs: count.nullable(),
    is_chain: z.boolean(),
    output_directory: z.string(),
    set_at: instant,
    /** Of all allocations of the workflow that are queued or running. */
    num_nodes: count,
    num_queued_allocations: count,
    /** Null before the first look. */
    reason: scalingReason().nullable(),
    explanation: z.string().nullable(),
  });
export type AutoscalerShown = z.infer<ReturnType<typeof autoscaler>>;

export const autoscaleReply = () =>
  z.strictObject({
    dry_run: z.boolean(),
    workflow_key: key,
    /** Null when it is off. */
    autoscaler: autoscaler().nullable(),
    /** What it does now; once it is set, the server does it. */
    allocations: z.array(
      z.strictObject({
        action: z.enum(['submit', 'cancel']),
        name: z.string(),
        slurm_config: z.string().nullable(),
        num_nodes: count,
        walltime_seconds: count,
        /** Of each node, where that is more than the Slurm config asks for. */
        minimum: nodeMinimum.nullable(),
        slurm_job_id: slurmJobId.nullable(),
      }),
    ),
    /** When it is off: queued allocations that it had asked for and that stay. */
    queued_slurm_job_ids: z.array(slurmJobId),
  });
export type AutoscalerChanges = z.infer<ReturnType<typeof autoscaleReply>>['allocations'];
