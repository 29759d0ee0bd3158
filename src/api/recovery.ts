/** Recovery: a restart that also brings back failed jobs, with larger requests where these were too small. */
import { z } from 'zod';
import { failureKinds, mostRecoveries } from '../model/decide/recovery.ts';
import { count, instant, key } from './fields.ts';
import { nodeMinimum } from './slurm.ts';

const factor = z.number().gt(1).max(1000);

/** A null factor leaves the jobs that ran out of it as they are. */
export const recover = z.strictObject({
  memory_factor: factor.nullable(),
  runtime_factor: factor.nullable(),
  /** Jobs that failed for other reasons run again, as they are. */
  retry_unknown: z.boolean(),
  /** The recovery that is due by itself, which is noted; refused with 'conflict' when none is. */
  automatic: z.boolean().optional(),
});

/** What is missing stays as it was, or gets its default. */
export const recoverySettings = z
  .strictObject({
    max_recoveries: count.min(1).max(mostRecoveries),
    memory_factor: factor,
    runtime_factor: factor,
    retry_unknown: z.boolean(),
  })
  .partial();

/** How a workflow recovers by itself. */
export const recoveryShown = () =>
  z.strictObject({
    max_recoveries: count,
    memory_factor: z.number(),
    runtime_factor: z.number(),
    retry_unknown: z.boolean(),
    /** Since a person has set it. */
    num_recoveries: count,
    /** Null while none is due. */
    next_at: instant.nullable(),
  });
export type RecoveryShown = z.infer<ReturnType<typeof recoveryShown>>;

/** Memory in bytes, runtime in seconds. */
const scaledJob = () =>
  z.strictObject({
    job_key: key,
    job_name: z.string(),
    field: z.enum(['memory_bytes', 'runtime_seconds']),
    /** Null where nothing was stated. */
    old_value: z.number().nullable(),
    new_value: z.number(),
    /** What the rule or the factor says. */
    wanted_value: z.number().nullable(),
    limited_by: z.enum(['max', 'scheduler', 'list']).nullable(),
    /** The Slurm config that the job moves to. */
    scheduler: z.string().nullable(),
    why: z.string(),
  });

export const recovered = () =>
  z.strictObject({
    groups: z.array(
      z.strictObject({
        kind: z.enum(failureKinds),
        num_jobs: count,
        num_recovered: count,
        /** For jobs without a rule of their own. */
        factor: z.number().nullable(),
      }),
    ),
    /** The first of the jobs whose requests grow. */
    scaled: z.array(scaledJob()),
    num_scaled: count,
    /**
     * Where nodes come from: the autoscaler or the actions of the workflow ask for them; `earlier`: they are submitted as
     * the earlier ones were; `nobody`: nothing says how.
     */
    nodes_by: z.enum(['autoscaler', 'actions', 'earlier', 'nobody']),
    /** What ready jobs need beyond what is there. */
    nodes: z.array(
      z.strictObject({
        slurm_config_key: key,
        slurm_config: z.string(),
        num_allocations: count,
        num_nodes: count,
        one_worker_per_node: z.boolean(),
        /** Of each node, where that is more than the Slurm config asks for. */
        minimum: nodeMinimum.nullable(),
      }),
    ),
    /** Of the newest allocation; null without one. */
    output_directory: z.string().nullable(),
  });
export type Recovered = z.infer<ReturnType<typeof recovered>>;
