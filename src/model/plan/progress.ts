/** How far groups of jobs are: what is ready in claim order, and what becomes ready when jobs end. */
import { fits, idleWorker, type Offer } from '../decide/packing.ts';
import { mayTake, type Pool } from '../decide/pools.ts';
import type { Claimed } from './claims.ts';
import type { JobGroup, Wait } from './groups.ts';
import { compareGroups, ReadyGroup } from './ready-groups.ts';

export class GroupProgress {
  readonly #groups: ReadyGroup[];
  /** By group: those that wait for it. */
  readonly #downstream: number[][];
  /** Groups with ready jobs in claim order; null when it has to be found again. */
  #order: ReadyGroup[] | null = null;
  #numLeft: number;

  constructor(groups: readonly JobGroup[]) {
    this.#groups = groups.map((group, index) => new ReadyGroup(group, index));
    this.#downstream = groups.map(() => []);
    for (const [index, { waitsFor }] of groups.entries()) {
      for (const { group } of waitsFor) this.#downstream[group]?.push(index);
    }
    this.#numLeft = groups.reduce((sum, { numJobs }) => sum + numJobs, 0);
    for (const each of this.#groups) this.#updateReady(each);
  }

  #group(index: number): ReadyGroup {
    return this.#groups[index] as ReadyGroup;
  }

  isDone(): boolean {
    return this.#numLeft === 0;
  }

  /** Jobs that have not ended. */
  numLeft(index: number): number {
    const { group, numEnded } = this.#group(index);
    return group.numJobs - numEnded;
  }

  hasBeenReady(index: number): boolean {
    return this.#group(index).numReady > 0;
  }

  /** Whether a new worker would get a job. */
  hasWorkFor({ offer, walltimeMs, pool }: { offer: Offer; walltimeMs: number; pool: Pool }): boolean {
    if (this.isDone()) return false;
    const idle = idleWorker(offer, walltimeMs);
    return this.#groups.some((group) => {
      return group.numAvailable > 0 && mayTake(pool, group.belonging) && fits(idle, group.need);
    });
  }

  /** Groups with ready jobs in claim order. */
  order(): readonly ReadyGroup[] {
    this.#order ??= this.#groups.filter(({ numAvailable }) => numAvailable > 0).sort(compareGroups);
    return this.#order;
  }

  /** Finds the places of groups of which jobs have started: before those that are equal. */
  started(claimed: readonly Claimed[]): void {
    const order = this.#order ?? [];
    let [kept, place] = [0, 0];
    for (let left = claimed.length; left > 0 && place < order.length; place++) {
      const group = order[place] as ReadyGroup;
      if (group.isOutOfPlace) left -= 1;
      else order[kept++] = group;
    }
    order.splice(kept, place - kept);
    let isWhole = this.#order !== null;
    for (const { group } of claimed) {
      group.isOutOfPlace = false;
      if (group.numAvailable > 0) order.splice(placeOf(group, order), 0, group);
      else isWhole = false;
    }
    if (!isWhole) this.#order = null;
  }

  /** Notes jobs that have ended; the groups that have more ready jobs then. */
  ended(index: number, numJobs: number): readonly ReadyGroup[] {
    this.#group(index).numEnded += numJobs;
    this.#numLeft -= numJobs;
    const downstream = this.#downstream[index] as number[];
    if (downstream.length === 0) return none;
    return downstream.map((each) => this.#group(each)).filter((each) => this.#updateReady(each));
  }

  /** Whether more jobs are ready than before. */
  #updateReady(ready: ReadyGroup): boolean {
    const { group } = ready;
    const numReady = Math.floor(group.numJobs * this.#readyShare(group) + 1e-9);
    if (numReady <= ready.numReady) return false;
    if (ready.numAvailable === 0) this.#order = null;
    ready.numReady = numReady;
    return true;
  }

  /** Jobs are taken to end and to wait in the same order; where each waits for one of several groups, in parts. */
  #readyShare({ waitsFor }: JobGroup): number {
    let share = 1;
    let [waiting, inParts] = [0, 0];
    for (const wait of waitsFor) {
      const ended = this.#endedShare(wait);
      if (wait.perJob >= 1) share = Math.min(share, ended);
      else {
        waiting += wait.perJob;
        inParts += wait.perJob * ended;
      }
    }
    return Math.min(share, 1 - Math.min(1, waiting) + (waiting > 1 ? inParts / waiting : inParts));
  }

  #endedShare({ group, perJob }: Wait): number {
    const { numEnded, group: upstream } = this.#group(group);
    if (numEnded === upstream.numJobs) return 1;
    // a job that waits for most of them waits for the last of them
    return perJob > upstream.numJobs / 2 ? 0 : numEnded / upstream.numJobs;
  }
}

const none: readonly ReadyGroup[] = [];

/** The number of those that are before it. */
function placeOf(group: ReadyGroup, order: readonly ReadyGroup[]): number {
  let [low, high] = [0, order.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareGroups(order[middle] as ReadyGroup, group) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
