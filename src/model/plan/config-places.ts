/** What allocations of a Slurm config have, by what the config asks for and by what the cluster offers. */
import { isDeepStrictEqual } from 'node:util';
import { type ChosenNodes, leastOf } from '../decide/node-minimum.ts';
import { type NodeSize, type NodeTexts, nodeSize } from '../decide/node-size.ts';
import { type Place, placeOf } from './places.ts';
import type { NodeKind, Partition, SiteProfile } from './site.ts';

/** The settings of a Slurm config that decide what its allocations have. */
export interface AskedConfig extends NodeTexts {
  /** One or several, with commas; null for the default of the cluster. */
  partition: string | null;
  walltimeMs: number;
}

/**
 * The kinds of nodes on which its allocations can be, with the most that they give it there; nodes that are down or drained
 * count, as they come back. Null where the profile does not tell.
 */
export function placesOfConfig(config: AskedConfig, site: SiteProfile | null): Place[] | null {
  const partitions = partitionsOf(config, site);
  if (partitions.length === 0) return null;
  return partitions.flatMap((partition) => {
    return partition.nodes
      .map((kind) => givenBy(config, partition, placeOf(partition, { ...kind, num_usable: kind.num_nodes })))
      .filter((place) => place !== null);
  });
}

/** The longest walltime that its partitions allow; null where there is no limit or none is known. */
export function longestOfPartitions(
  config: Pick<AskedConfig, 'partition'>,
  site: SiteProfile | null,
): { partition: string; ms: number } | null {
  const [longest] = partitionsOf(config, site).toSorted((a, b) => limitOf(b) - limitOf(a));
  if (longest === undefined || longest.max_time_seconds === null) return null;
  return { partition: longest.name, ms: longest.max_time_seconds * 1000 };
}

/** What the nodes of its allocations have, as far as that is known. */
export interface ConfigNodes {
  /** What each of them has at least; null while nothing tells the number of CPUs. */
  size: NodeSize | null;
  /** Nodes of several sizes among which an allocation may choose by asking for more; empty where it may not. */
  nodes: ChosenNodes[];
}

/**
 * A node has what a worker has shown, else what the config asks for, else the least that whole nodes of its partition have.
 * Where these are of several sizes, what one worker has shown says nothing about the others.
 * `shown`: of the newest worker whose allocation asked for no more than the config does.
 */
export function nodesOfConfig(config: AskedConfig, site: SiteProfile | null, shown: NodeSize | null): ConfigNodes {
  const partitions = partitionsOf(config, site);
  const asked = { size: nodeSize(config, shown), nodes: [] };
  const isWhole = partitions.length > 0 && partitions.every((partition) => givesWholeNodes(config, partition));
  // which of several kinds of nodes such an option chooses, the profile does not say
  if (!isWhole || choosesNodes(config)) return asked;
  const places = placesOfConfig(config, site) ?? [];
  if (places.length === 0) return asked;
  const given = places.map((place) => givenWithoutAsking(config, place));
  const least = leastOf(given);
  if (given.every((size) => isDeepStrictEqual(size, least))) {
    const size = shown ?? least;
    return { size, nodes: isEmpty(config.mem) && !limitsNodes(config) ? withTheirMemory(places, size) : [] };
  }
  const size = leastOf(shown === null ? [least] : [least, shown]);
  if (limitsNodes(config)) return { size, nodes: [] };
  // one option says how many GPUs and of which type
  const gpusOf = (place: Place): number => (isEmpty(config.gres) ? place.numGpus : least.numGpus);
  const nodes = places.map((place, at) => ({
    partition: place.partition.name,
    numNodes: place.kind.num_nodes,
    numCpus: place.numCpus,
    memoryBytes: place.memoryBytes,
    unaskedMemoryBytes: (given[at] as NodeSize).memoryBytes,
    numGpus: gpusOf(place),
  }));
  return { size, nodes };
}

/** Of whole nodes Slurm may give less memory than they have (DefMemPerCPU): then an allocation has to ask for it. */
function givenWithoutAsking({ mem, extra }: AskedConfig, place: Place): NodeSize {
  const { default_memory: byDefault } = place.partition;
  const whole = leastOf([place]);
  if (byDefault === undefined || !isEmpty(mem) || asksForMemory.test(extra ?? '')) return whole;
  const memoryBytes = byDefault.bytes * (byDefault.per === 'cpu' ? place.numCpus : 1);
  return { ...whole, memoryBytes: Math.min(whole.memoryBytes, memoryBytes) };
}

function withTheirMemory(places: readonly Place[], given: NodeSize): ChosenNodes[] {
  return places
    .filter(({ memoryBytes }) => memoryBytes > given.memoryBytes)
    .map(({ partition, kind, memoryBytes }) => {
      const unaskedMemoryBytes = given.memoryBytes;
      return { ...given, partition: partition.name, numNodes: kind.num_nodes, memoryBytes, unaskedMemoryBytes };
    });
}

function isEmpty(text: string | null): boolean {
  return (text ?? '').trim() === '';
}

/** None where the profile does not have them. */
function partitionsOf({ partition }: Pick<AskedConfig, 'partition'>, site: SiteProfile | null): Partition[] {
  const names = partition?.split(',').map((name) => name.trim()) ?? null;
  const all = site?.partitions ?? [];
  const meant = all.filter(({ name, is_default }) => names?.includes(name) ?? is_default);
  return names === null || names.length === meant.length ? meant : [];
}

function limitOf({ max_time_seconds }: Partition): number {
  return max_time_seconds ?? Number.POSITIVE_INFINITY;
}

function givesWholeNodes({ extra }: NodeTexts, { gives_whole_nodes }: Partition): boolean {
  return gives_whole_nodes || /(^|\s)--exclusive(\s|$)/.test(extra ?? '');
}

function choosesNodes({ extra }: NodeTexts): boolean {
  return /(^|\s)(-[CwF]|--constraint|--nodelist|--nodefile)/.test(extra ?? '');
}

const asksForMemory = /(^|\s)--mem(-per-[cg]pu)?(=|\s|$)/;
const limitOptions = /(^|\s)(-G|--(mincpus|gpus|gpus-per-(node|socket|task)|gres|tres-per-task)(=|\s|$))/;

/** Options after those that torc adds, so that they win, and would undo or contradict a minimum. */
function limitsNodes({ extra }: NodeTexts): boolean {
  return limitOptions.test(extra ?? '') || asksForMemory.test(extra ?? '');
}

/** Null for nodes that have less than the config asks for. */
function givenBy(config: AskedConfig, partition: Partition, place: Place): Place | null {
  const asked = askedOf(config, place.kind);
  const isTooSmall =
    asked.numCpus > place.numCpus || asked.memoryBytes > place.memoryBytes || asked.numGpus > place.numGpus;
  if (isTooSmall) return null;
  const memoryBytes = asked.memoryBytes === 0 ? place.memoryBytes : asked.memoryBytes;
  if (givesWholeNodes(config, partition)) return { ...place, memoryBytes };
  const numCpus = asked.numCpus === 0 ? place.numCpus : asked.numCpus;
  const numGpus = asked.numGpus === 0 && asksOtherwiseForGpus(config) ? place.numGpus : asked.numGpus;
  return { ...place, numCpus, memoryBytes, numGpus };
}

/** What it states of one node; 0 for what it leaves to Slurm. Slurm gives whole cores. */
function askedOf(config: NodeTexts, { threads_per_core }: NodeKind): NodeSize {
  // a number of CPUs only so that the other parts are read
  const stated = nodeSize({ ...config, ntasksPerNode: config.ntasksPerNode ?? 1 }, null) as NodeSize;
  const threads = threads_per_core ?? 1;
  const isCpusStated = nodeSize(config, null) !== null;
  const least = Number(/(?:^|\s)--mincpus[= ]([0-9]+)/.exec(config.extra ?? '')?.[1] ?? 0);
  return {
    numCpus: Math.max(least, isCpusStated ? Math.ceil(stated.numCpus / threads) * threads : 0),
    memoryBytes: stated.memoryBytes === Number.MAX_SAFE_INTEGER ? 0 : stated.memoryBytes,
    numGpus: stated.numGpus,
  };
}

function asksOtherwiseForGpus({ extra }: NodeTexts): boolean {
  return /(^|\s)(-G|--gpus|--gres|--tres)/.test(extra ?? '');
}
