/** Why jobs fit nowhere on a cluster, in words. */
import { formatDuration, formatMemory } from '../../base/units.ts';
import type { Size } from '../../model/decide/reason.ts';
import type { Dimension } from '../../model/job.ts';
import { amountsText } from '../../model/named-resources.ts';
import type { Misfit } from '../../model/plan/places.ts';

const words: Record<Dimension, (size: Size) => string> = {
  cpus: ({ num_cpus }) => `${num_cpus} ${num_cpus === 1 ? 'CPU' : 'CPUs'}`,
  memory: ({ memory_bytes }) => `${formatMemory(memory_bytes)} of memory`,
  gpus: ({ num_gpus }) => `${num_gpus} ${num_gpus === 1 ? 'GPU' : 'GPUs'}`,
  nodes: ({ num_nodes }) => `${num_nodes} ${num_nodes === 1 ? 'node' : 'nodes'}`,
};

/** A clause about so many jobs. */
export function misfitText(misfit: Misfit, numJobs: number): string {
  const [they, ask] = numJobs === 1 ? ['it', 'asks'] : ['they', 'ask'];
  switch (misfit.code) {
    case 'no_nodes':
      return 'there are no usable nodes';
    case 'needs_named_resources':
      return `${they} ${ask} for ${amountsText(misfit.resources)}, and torc does not know which nodes have named resources`;
    case 'larger_than_any_node': {
      const { dimensions, needed, largest } = misfit;
      // each is there, but not all of them on one kind of nodes
      if (dimensions.length === 0) return `no kind of node has all that ${they} ${ask} for together`;
      const asked = dimensions.map((dimension) => words[dimension](needed)).join(' and ');
      const given = dimensions.map((dimension) => words[dimension](largest)).join(' and ');
      return `${they} ${ask} for ${asked}, and the most there is ${given}`;
    }
    case 'outlasts_partitions': {
      const { runtime_seconds, longest_seconds, partition } = misfit;
      return `${they} may run for ${formatDuration(runtime_seconds)}, and allocations of partition ${partition} last at most ${formatDuration(longest_seconds)}`;
    }
  }
}
