/** The workers that are there, and which of them may have room for jobs that become ready. */
import { isFull } from '../decide/packing.ts';
import { EventQueue } from './events.ts';
import type { ReadyGroup } from './ready-groups.ts';
import type { Worker } from './workers.ts';

interface Place {
  /** By coming, from 0. */
  number: number;
  /** The latest place in the list of changes. */
  latest: number;
}

/** What is to be looked at when jobs of a group become ready. */
interface Lookout {
  /** So many of the changes have been looked at. */
  numSeen: number;
  /** Those of them that had room, by their numbers, each once. */
  queue: EventQueue<Worker>;
  queued: Set<Worker>;
}

/**
 * Not all of them are looked at each time: one that takes no job of a group, for lack of room or of time, takes none until
 * something on it ends.
 */
export class PresentWorkers {
  readonly #places = new Map<Worker, Place>();
  /** Those whose room was noted, in this order. */
  readonly #changes: Worker[] = [];
  readonly #lookouts = new Map<number, Lookout>();
  #numCome = 0;

  add(worker: Worker): void {
    this.#places.set(worker, { number: this.#numCome, latest: 0 });
    this.#numCome += 1;
  }

  has(worker: Worker): boolean {
    return this.#places.has(worker);
  }

  /** Whether it was there. */
  remove(worker: Worker): boolean {
    return this.#places.delete(worker);
  }

  /** In the order in which they came. */
  all(): Worker[] {
    return [...this.#places.keys()];
  }

  /** Notes what is left on one that came, or on which something ended, once it has got the jobs that were ready. */
  noteRoom(worker: Worker): void {
    if (isFull(worker.free)) return;
    const place = this.#places.get(worker);
    if (place !== undefined) place.latest = this.#changes.push(worker) - 1;
  }

  /** Offers those with room for jobs of these groups, in the order in which they came, until the jobs have started. */
  offerTo(groups: readonly ReadyGroup[], offer: (worker: Worker) => void): void {
    const isLeft = ({ numAvailable }: ReadyGroup) => numAvailable > 0;
    for (let left = groups.filter(isLeft); left.length > 0; ) {
      const worker = this.#takeFor(left);
      if (worker === null) return;
      offer(worker);
      const before = left.length;
      left = left.filter(isLeft);
      // it may have room for more jobs than there are now
      if (left.length < before) this.noteRoom(worker);
    }
  }

  /** The first that came of those that may have room for a job of one of the groups. */
  #takeFor(groups: readonly ReadyGroup[]): Worker | null {
    let first: { at: number; event: Worker } | null = null;
    for (const group of groups) {
      const next = this.#firstFor(group);
      if (next !== null && (first === null || next.at < first.at)) first = next;
    }
    if (first === null) return null;
    for (const { index } of groups) {
      const lookout = this.#lookoutOf(index);
      if (lookout.queue.first()?.event === first.event) takeFrom(lookout);
    }
    return first.event;
  }

  #firstFor({ index, need }: ReadyGroup): { at: number; event: Worker } | null {
    const lookout = this.#lookoutOf(index);
    for (; lookout.numSeen < this.#changes.length; lookout.numSeen++) {
      const worker = this.#changes[lookout.numSeen] as Worker;
      const place = this.#places.get(worker);
      const isNews = place?.latest === lookout.numSeen && !lookout.queued.has(worker);
      if (place === undefined || !isNews || !worker.hasRoomFor(need)) continue;
      lookout.queue.add(place.number, worker);
      lookout.queued.add(worker);
    }
    for (let next = lookout.queue.first(); next !== null; next = lookout.queue.first()) {
      if (this.#places.has(next.event) && next.event.hasRoomFor(need)) return next;
      takeFrom(lookout);
    }
    return null;
  }

  #lookoutOf(group: number): Lookout {
    const known = this.#lookouts.get(group);
    if (known !== undefined) return known;
    const made = { numSeen: 0, queue: new EventQueue<Worker>(), queued: new Set<Worker>() };
    this.#lookouts.set(group, made);
    return made;
  }
}

function takeFrom({ queue, queued }: Lookout): void {
  const taken = queue.take();
  if (taken !== null) queued.delete(taken.event);
}
