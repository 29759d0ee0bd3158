/** The waiting jobs of a workflow in groups, for planning allocations. */
import { z } from 'zod';
import { count, key } from './fields.ts';

export const askPlannedJobs = z.strictObject({ workflow_key: key });

const ms = z.number().nonnegative();

const plannedGroup = () =>
  z.strictObject({
    /** The name of the job that is ready before the others. */
    first_job: z.string(),
    /** From 1. */
    stage: count,
    num_jobs: count,
    num_cpus: count,
    memory_bytes: count,
    gpu_thousandths: count,
    num_nodes: count,
    /** The limit, where it is stated. */
    runtime_ms: ms,
    is_runtime_stated: z.boolean(),
    is_memory_stated: z.boolean(),
    /** What has to be left for a job to start; null for its runtime. */
    expected_ms: ms.nullable(),
    /** How long they are taken to run: what others like them took lately, else what they state. */
    taken_ms: ms,
    /** Whether that was seen or stated. */
    is_taken_known: z.boolean(),
    priority: z.number().int(),
    sort_rank: count,
    supports_termination: z.boolean(),
    /** Separated by commas; empty for none. */
    labels: z.string(),
    /** Named resources as `fpga=1,scratch_gb=200`; empty for none. */
    resources: z.string(),
    /** Only workers of this Slurm config take them; null for any. */
    slurm_config_key: key.nullable(),
    /** The number of the first job. */
    first_number: count,
    waits_for: z.array(z.strictObject({ group: count, per_job: z.number().nonnegative() })),
  });
export type PlannedGroup = z.infer<ReturnType<typeof plannedGroup>>;

export const plannedJobs = () =>
  z.strictObject({
    workflow_key: key,
    name: z.string(),
    num_jobs: count,
    expiration_buffer_seconds: z.number().nonnegative(),
    wait_for_new_jobs_seconds: z.number().nonnegative(),
    /** Null: there would be more than can be planned with. */
    groups: z.array(plannedGroup()).nullable(),
  });
