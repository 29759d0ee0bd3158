/** A worker of the simulation: what is free on it, and what runs. */
import { type FreeNode, giveBack, hasRoom, idleWorker, type Offer } from '../decide/packing.ts';
import type { Requirements } from '../job.ts';
import { type Claimed, giveBackPlain } from './claims.ts';

interface End {
  at: number;
  batches: Claimed[];
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

  /** Notes jobs that were claimed. Whether they are the first ones that end at this instant. */
  add(claimed: Claimed, endMs: number): boolean {
    if (claimed.group.need.numNodes === 1) this.numOnOwnNode += claimed.numJobs;
    for (const { at, batches } of this.#ends) {
      if (at !== endMs) continue;
      batches.push(claimed);
      return false;
    }
    this.#ends.push({ at: endMs, batches: [claimed] });
    return true;
  }

  /** Takes back what the jobs that end at this instant had. */
  end(endMs: number): readonly Claimed[] {
    const place = this.#ends.findIndex(({ at }) => at === endMs);
    if (place < 0) return [];
    const { batches } = this.#ends[place] as End;
    this.#ends.splice(place, 1);
    for (const claimed of batches) this.#takeBack(claimed);
    return batches;
  }

  #takeBack(claimed: Claimed): void {
    const { group, numJobs, shares } = claimed;
    const { need, isPlain } = group;
    if (need.numNodes === 1) this.numOnOwnNode -= numJobs;
    const isLast = need.numNodes === 1 && this.numOnOwnNode === 0;
    if (isPlain) giveBackPlain(this.free, claimed, isLast);
    else for (const [job, share] of shares.entries()) giveBack(this.free, need, share, isLast && job === numJobs - 1);
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
