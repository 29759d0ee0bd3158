/** Slurm configs and allocations. */
import { z } from 'zod';
import { count, key, labels, name, namedResources, slurmJobId, text } from './fields.ts';
import { limits } from './limits.ts';

export const slurmConfigFields = {
  account: text,
  partition: text.nullable(),
  qos: text.nullable(),
  walltime_seconds: z.number().int().positive(),
  num_nodes: z.number().int().positive(),
  ntasks_per_node: z.number().int().positive().nullable(),
  mem: text.nullable(),
  tmp: text.nullable(),
  gres: text.nullable(),
  extra: text.nullable(),
  /** What its workers are given; missing for none. */
  labels: labels.optional(),
  /** Its workers take jobs without labels although they were given some. */
  also_unlabelled: z.boolean().optional(),
  /** Its place among the configs that jobs take when they have outgrown their own; missing or null for none. */
  fallback_order: z.number().int().nonnegative().nullable().optional(),
  /** Named resources of each of its nodes, besides those that `gres` names; missing for none. */
  resources: namedResources.optional(),
};

export const addSlurmConfig = z.strictObject({ workflow_key: key, name, ...slurmConfigFields });
export const slurmConfigReply = () => z.strictObject({ slurm_config_key: key });

export const modifySlurmConfig = z.strictObject({
  slurm_config_key: key,
  changes: z.strictObject({ name, ...slurmConfigFields }).partial(),
});

/** What each node of an allocation must have at least; null for whatever the Slurm config gives. */
export const nodeMinimum = z.strictObject({
  num_cpus: count.min(1).nullable(),
  memory_bytes: count.min(1).nullable(),
  num_gpus: count.min(1).nullable(),
});

export const recordAllocations = z.strictObject({
  workflow_key: key,
  slurm_config_key: key,
  allocations: z
    .array(
      z.strictObject({
        /** Unique name given to sbatch, by which an unconfirmed submission is found again. */
        name,
        num_nodes: z.number().int().positive(),
        one_worker_per_node: z.boolean(),
        /** Of each node, where that is more than the Slurm config asks for. */
        minimum: nodeMinimum.optional(),
        script_path: text,
        output_directory: text,
      }),
    )
    .min(1)
    .max(limits.listPage),
});
export const recordAllocationsReply = () => z.strictObject({ allocation_keys: z.array(key) });

export const confirmAllocation = z.strictObject({
  allocation_key: key,
  /** Null with an error: sbatch refused it. */
  slurm_job_id: slurmJobId.nullable(),
  cluster: text.nullable(),
  error: text.nullable(),
});
export const confirmAllocationReply = () => z.strictObject({ allocation_key: key });
