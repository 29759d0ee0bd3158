/** How far groups of jobs are: what is ready in claim order, and what becomes ready when jobs end. */
import { fits, idleWorker, type Offer } from '../decide/packing.ts';
import { anyConfig, type Belonging, mayTake, type Pool } from '../decide/pools.ts';
import { type Candidate, ClaimWalk, compareNext, type Next, type Ranked, ShapeQueue } from '../decide/ready-queues.ts';
import type { Requirements } from '../job.ts';
import type { JobGroup, Wait } from './groups.ts';
import { needOf } from './need.ts';

/** A group as claims see it. */
export interface ReadyGroup extends Ranked {
  index: number;
  need: Requirements;
  belonging: Belonging;
  /** Jobs that are ready and have not started. */
  available: () => number;
}

interface State {
  group: JobGroup;
  numReady: number;
  numStarted: number;
  numEnded: number;
  downstream: number[];
  next: Next<ReadyGroup>;
}

/** The jobs of a group in their order, without a list of them. */
class GroupQueue extends ShapeQueue<ReadyGroup> {
  readonly #candidate: (place: number) => Candidate | null;

  constructor(shape: ReadyGroup, candidate: (place: number) => Candidate | null) {
    super(shape, () => [], [], true);
    this.#candidate = candidate;
  }

  override at(place: number): Candidate | null {
    return this.#candidate(place);
  }
}

export class GroupProgress {
  readonly #states: State[];
  /** Groups with ready jobs in claim order; null when it has to be found again. */
  #order: Next<ReadyGroup>[] | null = null;
  #numLeft: number;

  constructor(groups: readonly JobGroup[]) {
    this.#states = groups.map((group, index) => stateOf(group, index));
    for (const [index, { waitsFor }] of groups.entries()) {
      for (const { group } of waitsFor) this.#state(group).downstream.push(index);
    }
    this.#numLeft = groups.reduce((sum, { numJobs }) => sum + numJobs, 0);
    for (const [index] of groups.entries()) this.#updateReady(index);
  }

  #state(index: number): State {
    return this.#states[index] as State;
  }

  isDone(): boolean {
    return this.#numLeft === 0;
  }

  /** Jobs that have not ended. */
  numLeft(index: number): number {
    const { group, numEnded } = this.#state(index);
    return group.numJobs - numEnded;
  }

  hasBeenReady(index: number): boolean {
    return this.#state(index).numReady > 0;
  }

  /** Whether a new worker would get a job. */
  hasWorkFor({ offer, walltimeMs, pool }: { offer: Offer; walltimeMs: number; pool: Pool }): boolean {
    const idle = idleWorker(offer, walltimeMs);
    return this.#states.some(({ next }) => {
      const { available, need, belonging } = next.queue.shape;
      return available() > 0 && mayTake(pool, belonging) && fits(idle, need);
    });
  }

  walk(): ClaimWalk<ReadyGroup> {
    if (this.#order === null) {
      this.#order = this.#states.filter(hasReady).map(({ next }) => next);
      for (const each of this.#order) each.head = each.queue.at(0) as Candidate;
      this.#order.sort(compareNext);
    }
    return new ClaimWalk(this.#order);
  }

  /** Notes how many jobs have started, by their groups. */
  started(groups: ReadonlyMap<number, number>): void {
    for (const [index, numJobs] of groups) {
      const state = this.#state(index);
      state.numStarted += numJobs;
      if (hasReady(state)) this.#moveBack(state.next);
      else this.#order = null;
    }
  }

  /** Finds the place of a group whose head is a later job now. */
  #moveBack(next: Next<ReadyGroup>): void {
    next.head = next.queue.at(0) as Candidate;
    const order = this.#order ?? [];
    for (let place = order.indexOf(next); place >= 0 && place + 1 < order.length; place++) {
      const following = order[place + 1] as Next<ReadyGroup>;
      if (compareNext(next, following) <= 0) return;
      order[place] = following;
      order[place + 1] = next;
    }
  }

  /** Notes jobs that have ended; the groups that have more ready jobs then. */
  ended(index: number, numJobs: number): ReadyGroup[] {
    const state = this.#state(index);
    state.numEnded += numJobs;
    this.#numLeft -= numJobs;
    return state.downstream.filter((each) => this.#updateReady(each)).map((each) => this.#state(each).next.queue.shape);
  }

  /** Whether more jobs are ready than before. */
  #updateReady(index: number): boolean {
    const state = this.#state(index);
    const { numJobs } = state.group;
    const numReady = Math.floor(numJobs * this.#readyShare(state.group) + 1e-9);
    if (numReady <= state.numReady) return false;
    if (!hasReady(state)) this.#order = null;
    state.numReady = numReady;
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
    const { numEnded, group: upstream } = this.#state(group);
    if (numEnded === upstream.numJobs) return 1;
    // a job that waits for most of them waits for the last of them
    return perJob > upstream.numJobs / 2 ? 0 : numEnded / upstream.numJobs;
  }
}

function stateOf(group: JobGroup, index: number): State {
  const { sortRank, priority, labels, firstJob } = group;
  const shape: ReadyGroup = {
    index,
    sortRank,
    need: needOf(group),
    belonging: { slurmConfigKey: anyConfig, labels },
    available: () => state.numReady - state.numStarted,
  };
  const queue = new GroupQueue(shape, (place) => {
    return place < shape.available() ? { jobKey: firstJob + state.numStarted + place, priority } : null;
  });
  const next = { queue, head: { jobKey: firstJob, priority }, place: 0 };
  const state: State = { group, numReady: 0, numStarted: 0, numEnded: 0, downstream: [], next };
  return state;
}

function hasReady({ numReady, numStarted }: State): boolean {
  return numReady > numStarted;
}
