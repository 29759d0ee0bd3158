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
  /** Groups with ready jobs, in claim order unless that has to be found again. */
  readonly #order: ReadyGroup[] = [];
  #isInOrder = false;
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
    const { numJobs, numEnded } = this.#group(index);
    return numJobs - numEnded;
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
    if (!this.#isInOrder) putInOrder(this.#order);
    this.#isInOrder = true;
    return this.#order;
  }

  /** Finds the places of groups of which jobs have started: before those that are equal. */
  started(claimed: readonly Claimed[]): void {
    const order = this.#order;
    let kept = 0;
    let place = 0;
    for (let left = claimed.length; left > 0; place++) {
      const group = order[place] as ReadyGroup;
      if (group.isOutOfPlace) left -= 1;
      else order[kept++] = group;
    }
    for (; place < order.length; place++) order[kept++] = order[place] as ReadyGroup;
    order.length = kept;
    for (const { group } of claimed) {
      group.isOutOfPlace = false;
      if (group.numAvailable > 0) insert(group, order);
      else this.#isInOrder = false;
    }
  }

  /** Notes jobs that have ended; the groups that have more ready jobs then. */
  ended(batches: readonly Claimed[]): readonly ReadyGroup[] {
    let ready = none;
    for (const { group, numJobs } of batches) {
      group.numEnded += numJobs;
      this.#numLeft -= numJobs;
      for (const index of this.#downstream[group.index] as number[]) {
        const downstream = this.#group(index);
        if (this.#updateReady(downstream) && !ready.includes(downstream)) ready = [...ready, downstream];
      }
    }
    return ready;
  }

  /** Whether more jobs are ready than before. */
  #updateReady(group: ReadyGroup): boolean {
    const numReady = Math.floor(group.numJobs * this.#readyShare(group) + 1e-9);
    if (numReady <= group.numReady) return false;
    if (group.numAvailable === 0) {
      this.#order.push(group);
      this.#isInOrder = false;
    }
    group.numReady = numReady;
    return true;
  }

  /** Jobs are taken to end and to wait in the same order; where each waits for one of several groups, in parts. */
  #readyShare({ waitsFor }: ReadyGroup): number {
    let share = 1;
    let waiting = 0;
    let inParts = 0;
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
    const { numEnded, numJobs } = this.#group(group);
    if (numEnded === numJobs) return 1;
    // a job that waits for most of them waits for the last of them
    return perJob > numJobs / 2 ? 0 : numEnded / numJobs;
  }
}

const none: readonly ReadyGroup[] = [];

/** Before those that are equal. */
function insert(group: ReadyGroup, order: ReadyGroup[]): void {
  let place = order.length;
  for (; place > 0; place--) {
    const before = order[place - 1] as ReadyGroup;
    if (compareGroups(before, group) < 0) break;
    order[place] = before;
  }
  order[place] = group;
}

/** Those that are equal by their index. They are nearly in order. */
function putInOrder(groups: ReadyGroup[]): void {
  for (let next = 1; next < groups.length; next++) {
    const group = groups[next] as ReadyGroup;
    let place = next;
    for (; place > 0; place--) {
      const before = groups[place - 1] as ReadyGroup;
      if ((compareGroups(before, group) || before.index - group.index) < 0) break;
      groups[place] = before;
    }
    groups[place] = group;
  }
}
