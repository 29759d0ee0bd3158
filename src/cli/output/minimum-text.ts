/** What the nodes of an allocation must have at least, in words. */
import type { Reply } from '../../api/contract.ts';
import { counted } from '../../base/text.ts';
import { formatMemory } from '../../base/units.ts';

type Minimum = Reply<'workflow_autoscale'>['allocations'][number]['minimum'];

/** `at least 64 CPUs and 256G of memory`; null where nothing is asked for. */
export function minimumText(minimum: Minimum): string | null {
  if (minimum === null) return null;
  const { num_cpus, memory_bytes, num_gpus } = minimum;
  const parts = [
    ...(num_cpus === null ? [] : [counted(num_cpus, 'CPU')]),
    ...(memory_bytes === null ? [] : [`${formatMemory(memory_bytes)} of memory`]),
    ...(num_gpus === null ? [] : [counted(num_gpus, 'GPU')]),
  ];
  return `at least ${parts.join(' and ')}`;
}
