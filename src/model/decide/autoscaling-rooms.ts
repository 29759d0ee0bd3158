/** The rooms for waiting jobs, on workers that are there and in allocations that are coming, and what fits into them. */
import type { Requirements } from '../job.ts';
import { noResources } from '../named-resources.ts';
import type { OpenAllocation, ScalingConfig, ScalingInput, WaitingShape } from './autoscaling-input.ts';
import { copyOf, numFitting, roundsOf } from './autoscaling-time.ts';
import { isAsking, noMinimum, withMinimum } from './node-minimum.ts';
import type { NodeSize } from './node-size.ts';
import { type FreeNode, fits, idleWorker, take } from './packing.ts';
import { mayTake, type Pool } from './pools.ts';
import { leastTimeMs, needAtStart } from './time-left.ts';

/** Free room, and the allocation that brings it; null for a worker that exists. */
export interface Room {
  allocation: number | null;
  pool: Pool;
  walltimeMs: number | null;
  free: FreeNode;
  isUsed: boolean;
}

export function roomsOf({ workers, allocations, configs, maxParallelJobs }: ScalingInput): Room[] {
  const there = workers.map(
    ({ pool, walltimeMs, free }): Room => ({
      allocation: null,
      pool,
      walltimeMs,
      free: copyOf(free),
      isUsed: true,
    }),
  );
  const coming = allocations
    .filter(({ isQueued, isCanceled }) => isQueued && !isCanceled)
    .flatMap((one) => {
      const config = configs.find(({ key }) => key === one.config);
      return config === undefined ? [] : [{ one, rooms: roomsOfNew(one, config, one.key, maxParallelJobs) }];
    })
    // what fits anywhere must not take the room of jobs that fit only larger nodes
    .toSorted((a, b) => Number(isLarge(a.one)) - Number(isLarge(b.one)))
    .flatMap(({ rooms }) => rooms);
  return [...there, ...coming];
}

function isLarge({ minimum = noMinimum }: OpenAllocation): boolean {
  return isAsking(minimum);
}

/** Of an allocation that has not started: what its nodes surely have. Of a size that is not known it takes whatever fits its time. */
export function roomsOfNew(
  {
    numNodes,
    oneWorkerPerNode,
    walltimeMs,
    minimum,
  }: Pick<OpenAllocation, 'numNodes' | 'oneWorkerPerNode' | 'walltimeMs' | 'minimum'>,
  { pool, size, resources = noResources }: ScalingConfig,
  allocation: number | null,
  maxParallelJobs: number | null,
): Room[] {
  const numWorkers = oneWorkerPerNode ? numNodes : 1;
  const offer = {
    ...(withMinimum(size, minimum) ?? boundless),
    resources,
    numNodes: numNodes / numWorkers,
    maxParallelJobs,
  };
  return Array.from({ length: numWorkers }, () => {
    return { allocation, pool, walltimeMs, free: idleWorker(offer, walltimeMs), isUsed: false };
  });
}

const boundless: NodeSize = { numCpus: Number.MAX_SAFE_INTEGER, memoryBytes: Number.MAX_SAFE_INTEGER, numGpus: 1024 };

export interface Left {
  shape: WaitingShape;
  /** Places in which they run one after the other. */
  numSlots: number;
  /** Where nodes have several sizes: they fit only those that allocations ask for, or none that one can have. */
  isLarge: boolean;
}

/** Those that fit fewer nodes first. */
export function bySize(one: Left, other: Left): number {
  const [a, b] = [one.shape.need, other.shape.need];
  return (
    Number(other.isLarge) - Number(one.isLarge) ||
    b.numNodes - a.numNodes ||
    b.gpuThousandths - a.gpuThousandths ||
    b.numCpus - a.numCpus ||
    b.memoryBytes - a.memoryBytes
  );
}

/** Short jobs take turns, also on the workers that are there and busy with others. */
export function slotsOf(shape: WaitingShape, { workers, leadMs }: ScalingInput): number {
  const rounds = roundsOf(shape);
  if (rounds === 1) return shape.numJobs;
  const able = workers.filter(({ pool }) => mayTake(pool, shape));
  const numPlaces = able.reduce(
    (sum, worker) => sum + numFitting(worker.idle, needIn(worker, shape, leadMs), shape.numJobs),
    0,
  );
  return Math.max(0, Math.ceil((shape.numJobs - numPlaces * (rounds - 1)) / rounds));
}

export function needIn(
  room: { walltimeMs: number | null },
  shape: Pick<WaitingShape, 'need' | 'supportsTermination'>,
  leadMs: number,
): Requirements {
  return needAtStart(shape, leastTimeMs(leadMs, room.walltimeMs));
}

/** Puts as many as fit into the rooms; notes which rooms are used and what is left. */
export function place(left: Left, rooms: readonly Room[], { leadMs }: Pick<ScalingInput, 'leadMs'>): void {
  for (const room of rooms) {
    if (left.numSlots === 0) return;
    if (!mayTake(room.pool, left.shape)) continue;
    const need = needIn(room, left.shape, leadMs);
    for (; left.numSlots > 0 && fits(room.free, need); left.numSlots -= 1) {
      take(room.free, need);
      room.isUsed = true;
    }
  }
}
