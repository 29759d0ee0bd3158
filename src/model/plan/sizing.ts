/** How many allocations a segment gets, and how long they last. */
import type { Offer } from '../decide/packing.ts';
import { poolOfConfig } from '../decide/pools.ts';
import { noLabels } from '../labels.ts';
import type { JobGroup } from './groups.ts';
import { offerOf } from './places.ts';
import type { Segment } from './segments.ts';
import { type PlannedWorkers, type Simulated, simulate, type WorkerRules } from './simulation.ts';

export interface Sized {
  segment: Segment;
  numAllocations: number;
  walltimeMs: number;
  /** Further ones that follow those whose time is over. */
  numReplacements: number;
}

export interface SizingOptions {
  maxNodes: number | null;
  maxAllocations: number;
  maxWalltimeMs: number | null;
  maxParallelJobs: number | null;
}

/** An earlier end may cost this much more than the fewest node-hours. */
const dearest = 1.25;
/** Walltimes are longer than the simulation by this. */
const margin = 1.15;
/** Candidates are simulated with about so many jobs. */
const simulatedJobs = 5_000;
const anyLongMs = 100 * 365 * 86_400_000;
/** Slurm's own unit is a minute; longer walltimes are rounded to five. */
const minuteMs = 60_000;

/**
 * The soonest end that does not cost much more node-hours than the cheapest one, within the caps. Fewer allocations are not
 * tried once they cannot change that, unless `triesAll`.
 */
export function sizeOfSegment(
  groups: readonly JobGroup[],
  segment: Segment,
  rules: WorkerRules,
  options: SizingOptions,
  triesAll = false,
): Sized {
  const { place, numNodes, width } = segment;
  const nodes = Math.min(place.numUsable, options.maxNodes ?? place.numUsable);
  const most = Math.max(1, Math.min(width, Math.floor(nodes / numNodes), options.maxAllocations));
  const own = ownGroups(groups, segment);
  const longestMs = longestMsOf(segment, options);
  const leastMs = leastNodeMs(own, offerOf(place, numNodes, options.maxParallelJobs, segment.withGpus));
  const tried: Tried[] = [];
  for (const number of numbersUpTo(most)) {
    if (!triesAll && isSettled(tried, leastMs, leastMs / (number * numNodes))) break;
    tried.push(tryOut(own, segment, number, { rules, options, longestMs }));
  }
  const cheapest = Math.min(...tried.map(({ nodeMs }) => nodeMs));
  const good = tried.filter(({ nodeMs }) => nodeMs <= cheapest * dearest);
  const [best] = good.toSorted((a, b) => a.endMs - b.endMs || a.nodeMs - b.nodeMs);
  const { number, neededMs, numFurther } = best as Tried;
  const walltimeMs = Math.min(longestMs, roundedWalltime(neededMs, rules));
  return { segment, numAllocations: number, walltimeMs, numReplacements: numFurther };
}

/** Node-time that jobs need at least: what each has of the nodes of a worker, with no room left unused. */
function leastNodeMs(groups: readonly JobGroup[], offer: Offer): number {
  const { numCpus, memoryBytes, numGpus, maxParallelJobs } = offer;
  const share = (amount: number, of: number): number => (amount === 0 ? 0 : amount / of);
  const parts = groups.map(({ need, numJobs, runtimeMs }) => {
    const ofNode = Math.max(
      share(need.numCpus, numCpus),
      share(need.memoryBytes, memoryBytes),
      share(need.gpuThousandths, numGpus * 1000),
      share(1, maxParallelJobs ?? Number.POSITIVE_INFINITY),
    );
    return numJobs * runtimeMs * (need.numNodes > 1 ? need.numNodes : ofNode);
  });
  return parts.reduce((sum, part) => sum + part, 0) * (1 - 1e-9);
}

/** Whether one of those tried stays the best: not too dear whatever is cheapest, and sooner than what is left to try. */
function isSettled(tried: readonly Tried[], leastMs: number, soonestMs: number): boolean {
  const cheapest = Math.min(...tried.map(({ nodeMs }) => nodeMs));
  const isSure = ({ nodeMs, isWhole }: Tried) => isWhole && nodeMs <= leastMs * dearest;
  const endMs = Math.min(...tried.filter(isSure).map((each) => each.endMs));
  if (soonestMs <= endMs) return false;
  return tried.every((each) => isSure(each) || each.endMs >= endMs || each.nodeMs > cheapest * dearest);
}

/** The longest walltime that its allocations may have. */
export function longestMsOf({ place }: Segment, { maxWalltimeMs }: Pick<SizingOptions, 'maxWalltimeMs'>): number {
  return Math.min(place.longestMs ?? anyLongMs, maxWalltimeMs ?? anyLongMs);
}

/** Only the groups of the segment: what they wait for elsewhere has ended. */
function ownGroups(groups: readonly JobGroup[], segment: Segment): JobGroup[] {
  const places = new Map(segment.groups.map((index, place) => [index, place]));
  return segment.groups.map((index) => {
    const group = groups[index] as JobGroup;
    const waitsFor = group.waitsFor.flatMap((wait) => {
      const place = places.get(wait.group);
      return place === undefined ? [] : [{ group: place, perJob: wait.perJob }];
    });
    return { ...group, waitsFor };
  });
}

/** All up to 4, then fewer and fewer. */
function numbersUpTo(most: number): number[] {
  const numbers = [most];
  for (let number = most; number > 1; ) {
    number = number <= 4 ? number - 1 : Math.floor(number * 0.75);
    numbers.push(number);
  }
  return numbers;
}

interface Tried {
  number: number;
  endMs: number;
  nodeMs: number;
  neededMs: number;
  /** Further allocations after those of the first round. */
  numFurther: number;
  /** Whether no job is left. */
  isWhole: boolean;
}

/** Large ones are simulated on a smaller scale: with the same number of jobs for each worker. */
function tryOut(
  own: readonly JobGroup[],
  segment: Segment,
  number: number,
  { rules, options, longestMs }: { rules: WorkerRules; options: SizingOptions; longestMs: number },
): Tried {
  const numJobs = own.reduce((sum, group) => sum + group.numJobs, 0);
  const scale = Math.max(1, Math.min(number, Math.floor(numJobs / simulatedJobs)));
  const count = Math.max(1, Math.round(number / scale));
  const ratio = count / number;
  const groups = ratio === 1 ? own : own.map((group) => ({ ...group, numJobs: Math.ceil(group.numJobs * ratio) }));
  const planned: PlannedWorkers = {
    offer: offerOf(segment.place, segment.numNodes, options.maxParallelJobs, segment.withGpus),
    walltimeMs: longestMs,
    count,
    pool: poolOfConfig({
      key: 1,
      name: 'planned',
      labels: segment.labels,
      alsoUnlabelled: segment.labels === noLabels,
    }),
    startsWith: null,
    delayMs: 0,
    replacements: mostRounds,
  };
  const { endMs, workers, groups: ended } = simulate(groups, [planned], rules) as Simulated;
  const [told] = workers as [Simulated['workers'][number]];
  const further = Math.max(0, told.numStarted - count);
  return {
    number,
    endMs,
    nodeMs: (told.presentMs / ratio) * segment.numNodes,
    neededMs: told.neededMs,
    numFurther: Math.ceil(further / ratio),
    isWhole: ended.every(({ numLeft }) => numLeft === 0),
  };
}

/** As often as it takes. */
export const mostRounds = 1_000_000;

/** With a margin, in whole minutes. */
export function roundedWalltime(neededMs: number, { bufferMs }: WorkerRules): number {
  const ms = neededMs * margin + bufferMs;
  const unit = ms > 60 * minuteMs ? 5 * minuteMs : minuteMs;
  return Math.ceil(ms / unit) * unit;
}
