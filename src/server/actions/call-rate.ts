/** How often Slurm's commands that change something may be called: at most a number of times in any minute. */
import type { Clock } from '../../base/clock.ts';

const minuteMs = 60_000;

export class CallRate {
  readonly #clock: Clock;
  readonly perMinute: number;
  /** Of the last minute, on the monotonic clock. */
  #calls: number[] = [];

  constructor(clock: Clock, perMinute: number) {
    this.#clock = clock;
    this.perMinute = perMinute;
  }

  /** How long until the next call is allowed; 0 for now. */
  waitMs(): number {
    const nowMs = this.#clock.monotonic();
    this.#calls = this.#calls.filter((at) => nowMs - at < minuteMs);
    const [first] = this.#calls;
    return first === undefined || this.#calls.length < this.perMinute ? 0 : first + minuteMs - nowMs;
  }

  note(): void {
    this.#calls.push(this.#clock.monotonic());
  }
}
