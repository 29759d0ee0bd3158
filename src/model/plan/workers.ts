/** A worker of the simulation: what is free on it, and what runs. */
import { type FreeNode, hasRoom, idleWorker, type Offer, type Share } from '../decide/packing.ts';
import type { Requirements } from '../job.ts';

/** Jobs of a group that started at the same instant. */
interface Batch {
  group: number;
  need: Requirements;
  startMs: number;
  shares: Share[];
}

export class Worker {
  readonly planned: number;
  readonly startMs: number;
  readonly replacementsLeft: number;
  readonly free: FreeNode;
  /** Jobs of one node on its own node. */
  numOnOwnNode = 0;
  /** Null while jobs run. */
  idleSinceMs: number | null = null;
  readonly #batches = new Map<number, Batch>();
  #latest: { key: number; batch: Batch } | null = null;
  #numBatches = 0;

  constructor(planned: number, free: FreeNode, startMs: number, replacementsLeft: number) {
    this.planned = planned;
    this.free = free;
    this.startMs = startMs;
    this.replacementsLeft = replacementsLeft;
  }

  get numBatches(): number {
    return this.#batches.size;
  }

  /** Notes a job that has its share. The key of its batch if it is the first of it, else null. */
  add(group: number, { need, gpuIndices, nodeIndices }: Share & { need: Requirements }, nowMs: number): number | null {
    if (need.numNodes === 1) this.numOnOwnNode += 1;
    const share = { gpuIndices, nodeIndices };
    const latest = this.#latest;
    if (latest !== null && latest.batch.group === group && latest.batch.startMs === nowMs) {
      latest.batch.shares.push(share);
      return null;
    }
    const key = this.#numBatches;
    this.#numBatches += 1;
    const batch = { group, need, startMs: nowMs, shares: [share] };
    this.#batches.set(key, batch);
    this.#latest = { key, batch };
    return key;
  }

  remove(key: number): Batch {
    const batch = this.#batches.get(key);
    if (batch === undefined) throw new RangeError(`there is no batch ${key}`);
    this.#batches.delete(key);
    if (this.#latest?.key === key) this.#latest = null;
    return batch;
  }

  /** Whether a job may fit, as far as it is known without the time that is left. */
  hasRoomFor(need: Requirements): boolean {
    return hasRoom(this.free, need);
  }
}

export function startWorker(
  planned: number,
  { offer }: { offer: Offer },
  startMs: number,
  replacementsLeft: number,
): Worker {
  return new Worker(planned, idleWorker(offer, null), startMs, replacementsLeft);
}

export function isIdle(worker: Worker): boolean {
  return worker.numBatches === 0;
}
