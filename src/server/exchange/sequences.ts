/** The highest seq of each worker's requests, in memory: an older request changes nothing. */
import type { Request } from '../../api/contract.ts';
import type { Clock } from '../../base/clock.ts';

/** No request takes this long, so the seq of a worker that has been silent for longer is no longer needed. */
const forgetAfterMs = 600_000;
const mostSilent = 1_000;

type Numbered = Pick<Request<'exchange'>, 'worker_id' | 'seq'>;

export class Sequences {
  readonly #clock: Clock;
  readonly #isParked: (workerId: string) => boolean;
  readonly #last = new Map<string, { seq: number; atMs: number }>();
  /** With more workers than this, the silent ones are removed. */
  #forgetAt = mostSilent;

  constructor(clock: Clock, isParked: (workerId: string) => boolean) {
    this.#clock = clock;
    this.#isParked = isParked;
  }

  isNew({ worker_id, seq }: Numbered): boolean {
    const last = this.#last.get(worker_id);
    return last === undefined || seq > last.seq;
  }

  /** Whether no newer request of the worker has arrived since. */
  isNewest({ worker_id, seq }: Numbered): boolean {
    return this.#last.get(worker_id)?.seq === seq;
  }

  note({ worker_id, seq }: Numbered): void {
    this.#last.set(worker_id, { seq, atMs: this.#clock.monotonic() });
    if (this.#last.size > this.#forgetAt) this.#forgetSilent();
  }

  clear(): void {
    this.#last.clear();
  }

  #forgetSilent(): void {
    const before = this.#clock.monotonic() - forgetAfterMs;
    for (const [workerId, { atMs }] of this.#last) {
      if (atMs < before && !this.#isParked(workerId)) this.#last.delete(workerId);
    }
    this.#forgetAt = Math.max(mostSilent, 2 * this.#last.size);
  }
}
