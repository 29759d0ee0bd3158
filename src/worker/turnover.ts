/** How many jobs come and go on this node and how fast, and so how long their reports may wait to travel together. */
import type { FinishedAttempt } from './processes/job-runner.ts';

/** Ends are reported together while enough jobs wait here to keep the node busy, or all others will end soon. */
const endsDelayMs = 40;
/** A job that takes no longer is short. */
const shortMs = 20;

export class Turnover {
  /** When the jobs began that have a place on the node, the oldest first. */
  readonly #began = new Map<number, number>();
  #numEnded = 0;
  #numFailed = 0;
  #lastRanMs = Number.POSITIVE_INFINITY;
  /** The last reply that brought anything brought no jobs: the server has no others to give. */
  #hasAll = false;

  get numEnded(): number {
    return this.#numEnded;
  }

  /** Jobs that are `done` with a return code other than 0. */
  get numFailed(): number {
    return this.#numFailed;
  }

  /** A job has a place on the node. */
  began(attempt: number, nowMs: number): void {
    this.#began.set(attempt, nowMs);
  }

  /** Its place is free, or another job has it; its end may not be known yet. */
  left(attempt: number): void {
    this.#began.delete(attempt);
  }

  ended({ startedAtMs, endedAtMs, end }: FinishedAttempt): void {
    this.#numEnded += 1;
    if (end.status === 'done' && end.returnCode !== 0) this.#numFailed += 1;
    this.#lastRanMs = endedAtMs - (startedAtMs ?? Number.NEGATIVE_INFINITY);
  }

  /** What the server answered: so many jobs, and so many reports. */
  noteReply(numJobs: number, numAnswered: number): void {
    if (numJobs + numAnswered > 0) this.#hasAll = numJobs === 0;
  }

  /** How long ends may wait so that they travel together. */
  endsDelayMs(numWaiting: number, nowMs: number): number {
    const numRunning = this.#began.size;
    const endsSoon = this.#hasAll && numRunning > 0 && this.areShort(nowMs);
    return numWaiting > numRunning || endsSoon ? endsDelayMs : 0;
  }

  /** Whether the jobs that run will end soon, as far as they and the last one show. */
  areShort(nowMs: number): boolean {
    const [oldestMs = nowMs] = this.#began.values();
    return Math.max(this.#lastRanMs, nowMs - oldestMs) <= shortMs;
  }
}
