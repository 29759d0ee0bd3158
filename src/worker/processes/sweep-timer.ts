/** When the runner sweeps over all processes: soon after an end, ever more rarely while something stays. */
import type { Clock } from '../../base/clock.ts';

const shortestWaitMs = 5;
const longestWaitMs = 100;
const longestPauseMs = 50;

/**
 * A sweep is followed by a pause of this many times its length, so that sweeps take only a small part of the time. The
 * pause is shorter while a place on the node stands idle, and longer when another job has the place of one that ended:
 * then nobody waits for the sweep, because ends are reported together.
 */
export const sweepPause = {
  urgent: { times: 2, shortestMs: 0 },
  usual: { times: 20, shortestMs: 0 },
  calm: { times: 20, shortestMs: 20 },
} as const;
type SweepPause = (typeof sweepPause)[keyof typeof sweepPause];

export class SweepTimer {
  readonly #clock: Clock;
  readonly #sweep: () => void;
  #dueMs = Number.POSITIVE_INFINITY;
  #lastSweep = { endedMs: 0, tookMs: 0 };
  #waitMs = shortestWaitMs;
  #cancel: () => void = () => {};

  /** `sweep` may be called from within `schedule`. */
  constructor(clock: Clock, sweep: () => void) {
    this.#clock = clock;
    this.#sweep = sweep;
  }

  /** Something has happened: waits are short again. */
  reset(): void {
    this.#waitMs = shortestWaitMs;
  }

  /** Sweeps after `waitMs`, later when the pause is not over, or when it is due anyway if that is earlier. */
  schedule(waitMs: number, pause: SweepPause = sweepPause.usual): void {
    const nowMs = this.#clock.monotonic();
    const { endedMs, tookMs } = this.#lastSweep;
    const dueMs = Math.max(
      nowMs + waitMs,
      endedMs + Math.min(longestPauseMs, Math.max(pause.shortestMs, tookMs * pause.times)),
    );
    if (dueMs >= this.#dueMs) return;
    this.#cancel();
    this.#dueMs = dueMs;
    if (dueMs <= nowMs) this.#run();
    else this.#cancel = this.#clock.after(dueMs - nowMs, () => this.#run());
  }

  /** After a stop: sweeps as soon as the stopped jobs may be gone. */
  scheduleSoon(): void {
    this.reset();
    this.schedule(shortestWaitMs);
  }

  /** Something is left: the next sweep comes later than the last one did. */
  scheduleAgain(): void {
    this.schedule(this.#waitMs);
    this.#waitMs = Math.min(longestWaitMs, this.#waitMs * 2);
  }

  #run(): void {
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#sweep();
  }

  /** How long a sweep took; tell it before anything is scheduled again. */
  took(beganMs: number, endedMs: number): void {
    this.#lastSweep = { endedMs, tookMs: endedMs - beganMs };
  }

  cancel(): void {
    this.#cancel();
  }
}
