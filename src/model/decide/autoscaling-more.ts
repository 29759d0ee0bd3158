/** Which allocations more an autoscaler asks for: for jobs without room, within the caps, not right after failures. */

import type {
  OpenAllocation,
  ScalingCaps,
  ScalingConfig,
  ScalingInput,
  WaitingShape,
  WantedAllocation,
} from './autoscaling-input.ts';
import type { ScalingReason } from './autoscaling-reason.ts';
import { type Left, needIn, place, roomsOfNew } from './autoscaling-rooms.ts';
import { chooseWalltime, numFitting, roundsOf } from './autoscaling-time.ts';
import { failuresToBackOff, waitAfterFailures } from './failed-starts.ts';
import { isAsking, minimumFor, type NodeMinimum, noMinimum } from './node-minimum.ts';
import type { NodeSize } from './node-size.ts';
import { fits } from './packing.ts';
import { mayTake } from './pools.ts';

export interface Wanted {
  submit: WantedAllocation[];
  /** When more may be asked for without any news; null where only news helps. */
  until: number | null;
  reason: ScalingReason;
}

/** What the caps and the failures of the past still allow. */
export class Allowance {
  numNodes: number;
  numAllocations: number;
  /** Why there is no more. */
  reason: ScalingReason | null = null;
  /** Null while starts work. */
  readonly #numFailed: number | null;

  constructor({ caps, allocations, numLeaving, failures }: ScalingInput) {
    const numQueued = allocations.filter(({ isQueued }) => isQueued).length;
    this.numNodes = caps.maxNodes - numLeaving - allocations.reduce((sum, { numNodes }) => sum + numNodes, 0);
    this.numAllocations = caps.maxQueued - numQueued;
    // one that shows whether starts work again
    this.#numFailed = failures.length >= failuresToBackOff ? failures.length : null;
    if (this.#numFailed !== null) this.numAllocations = Math.min(this.numAllocations, 1 - numQueued);
  }

  /** Whether one more with so many nodes is allowed; takes it. */
  takes(numNodes: number, caps: ScalingCaps): boolean {
    if (this.numAllocations <= 0) {
      this.reason =
        this.#numFailed === null
          ? { code: 'at_max_queued', max_queued: caps.maxQueued }
          : { code: 'tries_one', num_failed: this.#numFailed };
    } else if (numNodes > this.numNodes) this.reason = { code: 'at_max', max_nodes: caps.maxNodes };
    else {
      this.numAllocations -= 1;
      this.numNodes -= numNodes;
      return true;
    }
    return false;
  }
}

/** At most this many are planned at a time; the next look plans more. */
const mostPlanned = 100;

export function moreNodes(input: ScalingInput, left: Left[]): Wanted {
  const { caps, failures, now } = input;
  const numLeft = left.reduce((sum, { numSlots }) => sum + numSlots, 0);
  const numOpen = input.allocations.filter(({ isCanceled }) => !isCanceled).reduce((sum, one) => sum + one.numNodes, 0);
  if (numLeft === 0 && numOpen >= caps.minNodes) return { submit: [], until: null, reason: enough(input) };
  const resting = backingOff(failures, now);
  if (resting !== null) return resting;
  const allowance = new Allowance(input);
  const submit: WantedAllocation[] = [];
  let misfits = 0;
  for (const one of left) {
    while (one.numSlots > 0 && submit.length < mostPlanned) {
      const wanted = allocationFor(one.shape, input);
      if (wanted === null) {
        misfits += Math.min(one.shape.numJobs, one.numSlots * roundsOf(one.shape));
        break;
      }
      if (isAsking(wanted.allocation.minimum) && mustLeaveRoom(wanted.allocation.numNodes, input, left, allowance))
        break;
      if (!allowance.takes(wanted.allocation.numNodes, caps)) break;
      submit.push(wanted.allocation);
      const rooms = roomsOfNew(wanted.allocation, wanted.config, null, input.maxParallelJobs);
      for (const other of left) place(other, rooms, input);
      // whatever the packing says, an allocation takes at least one job
      if (rooms.every(({ isUsed }) => !isUsed)) one.numSlots -= 1;
    }
  }
  for (const one of submit) one.walltimeMs = walltimeOf(one, input, submit.length);
  fillUp(input, allowance, submit, numOpen);
  const reason: ScalingReason =
    submit.length > 0
      ? { code: 'submits', num_allocations: submit.length }
      : (allowance.reason ?? (misfits > 0 ? { code: 'fits_no_config', num_jobs: misfits } : enough(input)));
  return { submit, until: null, reason };
}

/**
 * Whether one more allocation for larger nodes would leave none for the jobs that fit anywhere, while nothing else takes
 * those: the larger nodes may be busy for long.
 */
function mustLeaveRoom(
  numNodes: number,
  { caps, allocations }: ScalingInput,
  left: readonly Left[],
  allowance: Allowance,
): boolean {
  const isPossible = caps.maxQueued > 1 && caps.maxNodes >= 2 * numNodes;
  if (!isPossible || !left.some(({ numSlots, isLarge }) => numSlots > 0 && !isLarge)) return false;
  const takesOthers = ({ isCanceled, isQueued, minimum = noMinimum }: OpenAllocation): boolean =>
    !isCanceled && (!isQueued || !isAsking(minimum));
  if (allocations.some(takesOthers)) return false;
  return allowance.numAllocations < 2 || allowance.numNodes < 2 * numNodes;
}

/** This many nodes are kept even when no job waits. */
function fillUp(input: ScalingInput, allowance: Allowance, submit: WantedAllocation[], numOpen: number): void {
  const { caps, configs } = input;
  const [config] = configs;
  let numNodes = numOpen + submit.reduce((sum, one) => sum + one.numNodes, 0);
  while (config !== undefined && numNodes < caps.minNodes) {
    const walltimeMs = longestMs(config, caps);
    const size = caps.nodesPerAllocation ?? config.numNodes;
    if (!allowance.takes(size, caps)) return;
    submit.push({ config: config.key, numNodes: size, oneWorkerPerNode: size > 1, walltimeMs, after: null });
    numNodes += size;
  }
}

export function backingOff(failures: ScalingInput['failures'], now: number): Wanted | null {
  const last = failures.at(-1);
  if (last === undefined) return null;
  // a clock that was set back leaves instants in the future
  const until = Math.min(last.at, now) + waitAfterFailures(failures.length);
  if (until <= now) return null;
  const reason: ScalingReason = {
    code: 'backs_off',
    num_failed: failures.length,
    until: new Date(until).toISOString(),
    last_failure: last.words,
  };
  return { submit: [], until, reason };
}

export function enough({ waiting, numBlocked, allocations }: ScalingInput): ScalingReason {
  if (waiting.length > 0) {
    return { code: 'enough', num_queued: allocations.filter(({ isQueued }) => isQueued).length };
  }
  return { code: 'nothing_ready', num_blocked: numBlocked };
}

interface Chosen {
  allocation: WantedAllocation & { minimum: NodeMinimum };
  config: ScalingConfig;
}

/**
 * The longest allocation that a job of this shape would start in: of the first Slurm config that takes it as it is, else of
 * the first that has nodes which are large enough.
 */
export function allocationFor(shape: SizedShape, input: AskedFor): Chosen | null {
  return firstOf(shape, input, () => noMinimum) ?? firstOf(shape, input, leastMinimum);
}

/** A job, as far as an allocation has to suit it. */
export type SizedShape = Pick<WaitingShape, 'need' | 'supportsTermination' | 'slurmConfigKey' | 'labels'>;
export type AskedFor = Pick<ScalingInput, 'caps' | 'configs' | 'leadMs' | 'maxParallelJobs'>;

type Starts = (minimum: NodeMinimum) => boolean;

function firstOf(
  shape: SizedShape,
  { caps, configs, leadMs, maxParallelJobs }: AskedFor,
  minimumOf: (config: ScalingConfig, numNodes: number, starts: Starts) => NodeMinimum | null,
): Chosen | null {
  for (const config of configs) {
    if (!mayTake(config.pool, shape)) continue;
    const numNodes = Math.max(caps.nodesPerAllocation ?? config.numNodes, shape.need.numNodes);
    const oneWorkerPerNode = numNodes > 1 && shape.need.numNodes === 1;
    const place = { numNodes, oneWorkerPerNode, walltimeMs: longestMs(config, caps) };
    const starts: Starts = (minimum) => {
      const [room] = roomsOfNew({ ...place, minimum }, config, null, maxParallelJobs);
      return room !== undefined && fits(room.free, needIn(place, shape, leadMs));
    };
    const minimum = minimumOf(config, numNodes, starts);
    if (minimum === null || !starts(minimum)) continue;
    return { allocation: { config: config.key, ...place, minimum, after: null }, config };
  }
  return null;
}

function leastMinimum({ size, nodes = [] }: ScalingConfig, numNodes: number, starts: Starts): NodeMinimum | null {
  const suits = ({ numCpus, memoryBytes, numGpus }: NodeSize): boolean => starts({ numCpus, memoryBytes, numGpus });
  return size === null ? null : minimumFor(nodes, size, numNodes, suits);
}

function longestMs({ walltimeMs }: ScalingConfig, caps: ScalingCaps): number {
  return Math.min(walltimeMs, caps.walltimeMs ?? walltimeMs);
}

/** How long one of `numNew` new allocations should last: they share the work with those of their config that are open. */
export function walltimeOf(one: WantedAllocation, input: ScalingInput, numNew: number): number {
  const { caps, configs, waiting, numBlocked, allocations, maxParallelJobs } = input;
  const config = configs.find(({ key }) => key === one.config);
  const [room] = config === undefined ? [] : roomsOfNew(one, config, null, maxParallelJobs);
  if (config === undefined || room === undefined || caps.walltimeMs !== null) return one.walltimeMs;
  const shapes = waiting.filter((other) => mayTake(config.pool, other) && numFitting(room.free, other.need, 1) > 0);
  const numOpen = allocations.filter(({ config: key }) => key === config.key).length;
  return chooseWalltime({
    shapes,
    numBlocked,
    room: room.free,
    numSharing: numOpen + numNew,
    longestMs: one.walltimeMs,
  });
}
