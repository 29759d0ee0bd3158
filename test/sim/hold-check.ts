/**
 * A hold ends at its time: not before, and soon after it while a server runs. Time is the true one, which the server
 * sees only through clocks that are set, restarts and moments in which it stands still.
 */
import type { Check } from './check.ts';
import type { Host, Timeline } from './clock.ts';
import type { SimServer } from './server.ts';

interface Watched {
  jobKey: number;
  delayMs: number;
  deadlineMs: number;
  /**
   * The clock was set or a server ended since the hold was first seen: together they hide the true time from the next
   * server.
   */
  isClockSet: boolean;
  isServerChanged: boolean;
}

/**
 * How long a running server may take: a transaction that failed on a full disk is retried after ten seconds, and the
 * disk may be full once more.
 */
const latestMs = 25_000;
/** The server ignores jumps of the clock below a second. */
const earliestMs = 2_000;

export class HoldCheck {
  readonly #timeline: Timeline;
  readonly #host: Host;
  readonly #check: Check;
  readonly #watched = new Map<number, Watched>();
  #server: SimServer | null = null;
  /** Since when a server has been running without standing still. */
  #servedSinceMs = 0;
  #skewMs: number;
  #numPlans = 0;

  constructor(timeline: Timeline, host: Host, check: Check) {
    this.#timeline = timeline;
    this.#host = host;
    this.#skewMs = host.skewMs;
    this.#check = check;
  }

  /** Checks all holds of the running server, if there is one. */
  look(server: SimServer | null): void {
    const nowMs = this.#timeline.nowMs;
    const isClockSet = this.#host.skewMs !== this.#skewMs;
    this.#skewMs = this.#host.skewMs;
    const isServerChanged = server !== this.#server;
    this.#server = server;
    for (const watched of this.#watched.values()) {
      watched.isClockSet ||= isClockSet;
      watched.isServerChanged ||= isServerChanged;
    }
    const isServing = server?.process.isAlive === true && !server.process.isFrozen && !server.isStopping;
    if (!isServing || isServerChanged) this.#servedSinceMs = nowMs;
    if (!isServing) return;
    this.#compare(server);
    for (const [key, hold] of this.#watched) this.#lookForLate(key, hold);
  }

  #compare(server: SimServer): void {
    const { db } = server.service;
    const nowMs = this.#timeline.nowMs;
    const plans = `SELECT count(*) AS n FROM events
      WHERE type IN ('workflow_restarted', 'workflow_canceled', 'jobs_reset', 'jobs_disabled', 'jobs_marked')`;
    const numPlans = db.get<{ n: number }>(plans)?.n ?? 0;
    const isPlanned = numPlans !== this.#numPlans;
    this.#numPlans = numPlans;
    const rows = db.all<{ hold_key: number; job_key: number; until: number }>(
      'SELECT * FROM holds WHERE until IS NOT NULL',
    );
    const present = new Map(rows.map((row) => [row.hold_key, row]));
    for (const [key, hold] of this.#watched) {
      if (present.get(key)?.job_key === hold.jobKey) continue;
      this.#watched.delete(key);
      // a server on the copy of a database may not know the hold
      if (isPlanned || (hold.isServerChanged && this.#servedSinceMs === nowMs)) continue;
      const job = db.get('SELECT status FROM jobs WHERE job_key = ?', hold.jobKey);
      if (job?.status === 'canceled') continue;
      this.#check.note('holds that ended');
      const isKnown = !(hold.isClockSet && hold.isServerChanged);
      if (isKnown && nowMs < hold.deadlineMs - earliestMs) {
        this.#check.broken.push(`hold ${key} ended ${(hold.deadlineMs - nowMs) / 1000} s too early`);
      }
    }
    for (const { hold_key: key, job_key: jobKey, until } of rows) {
      if (this.#watched.has(key)) continue;
      const delayMs = until - server.process.clock.now();
      const deadlineMs = nowMs + delayMs;
      this.#watched.set(key, { jobKey, delayMs, deadlineMs, isClockSet: false, isServerChanged: false });
    }
  }

  #lookForLate(key: number, hold: Watched): void {
    const nowMs = this.#timeline.nowMs;
    // the clock was set while nobody saw it: the delay restarts with the server
    const isAnew = hold.isClockSet && hold.isServerChanged;
    const fromMs = Math.max(hold.deadlineMs, this.#servedSinceMs + (isAnew ? hold.delayMs : 0));
    if (nowMs <= fromMs + latestMs) return;
    this.#check.broken.push(
      `hold ${key} of job ${hold.jobKey} is still there ${(nowMs - fromMs) / 1000} s after its time`,
    );
  }
}
