/** Equal workers of the simulation: what is free on each, and what runs. */
import { type FreeNode, giveBack, hasRoom, idleWorker, type Offer } from '../decide/packing.ts';
import type { Requirements } from '../job.ts';
import { type Claimed, giveBackPlain } from './claims.ts';
import { claimText } from './equal-workers.ts';

interface End {
  at: number;
  batches: Claimed[];
}

export class Worker {
  readonly planned: number;
  readonly startMs: number;
  readonly replacementsLeft: number;
  free: FreeNode;
  /** How many they are. */
  count: number;
  /** Jobs of one node on its own node. */
  numOnOwnNode = 0;
  /** Null while jobs run. */
  idleSinceMs: number | null = null;
  /** A few, in no order. */
  readonly #ends: End[] = [];

  constructor(planned: number, count: number, free: FreeNode, startMs: number, replacementsLeft: number) {
    this.planned = planned;
    this.count = count;
    this.free = free;
    this.startMs = startMs;
    this.replacementsLeft = replacementsLeft;
  }

  get isIdle(): boolean {
    return this.#ends.length === 0;
  }

  /** Takes some of them apart, each with this much free. */
  split(count: number, free: FreeNode): Worker {
    const apart = new Worker(this.planned, count, free, this.startMs, this.replacementsLeft);
    apart.numOnOwnNode = this.numOnOwnNode;
    apart.#ends.push(...this.#ends.map(({ at, batches }) => ({ at, batches: [...batches] })));
    this.count -= count;
    return apart;
  }

  /** When their jobs end. */
  endsMs(): number[] {
    return this.#ends.map(({ at }) => at);
  }

  /** The same for workers that go on in the same way. */
  state(): string {
    const ends = this.#ends.map(({ at, batches }) => `${at}:${batches.map(claimText).sort()}`).sort();
    return `${this.planned} ${this.startMs} ${this.replacementsLeft} ${ends}`;
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
  count = 1,
): Worker {
  return new Worker(planned, count, idleWorker(offer, null), startMs, replacementsLeft);
}
