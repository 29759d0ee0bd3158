/** How far groups of jobs are: what is ready in claim order, and what becomes ready when jobs end. */
import { fits, idleWorker, type Offer } from '../decide/packing.ts';
import { mayTake, type Pool } from '../decide/pools.ts';
import type { Claimed } from './claims.ts';
import type { JobGroup, Wait } from './groups.ts';
import { areOfOneRank, compareGroups, ReadyGroup } from './ready-groups.ts';

export class GroupProgress {
  readonly #groups: ReadyGroup[];
  /** By group: those that wait for it. */
  readonly #downstream: number[][];
  /** Groups with ready jobs, in claim order. */
  readonly #order: ReadyGroup[] = [];
  /** Whether the groups with ready jobs are those of the last mark. */
  #isMarked = false;
  readonly #ready = new Set<ReadyGroup>();
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

  group(index: number): ReadyGroup {
    return this.#groups[index] as ReadyGroup;
  }

  isDone(): boolean {
    return this.#numLeft === 0;
  }

  /** Jobs that have not ended. */
  numLeft(index: number): number {
    const { numJobs, numEnded } = this.group(index);
    return numJobs - numEnded;
  }

  hasBeenReady(index: number): boolean {
    return this.group(index).numReady > 0;
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
    return this.#order;
  }

  /** Finds the places of groups of which jobs have started. */
  started(groups: readonly ReadyGroup[]): void {
    const order = this.#order;
    let kept = 0;
    let place = 0;
    for (let left = groups.length; left > 0; place++) {
      const group = order[place] as ReadyGroup;
      if (group.isOutOfPlace) left -= 1;
      else order[kept++] = group;
    }
    for (; place < order.length; place++) order[kept++] = order[place] as ReadyGroup;
    order.length = kept;
    for (const group of groups) {
      group.isOutOfPlace = false;
      if (group.numAvailable > 0) insert(group, order);
      else this.#isMarked = false;
    }
  }

  /** Marks where the groups are. */
  mark(): void {
    for (const group of this.#order) group.markedKey = group.jobKey;
    this.#isMarked = true;
  }

  /**
   * How often a round of claims, all since the mark, would follow once more just as it was, at most `most` times: while all
   * groups of a rank went on by as many jobs, have jobs left, and do not come to another one, and no group joins them because
   * of the jobs that end in each round.
   */
  numRepeats(batches: readonly Claimed[], numWorkers: number, most: number): number {
    if (!this.#isMarked) return 0;
    const order = this.#order;
    let times = most;
    for (let place = 0; place < order.length && times > 0; ) {
      let end = place + 1;
      while (end < order.length && areOfOneRank(order[place] as ReadyGroup, order[end] as ReadyGroup)) end += 1;
      times = Math.min(times, repeatsOf(order, place, end));
      place = end;
    }
    while (times > 0 && this.#joins(batches, times * numWorkers)) times >>= 1;
    return times;
  }

  /** Whether a group has ready jobs again once each of some workers has ended these jobs. */
  #joins(batches: readonly Claimed[], count: number): boolean {
    for (const { group, numJobs } of batches) group.numEnded += numJobs * count;
    const joins = batches.some(({ group }) =>
      (this.#downstream[group.index] as number[]).some((index) => {
        const downstream = this.group(index);
        return downstream.numAvailable === 0 && this.#numReadyOf(downstream) > downstream.numReady;
      }),
    );
    for (const { group, numJobs } of batches) group.numEnded -= numJobs * count;
    return joins;
  }

  /** Notes that each of some workers has ended these jobs. */
  ended(batches: readonly Claimed[], count: number): void {
    if (count === 0) return;
    for (const { group, numJobs } of batches) {
      group.numEnded += numJobs * count;
      this.#numLeft -= numJobs * count;
      for (const index of this.#downstream[group.index] as number[]) this.#updateReady(this.group(index));
    }
  }

  /** Groups that have got ready jobs since it was asked. */
  takeReady(): ReadyGroup[] {
    const ready = [...this.#ready];
    this.#ready.clear();
    return ready;
  }

  #updateReady(group: ReadyGroup): void {
    const numReady = this.#numReadyOf(group);
    if (numReady <= group.numReady) return;
    if (group.numAvailable === 0) {
      insert(group, this.#order);
      this.#isMarked = false;
    }
    group.numReady = numReady;
    this.#ready.add(group);
  }

  #numReadyOf(group: ReadyGroup): number {
    return Math.floor(group.numJobs * this.#readyShare(group) + 1e-9);
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
    const { numEnded, numJobs } = this.group(group);
    if (numEnded === numJobs) return 1;
    // a job that waits for most of them waits for the last of them
    return perJob > numJobs / 2 ? 0 : numEnded / numJobs;
  }
}

/** The same for groups of one rank, those from one place in claim order up to another. */
function repeatsOf(order: readonly ReadyGroup[], from: number, to: number): number {
  let step = 0;
  let times = Number.POSITIVE_INFINITY;
  let low = Number.POSITIVE_INFINITY;
  let high = 0;
  for (let place = from; place < to; place++) {
    const { jobKey, markedKey, numAvailable } = order[place] as ReadyGroup;
    if (jobKey === markedKey) continue;
    if (step > 0 && jobKey - markedKey !== step) return 0;
    step = jobKey - markedKey;
    times = Math.min(times, Math.floor(numAvailable / step));
    low = Math.min(low, markedKey);
    high = Math.max(high, jobKey);
  }
  for (let place = from; place < to && step > 0; place++) {
    const { jobKey, markedKey } = order[place] as ReadyGroup;
    // one that was before them had no room
    if (jobKey === markedKey && jobKey >= low) times = Math.min(times, Math.max(0, Math.floor((jobKey - high) / step)));
  }
  return times;
}

function insert(group: ReadyGroup, order: ReadyGroup[]): void {
  let place = order.length;
  for (; place > 0; place--) {
    const before = order[place - 1] as ReadyGroup;
    if (compareGroups(before, group) < 0) break;
    order[place] = before;
  }
  order[place] = group;
}
