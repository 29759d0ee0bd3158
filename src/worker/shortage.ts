/**
 * How many jobs the node can run at a time, learned from starts that failed because it had no process, descriptor or
 * memory left. Such a job goes back unstarted, the worker takes fewer at a time, and tries more again later.
 */

const firstPauseMs = 1_000;
const longestPauseMs = 60_000;
/** After this long more jobs are tried; twice as long after each try that failed. */
const firstTryMs = 10_000;
const longestTryMs = 900_000;

export class Shortage {
  #most: number | null = null;
  #wanted = 0;
  #dueMs = Number.POSITIVE_INFINITY;
  #notedAtMs = Number.NEGATIVE_INFINITY;
  #pauseMs = firstPauseMs;
  #tryMs = firstTryMs;

  /** The most jobs at a time; null for no limit, 0 while not even one can be started. */
  get mostJobs(): number | null {
    return this.#most;
  }

  /** When more jobs may be tried; Infinity without a limit. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /**
   * A job that was to start at `beganMs` could not be started. `numStarted` others have a process, and `numWanted` jobs
   * in all were to run at a time.
   */
  note(beganMs: number, numStarted: number, numWanted: number, nowMs: number): void {
    this.#wanted = Math.max(this.#wanted, numWanted);
    // starts that were tried together are one failure, whose last news is the best
    const isSame = beganMs <= this.#notedAtMs;
    const wasLimited = this.#most !== null;
    if (isSame) this.#most = Math.max(this.#most ?? 0, numStarted);
    else this.#most = Math.min(this.#most ?? numStarted, numStarted);
    if (!isSame) this.#notedAtMs = nowMs;
    if (this.#most > 0) {
      if (wasLimited && !isSame) this.#tryMs = Math.min(longestTryMs, this.#tryMs * 2);
      this.#dueMs = nowMs + this.#tryMs;
    } else {
      if (!isSame) this.#pauseMs = wasLimited ? Math.min(longestPauseMs, this.#pauseMs * 2) : firstPauseMs;
      this.#dueMs = nowMs + this.#pauseMs;
    }
  }

  /** A job that was to start at `beganMs` has a process, which makes `numStarted` in all: the news of it came late. */
  started(beganMs: number, numStarted: number): void {
    if (this.#most === null || beganMs > this.#notedAtMs || numStarted <= this.#most) return;
    if (this.#most === 0) this.#dueMs = this.#notedAtMs + this.#tryMs;
    this.#most = numStarted;
  }

  /** At the due time: twice as many jobs, without a limit when that is as many as were to run. Whether anything changed. */
  look(nowMs: number): boolean {
    if (nowMs < this.#dueMs || this.#most === null) return false;
    this.#most = Math.max(1, this.#most * 2);
    this.#dueMs = nowMs + this.#tryMs;
    if (this.#most < this.#wanted) return true;
    this.#most = null;
    this.#wanted = 0;
    this.#tryMs = firstTryMs;
    this.#dueMs = Number.POSITIVE_INFINITY;
    return true;
  }
}
