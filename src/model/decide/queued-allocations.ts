/** Allocations without a worker so far, as far as jobs wait for them. */
import type { Requirements } from '../job.ts';
import { type NodeMinimum, noMinimum } from './node-minimum.ts';
import type { FreeNode } from './packing.ts';
import { type Belonging, mayTake, type Pool } from './pools.ts';
import type { WaitingReason } from './reason.ts';
import { dimensionsBeyond, largestOf, sizeOf } from './size.ts';

/** Those of one Slurm config that ask for the same. */
export interface QueuedAllocations {
  config: number;
  /** Missing for none. */
  minimum?: NodeMinimum;
  numAllocations: number;
  slurmReason: string | null;
  /** Slurm runs them, and their workers have not registered; missing for no. */
  hasStarted?: boolean;
}

interface Expected {
  configs: readonly { key: number; pool: Pool }[];
  queued: readonly QueuedAllocations[];
}

/** Those whose workers may take the job, whatever its size. */
export function comingFor(job: Belonging, { configs, queued }: Expected): QueuedAllocations[] {
  return queued.filter(({ config }) => configs.some(({ key, pool }) => key === config && mayTake(pool, job)));
}

/** Those that ask for enough of all that each of the `known` workers has too little of. */
export function largerComing(
  job: Belonging & { need: Requirements },
  known: readonly FreeNode[],
  expected: Expected,
): QueuedAllocations[] {
  const needed = sizeOf(job.need);
  const short = dimensionsBeyond(largestOf(known), needed);
  if (short.length === 0) return [];
  return comingFor(job, expected).filter(({ minimum = noMinimum }) => {
    const { numCpus, memoryBytes, numGpus } = minimum;
    const least = { num_cpus: numCpus ?? 0, memory_bytes: memoryBytes ?? 0, num_gpus: numGpus ?? 0, num_nodes: 0 };
    return !dimensionsBeyond(least, needed).some((dimension) => short.includes(dimension));
  });
}

/** Of those that have started, where there are any: their workers come first. */
export function waitsFor(all: readonly QueuedAllocations[]): WaitingReason {
  const started = all.filter(({ hasStarted }) => hasStarted);
  const coming = started.length > 0 ? started : all;
  const num_allocations = coming.reduce((sum, { numAllocations }) => sum + numAllocations, 0);
  const slurm_reason = coming.find(({ slurmReason }) => slurmReason !== null)?.slurmReason ?? null;
  return { code: 'waits_for_allocation', num_allocations, slurm_reason, has_started: started.length > 0 };
}
