/** Where jobs can run: kinds of nodes of partitions, and why none of them is right for a job. */
import { leastOf, moreThan, type NodeMinimum } from '../decide/node-minimum.ts';
import { type FreeNode, fits, idleWorker, type Offer, take } from '../decide/packing.ts';
import type { Size } from '../decide/reason.ts';
import { dimensionsBeyond, largestOf, sizeOf } from '../decide/size.ts';
import { type Dimension, packedMs } from '../job.ts';
import { type Amounts, amountsIn } from '../named-resources.ts';
import type { JobGroup } from './groups.ts';
import { needOf } from './need.ts';
import { numGpusOf } from './nodes.ts';
import type { NodeKind, Partition, SiteProfile } from './site.ts';

/** Nodes of one kind in a partition. */
export interface Place {
  partition: Partition;
  kind: NodeKind;
  /** What a worker has on one node. */
  numCpus: number;
  memoryBytes: number;
  numGpus: number;
  /** Of one allocation. */
  longestMs: number | null;
  /** Nodes that can be used at a time. */
  numUsable: number;
  /** Nodes of one allocation. */
  mostNodes: number;
}

/** The places of a site that are up, those that people use for usual jobs first. */
export function placesOf({ partitions }: SiteProfile, only: string | null): Place[] {
  return partitions
    .filter(({ name, is_up }) => (only === null ? is_up : name === only))
    .flatMap((partition) => partition.nodes.map((kind) => placeOf(partition, kind)))
    .filter(({ numUsable }) => numUsable > 0)
    .sort(compareUsual);
}

/** Nodes of a kind, whatever state they are in now. */
export function placeOf(partition: Partition, kind: NodeKind): Place {
  const { max_time_seconds, max_nodes, max_cpus_per_node, max_memory_bytes_per_node } = partition;
  return {
    partition,
    kind,
    numCpus: Math.min(kind.num_cpus, max_cpus_per_node ?? kind.num_cpus),
    memoryBytes: Math.min(kind.memory_bytes, max_memory_bytes_per_node ?? kind.memory_bytes),
    numGpus: numGpusOf(kind),
    longestMs: max_time_seconds === null ? null : max_time_seconds * 1000,
    numUsable: kind.num_usable,
    mostNodes: Math.min(kind.num_usable, max_nodes ?? kind.num_usable),
  };
}

/** Where a place has more than the smallest nodes of its partition: what an allocation there must ask for. */
export function minimumOf({ partition, kind: _, ...place }: Place): NodeMinimum {
  const kinds = partition.nodes.map((kind) => placeOf(partition, kind));
  return moreThan(leastOf(kinds), place);
}

/** Without GPUs, the default partition, small nodes, many of them. */
function compareUsual(a: Place, b: Place): number {
  return (
    Number(a.numGpus > 0) - Number(b.numGpus > 0) ||
    Number(b.partition.is_default) - Number(a.partition.is_default) ||
    a.memoryBytes - b.memoryBytes ||
    b.numUsable - a.numUsable
  );
}

/** What a worker of so many nodes there offers. */
export function offerOf(place: Place, numNodes: number, maxParallelJobs: number | null, withGpus: boolean): Offer {
  const { numCpus, memoryBytes, numGpus } = place;
  return { numNodes, numCpus, memoryBytes, numGpus: withGpus ? numGpus : 0, maxParallelJobs };
}

/** How many jobs of a group fit at once on a worker there; 0 for none. */
export function jobsAtOnce(group: Pick<JobGroup, 'need' | 'runtimeMs'>, offer: Offer): number {
  const free: FreeNode = idleWorker(offer, null);
  const need = needOf(group);
  let number = 0;
  for (; number < mostAtOnce && fits(free, need); number++) take(free, need);
  return number;
}
const mostAtOnce = 4096;

/** The first of the usual places where a group can run. */
export function choosePlace(
  group: Pick<JobGroup, 'need' | 'runtimeMs' | 'supportsTermination'>,
  places: readonly Place[],
  { longestMs, mostNodes }: { longestMs: number | null; mostNodes: number | null },
): Place | Misfit {
  if (places.length === 0) return { code: 'no_nodes' };
  const { need } = group;
  const nodes = (place: Place) => Math.min(place.mostNodes, mostNodes ?? place.mostNodes);
  // more nodes than it needs would only be listed
  const large = places.filter((place) =>
    fits(idleWorker(offerOf(place, Math.min(nodes(place), need.numNodes), null, true), null), needOf(group)),
  );
  if (large.length === 0 && need.resources !== undefined) {
    return { code: 'needs_named_resources', resources: amountsIn(need.resources) };
  }
  if (large.length === 0) {
    const idle = places.map((place) => idleWorker(offerOf(place, nodes(place), null, true), null));
    const [needed, largest] = [sizeOf(need), largestOf(idle)];
    return { code: 'larger_than_any_node', needed, largest, dimensions: dimensionsBeyond(largest, needed) };
  }
  const limit = (place: Place) => Math.min(place.longestMs ?? forever, longestMs ?? forever);
  const runtimeMs = packedMs(needOf(group));
  const long = large.filter((place) => group.supportsTermination || runtimeMs <= limit(place));
  if (long.length === 0) {
    const longest = large.toSorted((a, b) => limit(b) - limit(a))[0] as Place;
    const { partition } = longest;
    return {
      code: 'outlasts_partitions',
      runtime_seconds: runtimeMs / 1000,
      longest_seconds: limit(longest) / 1000,
      partition: partition.name,
    };
  }
  // GPUs are for jobs that ask for them, unless there is nothing else; those take the fewest that do
  return need.gpuThousandths === 0 ? (long[0] as Place) : (long.toSorted(compareGpus)[0] as Place);
}

const forever = Number.MAX_SAFE_INTEGER;

function compareGpus(a: Place, b: Place): number {
  return Number(b.partition.is_default) - Number(a.partition.is_default) || a.numGpus - b.numGpus;
}

/** Why jobs can run nowhere. */
export type Misfit =
  | { code: 'no_nodes' }
  | { code: 'needs_named_resources'; resources: Amounts }
  | { code: 'larger_than_any_node'; needed: Size; largest: Size; dimensions: Dimension[] }
  | { code: 'outlasts_partitions'; runtime_seconds: number; longest_seconds: number; partition: string };
