/** The place of each distinct request in claim order: what the workflow's `jobs_sort_method` means. */
import type { JobsSortMethod } from '../expanded.ts';
import { packedMs, type Requirements } from '../job.ts';

/**
 * Ranks for a list of requirements, by the method: the most demanding first, in the method's order of resources.
 * Equal requests get equal ranks; with `none` all ranks are equal, so that the stored order decides.
 */
export function sortRanks(method: JobsSortMethod, all: readonly Requirements[]): number[] {
  if (method === 'none') return all.map(() => 0);
  const demand = (r: Requirements): number[] =>
    method === 'gpus_runtime_memory'
      ? [r.gpuThousandths, packedMs(r), r.memoryBytes]
      : [r.gpuThousandths, r.memoryBytes, packedMs(r)];
  const order = [...all.keys()].sort((a, b) =>
    compareDemand(demand(all[b] as Requirements), demand(all[a] as Requirements)),
  );
  const ranks = new Array<number>(all.length).fill(0);
  let rank = 0;
  for (const [position, index] of order.entries()) {
    const previous = order[position - 1];
    if (
      previous !== undefined &&
      compareDemand(demand(all[previous] as Requirements), demand(all[index] as Requirements)) !== 0
    ) {
      rank = position;
    }
    ranks[index] = rank;
  }
  return ranks;
}

function compareDemand(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
