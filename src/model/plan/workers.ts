/** A worker of the simulation: what is free on it, and what runs. */
import { type FreeNode, giveBack, hasRoom, idleWorker, type Offer, type Share } from '../decide/packing.ts';
import type { Requirements } from '../job.ts';

/** Jobs of a group that end at the same instant. */
interface Batch {
  group: number;
  need: Requirements;
  numJobs: number;
  /** What each has, unless it is just a part of the worker's own node. */
  shares: Share[];
}

interface End {
  at: number;
  batches: Batch[];
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
  /** A few, in no order. */
  readonly #ends: End[] = [];

  constructor(planned: number, free: FreeNode, startMs: number, replacementsLeft: number) {
    this.planned = planned;
    this.free = free;
    this.startMs = startMs;
    this.replacementsLeft = replacementsLeft;
  }

  get isIdle(): boolean {
    return this.#ends.length === 0;
  }

  /** Notes a job that has its share. Whether it is the first one that ends at this instant. */
  add(group: number, { need, gpuIndices, nodeIndices }: Share & { need: Requirements }, endMs: number): boolean {
    if (need.numNodes === 1) this.numOnOwnNode += 1;
    const known = this.#ends.find(({ at }) => at === endMs);
    const end = known ?? { at: endMs, batches: [] };
    if (known === undefined) this.#ends.push(end);
    let batch = end.batches.find((each) => each.group === group);
    if (batch === undefined) {
      batch = { group, need, numJobs: 0, shares: [] };
      end.batches.push(batch);
    }
    batch.numJobs += 1;
    if (!isPlain(need)) batch.shares.push({ gpuIndices, nodeIndices });
    return known === undefined;
  }

  /** Takes back what the jobs that end at this instant had; these by group. */
  end(endMs: number): Batch[] {
    const place = this.#ends.findIndex(({ at }) => at === endMs);
    const [end] = place < 0 ? [] : this.#ends.splice(place, 1);
    for (const { need, numJobs, shares } of end?.batches ?? []) {
      for (let job = 0; job < numJobs; job++) {
        if (need.numNodes === 1) this.numOnOwnNode -= 1;
        giveBack(this.free, need, shares[job] ?? onOwnNode, need.numNodes === 1 && this.numOnOwnNode === 0);
      }
    }
    return end?.batches ?? [];
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

function isPlain({ numNodes, gpuThousandths }: Requirements): boolean {
  return numNodes === 1 && gpuThousandths === 0;
}

const onOwnNode: Share = { gpuIndices: [], nodeIndices: [0] };
