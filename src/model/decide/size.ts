/** Sizes of jobs and workers in the words of the wire, and where one is beyond the other. */
import { type Dimension, dimensions, type Requirements } from '../job.ts';
import type { FreeNode } from './packing.ts';
import type { Size } from './reason.ts';

const columnOf = {
  cpus: 'num_cpus',
  memory: 'memory_bytes',
  gpus: 'num_gpus',
  nodes: 'num_nodes',
} as const satisfies Record<Dimension, keyof Size>;

/** What a job asks for. */
export function sizeOf(need: Pick<Requirements, 'numCpus' | 'memoryBytes' | 'gpuThousandths' | 'numNodes'>): Size {
  return {
    num_cpus: need.numCpus,
    memory_bytes: need.memoryBytes,
    num_gpus: need.gpuThousandths / 1000,
    num_nodes: need.numNodes,
  };
}

/** The most that any of the idle workers has of each dimension. */
export function largestOf(idle: readonly FreeNode[]): Size {
  const most = (value: (each: FreeNode) => number): number => Math.max(0, ...idle.map(value));
  return {
    num_cpus: most(({ wholeNode }) => wholeNode.numCpus),
    memory_bytes: most(({ wholeNode }) => wholeNode.memoryBytes),
    num_gpus: most(({ gpus }) => gpus.length),
    num_nodes: most(({ idleNodes }) => idleNodes.length),
  };
}

/** The dimensions in which `needed` is more than `largest`. */
export function dimensionsBeyond(largest: Size, needed: Size): Dimension[] {
  return dimensions.filter((dimension) => needed[columnOf[dimension]] > largest[columnOf[dimension]]);
}
