/** A worker of the simulation: what is free on it, and what runs. */
import { type FreeNode, giveBack, hasRoom, idleWorker, type Offer, type Share } from '../decide/packing.ts';
import type { Requirements } from '../job.ts';

/** Jobs of a group that end at the same instant, each with its share. */
interface Batch {
  group: number;
  need: Requirements;
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
  /** By the instant of the end, then by group. */
  readonly #ends = new Map<number, Map<number, Batch>>();

  constructor(planned: number, free: FreeNode, startMs: number, replacementsLeft: number) {
    this.planned = planned;
    this.free = free;
    this.startMs = startMs;
    this.replacementsLeft = replacementsLeft;
  }

  get isIdle(): boolean {
    return this.#ends.size === 0;
  }

  /** Notes a job that has its share. Whether it is the first one that ends at this instant. */
  add(group: number, { need, gpuIndices, nodeIndices }: Share & { need: Requirements }, endMs: number): boolean {
    if (need.numNodes === 1) this.numOnOwnNode += 1;
    const share = { gpuIndices, nodeIndices };
    const ends = this.#ends.get(endMs);
    const batch = ends?.get(group);
    if (batch !== undefined) batch.shares.push(share);
    else if (ends !== undefined) ends.set(group, { group, need, shares: [share] });
    else this.#ends.set(endMs, new Map([[group, { group, need, shares: [share] }]]));
    return ends === undefined;
  }

  /** Takes back what the jobs that end at this instant had; these by group. */
  end(endMs: number): Batch[] {
    const ends = [...(this.#ends.get(endMs)?.values() ?? [])];
    this.#ends.delete(endMs);
    for (const { need, shares } of ends) {
      for (const share of shares) {
        if (need.numNodes === 1) this.numOnOwnNode -= 1;
        giveBack(this.free, need, share, need.numNodes === 1 && this.numOnOwnNode === 0);
      }
    }
    return ends;
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
