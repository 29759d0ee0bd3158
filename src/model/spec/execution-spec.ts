/** How a specification says that jobs are carried out: Slurm schedulers, and the execution config of torc 1.0. */
import { z } from 'zod';
import { parseWalltime } from '../../base/units.ts';
import { monitorGranularities, stdioModes, terminationSignals } from '../expanded.ts';
import { mostLabels } from '../labels.ts';
import { torcStdioModes } from '../launch.ts';
import { count, flag, givenLabel, name, namedResources, positive, readable, text } from './spec-values.ts';

export const slurmScheduler = z.strictObject({
  name: name.nullish(),
  account: name.nullish(),
  partition: text.nullish(),
  qos: text.nullish(),
  walltime: readable((value) => void parseWalltime(value)).nullish(),
  nodes: positive.nullish(),
  ntasks_per_node: positive.nullish(),
  mem: text.nullish(),
  gres: text.nullish(),
  tmp: text.nullish(),
  extra: text.nullish(),
  /** What its workers are given: they then take only jobs that ask for labels. */
  labels: z.array(givenLabel).max(mostLabels).nullish(),
  also_unlabelled: flag.nullish(),
  /** Of each of its nodes, besides those that `gres` names. */
  resources: namedResources.nullish(),
  /** Of torc 1.0; read, without an effect. */
  serialize_allocations: flag.nullish(),
});

const granularity = z.enum(monitorGranularities).nullish();

export const resourceMonitor = z.looseObject({
  enabled: flag.nullish(),
  granularity,
  sample_interval_seconds: positive.nullish(),
  generate_plots: flag.nullish(),
  /** Where torc 1.0 has the first two. */
  jobs: z.strictObject({ enabled: flag.nullish(), granularity }).nullish(),
  /** Read, without an effect. */
  compute_node: z
    .strictObject({ enabled: flag.nullish(), granularity, cpu: flag.nullish(), memory: flag.nullish() })
    .nullish(),
  flush_interval_seconds: positive.nullish(),
});

const torcStdio = z.strictObject({ mode: z.enum(torcStdioModes).nullish(), delete_on_success: flag.nullish() });

/** A word of ours, or a mapping in the words of torc 1.0. */
export const jobStdio = z.union(
  [z.enum(stdioModes), torcStdio],
  `one of ${stdioModes.join(', ')}, or a mapping with mode and delete_on_success`,
);

const exitCode = z.int().min(1).max(255).nullish();

/** Of torc 1.0; those without a counterpart are read and reported. */
export const executionConfig = z.strictObject({
  mode: z.enum(['direct', 'slurm', 'auto']).nullish(),
  termination_signal: z.enum(terminationSignals).nullish(),
  sigterm_lead_seconds: count.max(1_000_000).nullish(),
  sigkill_headroom_seconds: count.max(1_000_000).nullish(),
  timeout_exit_code: exitCode,
  oom_exit_code: exitCode,
  limit_resources: flag.nullish(),
  staggered_start: flag.nullish(),
  srun_termination_signal: text.nullish(),
  enable_cpu_bind: flag.nullish(),
  srun_mpi: text.nullish(),
  stdio: torcStdio.nullish(),
});

export const dynamicJobs = z.strictObject({ max_iterations: count.nullish() });

export type ExecutionConfig = z.infer<typeof executionConfig>;
