/**
 * Which ready jobs fit into what is free with one worker: a pure walk in claim order, with back-fill. A worker has one
 * node or several equal ones. Number 0 is its own: jobs of one node are packed there. A job of several nodes takes
 * whole ones, on which no other job is.
 */
import type { Requirements, Resources } from '../job.ts';

/** What is free on a worker at the instant of a claim; resources are those of the worker's own node. */
export interface FreeNode extends Resources {
  /** Thousandths that are free of each GPU, by index. */
  gpus: number[];
  /** Numbers of the nodes without a job, in ascending order. */
  idleNodes: number[];
  /** What each node has when no job is on it. */
  wholeNode: Resources;
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
  /** Null for no limit. */
  maxParallelJobs: number | null;
}

/** What is free on a worker that has no job. */
export function idleWorker(offer: Offer, timeLeftMs: number | null): FreeNode {
  const { numCpus, memoryBytes, numGpus } = offer;
  const wholeNode = { numCpus, memoryBytes, gpuThousandths: numGpus * 1000 };
  return {
    ...wholeNode,
    gpus: new Array<number>(numGpus).fill(1000),
    idleNodes: countFrom0(offer.numNodes),
    wholeNode,
    slots: offer.maxParallelJobs ?? Number.MAX_SAFE_INTEGER,
    timeLeftMs,
  };
}

function countFrom0(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** Whether a job with these requirements fits now. */
export function fits(free: FreeNode, need: Requirements): boolean {
  return (
    free.slots > 0 &&
    fitsTime(free.timeLeftMs, need) &&
    (need.numNodes === 1 ? fitsOwnNode(free, need) : fitsWholeNodes(free, need))
  );
}

function fitsOwnNode(free: FreeNode, need: Requirements): boolean {
  return (
    need.numCpus <= free.numCpus &&
    need.memoryBytes <= free.memoryBytes &&
    (need.gpuThousandths === 0 || chooseGpus(free.gpus, need.gpuThousandths) !== null)
  );
}

function fitsWholeNodes({ idleNodes, wholeNode }: FreeNode, need: Requirements): boolean {
  return (
    need.numNodes <= idleNodes.length &&
    need.numCpus <= wholeNode.numCpus &&
    need.memoryBytes <= wholeNode.memoryBytes &&
    numGpuIndices(need) * 1000 <= wholeNode.gpuThousandths
  );
}

function numGpuIndices({ gpuThousandths }: Pick<Resources, 'gpuThousandths'>): number {
  return Math.ceil(gpuThousandths / 1000);
}

/** Whether the stated runtime fits into what is left; a job without a stated runtime always fits. */
export function fitsTime(
  timeLeftMs: number | null,
  need: Pick<Requirements, 'isRuntimeStated' | 'runtimeMs'>,
): boolean {
  return timeLeftMs === null || !need.isRuntimeStated || need.runtimeMs <= timeLeftMs;
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
  withdrawNodes(free, [0]);
  return { gpuIndices, nodeIndices: [0] };
}

/** The worker's own node goes last: only there is room for jobs of one node. */
function takeWholeNodes(free: FreeNode, need: Requirements): Share {
  const nodeIndices = free.idleNodes.slice(-need.numNodes);
  withdrawNodes(free, nodeIndices);
  if (nodeIndices.includes(0)) leaveNothing(free);
  return { gpuIndices: countFrom0(numGpuIndices(need)), nodeIndices };
}

/** Notes that jobs are on these nodes. */
export function withdrawNodes(free: FreeNode, nodeIndices: readonly number[]): void {
  const taken = new Set(nodeIndices);
  free.idleNodes = free.idleNodes.filter((index) => !taken.has(index));
}

/** Notes that a job of several nodes has the worker's own node for itself. */
export function leaveNothing(free: FreeNode): void {
  Object.assign(free, { numCpus: 0, memoryBytes: 0, gpuThousandths: 0 });
  free.gpus.fill(0);
}

/** How many jobs of one shape fit at most; an upper bound for fetching candidates. */
export function mostThatFit(free: FreeNode, need: Requirements): number {
  if (!fits(free, need)) return 0;
  if (need.numNodes > 1) return Math.min(free.slots, Math.floor(free.idleNodes.length / need.numNodes));
  const byCpu = Math.floor(free.numCpus / need.numCpus);
  const byMemory = need.memoryBytes === 0 ? Number.MAX_SAFE_INTEGER : Math.floor(free.memoryBytes / need.memoryBytes);
  return Math.min(free.slots, byCpu, byMemory);
}

/** A ready job at the head of its shape's queue. */
export interface Candidate {
  jobKey: number;
  priority: number;
}

/** The queue of one shape: ready jobs in claim order, fetched a few at a time. */
export interface ShapeQueue {
  need: Requirements;
  /** Place of the shape in claim order by the workflow's sort method; smaller goes first. */
  sortRank: number;
  /** What its jobs usually take; null when that is long, or not known. */
  runtimeMs: number | null;
  /** The next candidate, or null when there is none left. */
  peek(): Candidate | null;
  advance(): void;
}

export interface Placement extends Share {
  jobKey: number;
  need: Requirements;
}

/**
 * Packs jobs into what a worker has free: always the first in claim order (priority, sort rank, job key) among the
 * shapes that still fit, until nothing fits. Changes `free`. Linear in shapes for each job placed.
 */
export function pack(free: FreeNode, queues: readonly ShapeQueue[]): Placement[] {
  const placed: Placement[] = [];
  let open = queues.filter((queue) => fits(free, queue.need));
  while (open.length > 0) {
    const first = firstInOrder(open);
    if (first === null) break;
    const { queue, head } = first;
    queue.advance();
    placed.push({ jobKey: head.jobKey, need: queue.need, ...take(free, queue.need) });
    open = open.filter((other) => fits(free, other.need));
  }
  return placed;
}

/**
 * The jobs that come next in claim order, whether or not they fit now: as many as fill `workMs` by what jobs of their
 * shape usually take, at most `most`. Stops before the first job of a shape that takes too long for others to wait
 * after it (`runtimeMs` null), so that nothing overtakes it.
 */
export function nextInOrder(queues: readonly ShapeQueue[], workMs: number, most: number): Placement[] {
  const next: Placement[] = [];
  let leftMs = workMs;
  while (leftMs > 0 && next.length < most) {
    const first = firstInOrder(queues);
    if (first === null || first.queue.runtimeMs === null) break;
    const { queue, head } = first;
    queue.advance();
    leftMs -= Math.max(1, first.queue.runtimeMs);
    next.push({ jobKey: head.jobKey, need: queue.need, gpuIndices: [], nodeIndices: [0] });
  }
  return next;
}

function firstInOrder(queues: readonly ShapeQueue[]): { queue: ShapeQueue; head: Candidate } | null {
  let first: { queue: ShapeQueue; head: Candidate } | null = null;
  for (const queue of queues) {
    const head = queue.peek();
    if (head !== null && (first === null || comesFirst(head, queue, first.head, first.queue))) first = { queue, head };
  }
  return first;
}

function comesFirst(a: Candidate, aQueue: ShapeQueue, b: Candidate, bQueue: ShapeQueue): boolean {
  if (a.priority !== b.priority) return a.priority > b.priority;
  if (aQueue.sortRank !== bQueue.sortRank) return aQueue.sortRank < bQueue.sortRank;
  return a.jobKey < b.jobKey;
}
