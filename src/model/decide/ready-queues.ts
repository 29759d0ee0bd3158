/**
 * The ready jobs of a workflow in claim order: a queue for each shape, of which the first jobs are known, and the queues
 * in the order of their heads. Following a job that comes or goes costs the logarithm of the number of shapes, and so
 * does each step of a walk in claim order.
 */

/** A ready job. */
export interface Candidate {
  jobKey: number;
  priority: number;
}

/** The place of a shape in claim order by the workflow's sort method; smaller goes first. */
export interface Ranked {
  sortRank: number;
}

/** Jobs behind the first `skip` of a queue in claim order; fewer than `atMost` only when there are no more. */
export type Fetch<S> = (shape: S, skip: number, atMost: number) => Candidate[];

/** Jobs that are fetched at a time, and how many of a queue are kept when jobs are added to it. */
const piece = 64;
const mostKept = 4 * piece;

export class ShapeQueue<S extends Ranked> {
  readonly shape: S;
  readonly #fetch: Fetch<S>;
  /** The first jobs in claim order. */
  #known: Candidate[];
  /** Whether no others exist. */
  #isWhole: boolean;

  constructor(shape: S, fetch: Fetch<S>, known: Candidate[], isWhole: boolean) {
    this.shape = shape;
    this.#fetch = fetch;
    this.#known = known;
    this.#isWhole = isWhole;
  }

  /** The job at a place in claim order, or null behind the last one. */
  at(place: number): Candidate | null {
    while (place >= this.#known.length && !this.#isWhole) {
      const more = this.#fetch(this.shape, this.#known.length, piece);
      this.#known.push(...more);
      this.#isWhole = more.length < piece;
    }
    return this.#known[place] ?? null;
  }

  /** Follows a job that became ready. */
  add(job: Candidate): void {
    const place = placeOf(this.#known, (known) => compareJobs(known, job) < 0);
    // others that are not known may come before it
    if (place === this.#known.length && !this.#isWhole) return;
    this.#known.splice(place, 0, job);
    if (this.#known.length <= mostKept) return;
    this.#known.length = mostKept / 2;
    this.#isWhole = false;
  }

  /** Follows a job that is not ready any more. */
  remove(job: Candidate): void {
    const place = placeOf(this.#known, (known) => compareJobs(known, job) < 0);
    if (this.#known[place]?.jobKey === job.jobKey) this.#known.splice(place, 1);
  }

  /** Follows its first jobs, which are not ready any more. */
  removeFirst(jobKeys: ReadonlySet<number>): void {
    const others = this.#known.findIndex(({ jobKey }) => !jobKeys.has(jobKey));
    this.#known.splice(0, others === -1 ? this.#known.length : others);
  }
}

/** A queue with the job in it that comes next. */
export interface Next<S extends Ranked> {
  queue: ShapeQueue<S>;
  head: Candidate;
  place: number;
}

export class ReadyQueues<S extends Ranked & { shapeKey: number }> {
  readonly #fetch: Fetch<S>;
  readonly #queues = new Map<number, ShapeQueue<S>>();
  /** Ordered by their heads. */
  readonly #order: Next<S>[];

  /** Starts with the first job of each shape that has ready jobs. */
  constructor(heads: Iterable<{ shape: S; head: Candidate }>, fetch: Fetch<S>) {
    this.#fetch = fetch;
    this.#order = [...heads].map(({ shape, head }) => ({
      queue: new ShapeQueue(shape, fetch, [head], false),
      head,
      place: 0,
    }));
    this.#order.sort(compareNext);
    for (const { queue } of this.#order) this.#queues.set(queue.shape.shapeKey, queue);
  }

  /** The shapes that have ready jobs, in the order of the heads of their queues. */
  *shapes(): Generator<S> {
    for (const { queue } of this.#order) yield queue.shape;
  }

  /** Whether jobs of any shape pass the test. */
  some(test: (shape: S) => boolean): boolean {
    return this.#order.some(({ queue }) => test(queue.shape));
  }

  /** The ready jobs in claim order; valid until a job comes or goes. */
  walk(): ClaimWalk<S> {
    return new ClaimWalk(this.#order);
  }

  /** Follows a job that became ready. */
  add(shapeKey: number, job: Candidate, shapeOf: () => S): void {
    const queue = this.#queues.get(shapeKey);
    if (queue === undefined) {
      const made = new ShapeQueue(shapeOf(), this.#fetch, [job], true);
      this.#queues.set(shapeKey, made);
      this.#insert({ queue: made, head: job, place: 0 });
      return;
    }
    this.#follow(queue, () => queue.add(job));
  }

  /** Follows a job that is not ready any more. */
  remove(shapeKey: number, job: Candidate): void {
    const queue = this.#queues.get(shapeKey);
    if (queue !== undefined) this.#follow(queue, () => queue.remove(job));
  }

  /** Follows jobs that are not ready any more: of each shape the first ones in claim order. */
  removeFirst(jobs: readonly { jobKey: number; shapeKey: number }[]): void {
    const jobKeys = new Set(jobs.map(({ jobKey }) => jobKey));
    for (const shapeKey of new Set(jobs.map((job) => job.shapeKey))) {
      const queue = this.#queues.get(shapeKey);
      if (queue !== undefined) this.#follow(queue, () => queue.removeFirst(jobKeys));
    }
  }

  /** Keeps the order while a queue changes. */
  #follow(queue: ShapeQueue<S>, change: () => void): void {
    const old = queue.at(0);
    change();
    const head = queue.at(0);
    if (head === old) return;
    if (old !== null) this.#order.splice(this.#placeOf({ queue, head: old, place: 0 }), 1);
    if (head === null) this.#queues.delete(queue.shape.shapeKey);
    else this.#insert({ queue, head, place: 0 });
  }

  #insert(next: Next<S>): void {
    this.#order.splice(this.#placeOf(next), 0, next);
  }

  #placeOf(next: Next<S>): number {
    return placeOf(this.#order, (other) => compareNext(other, next) < 0);
  }
}

/** One walk over ready jobs in claim order. It changes nothing of what it walks over. */
export class ClaimWalk<S extends Ranked> {
  readonly #order: readonly Next<S>[];
  #position = 0;
  /** Queues of which jobs were taken, in order. */
  readonly #taken: Next<S>[] = [];

  constructor(order: readonly Next<S>[]) {
    this.#order = order;
  }

  /** The next job in claim order, or null when there is none left. */
  peek(): Next<S> | null {
    const [fresh, taken] = [this.#order[this.#position], this.#taken[0]];
    if (fresh === undefined || taken === undefined) return fresh ?? taken ?? null;
    return compareNext(fresh, taken) < 0 ? fresh : taken;
  }

  /** Goes on behind the next job. */
  take(): void {
    const next = this.skip();
    if (next === null) return;
    const { queue, place } = next;
    const head = queue.at(place + 1);
    if (head === null) return;
    const following = { queue, head, place: place + 1 };
    const at = placeOf(this.#taken, (other) => compareNext(other, following) < 0);
    this.#taken.splice(at, 0, following);
  }

  /** Leaves out the next job and all others of its shape. */
  skip(): Next<S> | null {
    const next = this.peek();
    if (next === null) return null;
    if (next === this.#taken[0]) this.#taken.shift();
    else this.#position += 1;
    return next;
  }
}

function compareJobs(a: Candidate, b: Candidate): number {
  return b.priority - a.priority || a.jobKey - b.jobKey;
}

/** Claim order. */
export function compareNext<S extends Ranked>(a: Next<S>, b: Next<S>): number {
  return (
    b.head.priority - a.head.priority ||
    a.queue.shape.sortRank - b.queue.shape.sortRank ||
    a.head.jobKey - b.head.jobKey
  );
}

/** The number of elements for which `isBefore` holds; it holds only for the first ones. */
function placeOf<T>(list: readonly T[], isBefore: (element: T) => boolean): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isBefore(list[middle] as T)) low = middle + 1;
    else high = middle;
  }
  return low;
}
