/**
 * What the nodes of an allocation must have at least. Where a partition gives whole nodes of several sizes, Slurm chooses
 * any of them for a Slurm config that asks for nothing; for a job that fits only the larger ones its allocation asks.
 */
import type { NodeSize } from './node-size.ts';

/** Null: whatever the Slurm config gives. */
export type NodeMinimum = { readonly [K in keyof NodeSize]: number | null };

export const noMinimum: NodeMinimum = { numCpus: null, memoryBytes: null, numGpus: null };

/** Nodes of one size among which a minimum chooses. */
export interface ChosenNodes extends NodeSize {
  partition: string;
  numNodes: number;
  /** What Slurm gives of its memory to an allocation that asks for none. */
  unaskedMemoryBytes: number;
}

/** What each of them has. */
export function leastOf(sizes: readonly NodeSize[]): NodeSize {
  return {
    numCpus: Math.min(...sizes.map(({ numCpus }) => numCpus)),
    memoryBytes: Math.min(...sizes.map(({ memoryBytes }) => memoryBytes)),
    numGpus: Math.min(...sizes.map(({ numGpus }) => numGpus)),
  };
}

/** What nodes surely have that have at least `size` without it; null while that is not known. */
export function withMinimum(size: NodeSize | null, minimum: NodeMinimum = noMinimum): NodeSize | null {
  if (size === null) return null;
  return {
    numCpus: Math.max(size.numCpus, minimum.numCpus ?? 0),
    memoryBytes: Math.max(size.memoryBytes, minimum.memoryBytes ?? 0),
    numGpus: Math.max(size.numGpus, minimum.numGpus ?? 0),
  };
}

/**
 * The minimum with which Slurm chooses among all nodes that `suits` is true for, and no others: what each of them has, where
 * that is more than `size`, which all nodes have. Null where no partition has so many of them.
 */
export function minimumFor(
  nodes: readonly ChosenNodes[],
  size: NodeSize,
  numNodes: number,
  suits: (size: NodeSize) => boolean,
): NodeMinimum | null {
  const suitable = nodes.filter(suits);
  const numIn = (name: string): number =>
    suitable.reduce((sum, one) => sum + (one.partition === name ? one.numNodes : 0), 0);
  const enough = suitable.filter(({ partition }) => numIn(partition) >= numNodes);
  if (enough.length === 0) return null;
  const least = leastOf(enough);
  const unasked = { ...least, memoryBytes: Math.min(...enough.map((node) => node.unaskedMemoryBytes)) };
  return moreThan(size, suits(unasked) ? unasked : least);
}

/** What of `wanted` is more than `size`. */
export function moreThan(size: NodeSize, wanted: NodeSize): NodeMinimum {
  const more = (field: keyof NodeSize): number | null => (wanted[field] > size[field] ? wanted[field] : null);
  return { numCpus: more('numCpus'), memoryBytes: more('memoryBytes'), numGpus: more('numGpus') };
}

/** In the words of the wire; null where it asks for nothing. */
export function minimumRecord(
  minimum: NodeMinimum = noMinimum,
): { num_cpus: number | null; memory_bytes: number | null; num_gpus: number | null } | null {
  const { numCpus, memoryBytes, numGpus } = minimum;
  return isAsking(minimum) ? { num_cpus: numCpus, memory_bytes: memoryBytes, num_gpus: numGpus } : null;
}

/** Whether it asks for anything. */
export function isAsking(minimum: NodeMinimum): boolean {
  return minimum.numCpus !== null || minimum.memoryBytes !== null || minimum.numGpus !== null;
}
