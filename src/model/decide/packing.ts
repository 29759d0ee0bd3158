/**
 * Which ready jobs fit into what is free with one worker: a pure walk in claim order, with back-fill. A worker has one
 * node or several equal ones. Number 0 is its own: jobs of one node are packed there. A job of several nodes takes
 * whole ones, on which no other job is.
 */
import { packedMs, type Requirements, type Resources } from '../job.ts';
import { type Amounts, amountsIn, noResources, type ResourceSet } from '../named-resources.ts';
import type { ClaimWalk, Ranked } from './ready-queues.ts';

/** What is free on a worker at the instant of a claim; resources are those of the worker's own node. */
export interface FreeNode extends Resources {
  /** Thousandths that are free of each GPU, by index. */
  gpus: number[];
  /** How many are free of each named resource; null when the worker has none. */
  named: Record<string, number> | null;
  /** Numbers of the nodes without a job, in ascending order. */
  idleNodes: number[];
  /** What each node has when no job is on it. */
  wholeNode: Resources & { named: Amounts | null };
  /** How many more jobs may run at a time. */
  slots: number;
  /** Until the worker's latest end; null for no end. */
  timeLeftMs: number | null;
}

/** What a worker offers, on each node and in total. */
export interface Offer {
  numNodes: number;
  numCpus: number;
  memoryBytes: number;
  numGpus: number;
  /** Missing for none. */
  resources?: ResourceSet;
  /** Null for no limit. */
  maxParallelJobs: number | null;
}

/** What is free on a worker that has no job. */
export function idleWorker(offer: Offer, timeLeftMs: number | null): FreeNode {
  const { numCpus, memoryBytes, numGpus, resources = noResources } = offer;
  const named = resources === noResources ? null : amountsIn(resources);
  const gpuThousandths = numGpus * 1000;
  const wholeNode = { numCpus, memoryBytes, gpuThousandths, named };
  // without a spread: V8 would then make a new number at each change of an amount
  return {
    numCpus,
    memoryBytes,
    gpuThousandths,
    named: named === null ? null : { ...named },
    gpus: new Array<number>(numGpus).fill(1000),
    idleNodes: countFrom0(offer.numNodes),
    wholeNode,
    slots: offer.maxParallelJobs ?? Number.MAX_SAFE_INTEGER,
    timeLeftMs,
  };
}

function countFrom0(count: number): number[] {
  const numbers: number[] = [];
  for (let number = 0; number < count; number++) numbers.push(number);
  return numbers;
}

/** Whether a job with these requirements fits now. */
export function fits(free: FreeNode, need: Requirements): boolean {
  return fitsTime(free.timeLeftMs, need) && hasRoom(free, need);
}

/** The same without the time that is left. */
export function hasRoom(free: FreeNode, need: Requirements): boolean {
  return free.slots > 0 && (need.numNodes === 1 ? fitsOwnNode(free, need) : fitsWholeNodes(free, need));
}

function fitsOwnNode(free: FreeNode, need: Requirements): boolean {
  return (
    need.numCpus <= free.numCpus &&
    need.memoryBytes <= free.memoryBytes &&
    (need.gpuThousandths === 0 || chooseGpus(free.gpus, need.gpuThousandths) !== null) &&
    (need.resources === undefined || hasNamed(free.named, need.resources))
  );
}

function fitsWholeNodes({ idleNodes, wholeNode }: FreeNode, need: Requirements): boolean {
  return (
    need.numNodes <= idleNodes.length &&
    need.numCpus <= wholeNode.numCpus &&
    need.memoryBytes <= wholeNode.memoryBytes &&
    numGpuIndices(need) * 1000 <= wholeNode.gpuThousandths &&
    (need.resources === undefined || hasNamed(wholeNode.named, need.resources))
  );
}

/** Whether there is as much of each named resource as is asked for. */
export function hasNamed(named: Amounts | null, resources: ResourceSet): boolean {
  return Object.entries(amountsIn(resources)).every(([name, amount]) => (named?.[name] ?? 0) >= amount);
}

function numGpuIndices({ gpuThousandths }: Pick<Resources, 'gpuThousandths'>): number {
  return Math.ceil(gpuThousandths / 1000);
}

/** Whether the expected or stated runtime fits into what is left; a job without one always fits. */
export function fitsTime(
  timeLeftMs: number | null,
  need: Pick<Requirements, 'isRuntimeStated' | 'runtimeMs' | 'expectedMs'>,
): boolean {
  const isAny = !need.isRuntimeStated && need.expectedMs === undefined;
  return timeLeftMs === null || isAny || packedMs(need) <= timeLeftMs;
}

/**
 * The GPU indices for a request: whole GPUs that are wholly free, or for a fraction the fullest one that has room.
 * Null when there are not enough.
 */
export function chooseGpus(gpus: readonly number[], thousandths: number): number[] | null {
  if (thousandths === 0) return [];
  if (thousandths < 1000) {
    let best: number | null = null;
    for (const [index, free] of gpus.entries()) {
      if (free >= thousandths && (best === null || free < (gpus[best] ?? 0))) best = index;
    }
    return best === null ? null : [best];
  }
  const count = Math.ceil(thousandths / 1000);
  const whole = [...gpus.keys()].filter((index) => gpus[index] === 1000).slice(0, count);
  return whole.length === count ? whole : null;
}

/** What a job is given. */
export interface Share {
  /** On each of its nodes. */
  gpuIndices: number[];
  nodeIndices: number[];
}

/** Subtracts what a job that fits is given from what is free. */
export function take(free: FreeNode, need: Requirements): Share {
  free.slots -= 1;
  return need.numNodes === 1 ? takeOfOwnNode(free, need) : takeWholeNodes(free, need);
}

function takeOfOwnNode(free: FreeNode, need: Requirements): Share {
  const gpuIndices = chooseGpus(free.gpus, need.gpuThousandths) ?? [];
  const share = Math.min(need.gpuThousandths, 1000);
  for (const index of gpuIndices) free.gpus[index] = (free.gpus[index] ?? 0) - share;
  free.numCpus -= need.numCpus;
  free.memoryBytes -= need.memoryBytes;
  if (need.resources !== undefined) withdrawNamed(free, need.resources);
  // most of its jobs find another one there
  if (free.idleNodes[0] === 0) free.idleNodes = free.idleNodes.slice(1);
  return { gpuIndices, nodeIndices: [0] };
}

/** The worker's own node goes last: only there is room for jobs of one node. */
function takeWholeNodes(free: FreeNode, need: Requirements): Share {
  const nodeIndices = free.idleNodes.slice(-need.numNodes);
  withdrawNodes(free, nodeIndices);
  if (nodeIndices.includes(0)) leaveNothing(free);
  return { gpuIndices: countFrom0(numGpuIndices(need)), nodeIndices };
}

/** The opposite of `take`; `isLast`: no other job is on the worker's own node. */
export function giveBack(free: FreeNode, need: Requirements, share: Share, isLast: boolean): void {
  free.slots += 1;
  if (need.numNodes > 1) {
    free.idleNodes = [...free.idleNodes, ...share.nodeIndices].sort((a, b) => a - b);
    if (share.nodeIndices.includes(0)) {
      Object.assign(free, free.wholeNode);
      free.gpus.fill(1000);
    }
    return;
  }
  free.numCpus += need.numCpus;
  free.memoryBytes += need.memoryBytes;
  for (const index of share.gpuIndices) {
    free.gpus[index] = (free.gpus[index] ?? 0) + Math.min(need.gpuThousandths, 1000);
  }
  if (isLast) free.idleNodes = [0, ...free.idleNodes];
}

/** Notes that jobs are on these nodes. */
export function withdrawNodes(free: FreeNode, nodeIndices: readonly number[]): void {
  const taken = new Set(nodeIndices);
  free.idleNodes = free.idleNodes.filter((index) => !taken.has(index));
}

/** Notes that a job on the worker's own node has these named resources. */
export function withdrawNamed({ named }: FreeNode, resources: ResourceSet): void {
  if (named === null) return;
  for (const [name, amount] of Object.entries(amountsIn(resources))) named[name] = (named[name] ?? 0) - amount;
}

/** Notes that a job of several nodes has the worker's own node for itself. */
export function leaveNothing(free: FreeNode): void {
  Object.assign(free, { numCpus: 0, memoryBytes: 0, gpuThousandths: 0 });
  free.gpus.fill(0);
  if (free.named !== null) free.named = {};
}

/** Whether no job fits at all, whatever it needs. */
export function isFull(free: FreeNode): boolean {
  return free.slots <= 0 || (free.numCpus <= 0 && free.idleNodes.length === 0);
}

/** What decides about a claim besides the room on the worker. */
export interface Admission<S> {
  /** What a job of a shape needs at its start; null when the worker may take no job of that shape, or no more. */
  needOf: (shape: S) => Requirements | null;
  /** Notes that a job of a shape starts. */
  take: (shape: S) => void;
}

export interface Placement<S> extends Share {
  jobKey: number;
  shape: S;
  need: Requirements;
}

/**
 * Packs jobs into what a worker has free: always the first in claim order among the shapes that still fit, until nothing
 * fits. Changes `free`.
 */
export function pack<S extends Ranked>(free: FreeNode, walk: ClaimWalk<S>, admission: Admission<S>): Placement<S>[] {
  const placed: Placement<S>[] = [];
  for (let next = walk.peek(); next !== null && !isFull(free); next = walk.peek()) {
    const { shape } = next.queue;
    const need = admission.needOf(shape);
    // what is free only shrinks: what does not fit now will not fit later
    if (need === null || !fits(free, need)) {
      walk.skip();
      continue;
    }
    walk.take();
    admission.take(shape);
    placed.push({ jobKey: next.head.jobKey, shape, need, ...take(free, need) });
  }
  return placed;
}

/**
 * The jobs that come next in claim order on a worker that has `whole` when no job is on it: as many as fill `workMs` by
 * what jobs of their shape usually take, at most `most`. Stops before the first job of a shape that takes too long for
 * others to wait after it (`runtimeOf` null), so that nothing overtakes it.
 */
export function nextInOrder<S extends Ranked>(
  whole: FreeNode,
  walk: ClaimWalk<S>,
  { needOf }: Admission<S>,
  runtimeOf: (shape: S) => number | null,
  { workMs, most }: { workMs: number; most: number },
): Placement<S>[] {
  const placed: Placement<S>[] = [];
  let leftMs = workMs;
  for (let next = walk.peek(); next !== null && leftMs > 0 && placed.length < most; next = walk.peek()) {
    const { shape } = next.queue;
    const need = needOf(shape);
    if (need === null || !fits(whole, need)) {
      walk.skip();
      continue;
    }
    const runtimeMs = runtimeOf(shape);
    if (runtimeMs === null) break;
    walk.take();
    leftMs -= Math.max(1, runtimeMs);
    placed.push({ jobKey: next.head.jobKey, shape, need, gpuIndices: [], nodeIndices: [0] });
  }
  return placed;
}
