/** Simulated time: one queue of calls, hosts whose wall clocks jump, processes that die or stand still. */
import type { Clock } from '../../src/base/clock.ts';

interface Due {
  atMs: number;
  order: number;
  call: (() => void) | null;
}

/** Planned calls, in order of time and then of planning. */
export class Timeline {
  nowMs = 0;
  #order = 0;
  readonly #heap: Due[] = [];

  /** Calls after `delayMs`; returns a function that cancels. */
  after(delayMs: number, call: () => void): () => void {
    this.#order += 1;
    const due: Due = { atMs: this.nowMs + Math.max(0, delayMs), order: this.#order, call };
    const heap = this.#heap;
    let at = heap.push(due) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(heap[parent] as Due, due)) break;
      heap[at] = heap[parent] as Due;
      at = parent;
    }
    heap[at] = due;
    return () => {
      due.call = null;
    };
  }

  /** When the next call is due; Infinity when nothing is. */
  get nextMs(): number {
    while (this.#heap.length > 0 && this.#heap[0]?.call === null) this.#pop();
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  /** Makes the next call; false when there is none. */
  step(): boolean {
    if (this.nextMs === Number.POSITIVE_INFINITY) return false;
    const due = this.#pop();
    this.nowMs = due.atMs;
    due.call?.();
    return true;
  }

  #pop(): Due {
    const heap = this.#heap;
    const first = heap[0] as Due;
    const last = heap.pop() as Due;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Due, heap[child] as Due)) child += 1;
      if (isBefore(last, heap[child] as Due)) break;
      heap[at] = heap[child] as Due;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

const firstInstantMs = Date.UTC(2026, 0, 1);

/** A machine's wall clock, which may jump. */
export class Host {
  readonly name: string;
  bootId: string;
  skewMs = 0;

  constructor(name: string, bootId: string) {
    this.name = name;
    this.bootId = bootId;
  }
}

/** Everything that happens to a process goes through `deliver`: a dead one gets nothing, a frozen one gets it later. */
export class Process {
  readonly host: Host;
  readonly pid: number;
  readonly clock: Clock;
  readonly #timeline: Timeline;
  #state: 'alive' | 'frozen' | 'dead' = 'alive';
  #held: (() => void)[] = [];

  constructor(timeline: Timeline, host: Host, pid: number) {
    this.#timeline = timeline;
    this.host = host;
    this.pid = pid;
    const zeroMs = pid * 1000;
    this.clock = {
      now: () => Math.floor(firstInstantMs + timeline.nowMs + host.skewMs),
      monotonic: () => timeline.nowMs + zeroMs,
      after: (delayMs, call) => {
        let isWanted = true;
        const cancel = timeline.after(delayMs, () => this.deliver(() => isWanted && call()));
        return () => {
          isWanted = false;
          cancel();
        };
      },
    };
  }

  get isAlive(): boolean {
    return this.#state !== 'dead';
  }
  get isFrozen(): boolean {
    return this.#state === 'frozen';
  }

  deliver(call: () => void): void {
    if (this.#state === 'alive') call();
    else if (this.#state === 'frozen') this.#held.push(call);
  }

  kill(): void {
    this.#state = 'dead';
    this.#held = [];
  }

  freeze(): void {
    if (this.#state === 'alive') this.#state = 'frozen';
  }

  /** The calls that were held happen now, in order. */
  thaw(): void {
    if (this.#state !== 'frozen') return;
    this.#state = 'alive';
    const held = this.#held;
    this.#held = [];
    for (const call of held) this.#timeline.after(0, () => this.deliver(call));
  }
}

/** Slurm's clock is the true one. */
export function trueInstant(timeline: Timeline): number {
  return firstInstantMs + timeline.nowMs;
}
