/**
 * What a worker does because the server may be away: it writes reports that stay unanswered to disk, and it looks in
 * the server directory for the server's word that this worker was given up.
 */
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { fenceMs } from '../../model/decide/worker-fate.ts';
import type { Exchanger } from './exchanger.ts';
import type { Session } from './session.ts';
import type { SpoolWriter } from './spool.ts';

const spoolAfterMs = 1_000;
const fenceLookEveryMs = 5_000;
/**
 * What shows that this worker has not been given up counts for this long. The server writes its word later than it gave
 * a job, and starts that job elsewhere `fenceMs` after that at the soonest; the rest is for the start here.
 */
const sureForMs = fenceMs - 5_000;
/** While a machine is suspended its monotonic clock may stand still; its wall clock then jumps. */
const wallJumpMs = 5_000;
/** Between two attempts to write the spool; doubled after each failure. */
const spoolRetryMs = { first: 5_000, longest: 60_000 };

export interface WithoutServerDependencies {
  session: Session;
  exchanger: Pick<Exchanger, 'lostSinceMs' | 'lastContactMs' | 'toServerTime'>;
  effects: {
    spool: SpoolWriter;
    /** Whether the server has asked this worker, through the server directory, to stop. */
    isFenced(): Promise<boolean>;
  };
  clock: Clock;
  log: Log;
  /** The server has given this worker up and cannot be reached. */
  fenced: () => void;
  /** Jobs that had to wait for a look may start. */
  cleared: () => void;
  /** A write to the spool has ended: `lookAtSpool` may have something to do. */
  wrote: () => void;
}

export class WithoutServer {
  readonly #deps: WithoutServerDependencies;
  #nextFenceLookMs = 0;
  /** The look that is under way: whether it found nothing. */
  #look: Promise<boolean> | null = null;
  /** When the newest look began that found nothing. */
  #clearedMs = Number.NEGATIVE_INFINITY;
  /** From the monotonic to the wall clock, when the newest look began. */
  #wallOffsetMs: number;
  #writing: Promise<void> | null = null;
  #retryMs = spoolRetryMs.first;
  #nextWriteMs = 0;

  constructor(deps: WithoutServerDependencies) {
    this.#deps = deps;
    this.#wallOffsetMs = deps.clock.now() - deps.clock.monotonic();
  }

  /** Spools what has been unanswered for too long; returns when to look again. A hurried worker spools at once. */
  lookAtSpool(isHurried: boolean): number {
    if (this.#writing !== null) return Number.POSITIVE_INFINITY;
    const { session, clock } = this.#deps;
    const waitMs = isHurried ? 0 : spoolAfterMs;
    const nowMs = clock.monotonic();
    const oldestMs = session.oldestUnspooledMs() ?? Number.POSITIVE_INFINITY;
    const notedBeforeMs = nowMs - waitMs;
    if (oldestMs > notedBeforeMs || nowMs < this.#nextWriteMs) return Math.max(this.#nextWriteMs, oldestMs + waitMs);
    this.#writing = this.#spool(notedBeforeMs).finally(() => {
      this.#writing = null;
      this.#deps.wrote();
    });
    return Number.POSITIVE_INFINITY;
  }

  /**
   * Without contact this worker may have been given up: then its jobs must stop before others take them over. Returns
   * when to look again.
   */
  lookAtFence(): number {
    const { session, exchanger, clock } = this.#deps;
    const isExposed = session.numHeld > 0 || exchanger.lostSinceMs !== null;
    if (!isExposed) return Number.POSITIVE_INFINITY;
    const nowMs = clock.monotonic();
    const dueMs = Math.max(this.#nextFenceLookMs, exchanger.lastContactMs + fenceLookEveryMs);
    if (nowMs < dueMs) return dueMs;
    this.#nextFenceLookMs = nowMs + fenceLookEveryMs;
    void this.#lookNow();
    return this.#nextFenceLookMs;
  }

  /**
   * A worker that stood still may hold jobs that run elsewhere by now. Null while that cannot be; else a look is under
   * way, after which this is to be asked again: the worker may have stood still meanwhile.
   */
  beforeStart(): Promise<boolean> | null {
    const { clock, session } = this.#deps;
    const nowMs = clock.monotonic();
    const isRecent = nowMs - Math.max(session.answeredMs, this.#clearedMs) < sureForMs;
    const hasJumped = Math.abs(clock.now() - nowMs - this.#wallOffsetMs) > wallJumpMs;
    return isRecent && !hasJumped ? null : this.#lookNow();
  }

  /** Whether jobs may start now; if not, `cleared` follows, or `fenced`. */
  mayStart(): boolean {
    const look = this.beforeStart();
    void look?.then((isCleared) => {
      if (isCleared) this.#deps.cleared();
    });
    return look === null;
  }

  #lookNow(): Promise<boolean> {
    const { clock, effects, fenced } = this.#deps;
    const beganMs = clock.monotonic();
    const wallOffsetMs = clock.now() - beganMs;
    this.#look ??= effects.isFenced().then((wasGivenUp) => {
      this.#look = null;
      if (wasGivenUp) {
        fenced();
        return false;
      }
      this.#clearedMs = beganMs;
      this.#wallOffsetMs = wallOffsetMs;
      return true;
    });
    return this.#look;
  }

  /** At the worker's end: keeps what is unanswered, also after an earlier failure; removes what has been delivered. */
  async close(): Promise<void> {
    const { session, effects } = this.#deps;
    await this.#writing;
    if (session.numUnanswered === 0) await effects.spool.remove();
    else await this.#spool(Number.POSITIVE_INFINITY);
  }

  /** Reports count as spooled only when the server will find them; the others are tried again. */
  async #spool(notedBeforeMs: number): Promise<void> {
    const { session, exchanger, effects, clock } = this.#deps;
    const reports = session.reportsForSpool(notedBeforeMs, exchanger.toServerTime);
    if (reports.length === 0) return;
    if (await effects.spool.append(reports)) {
      session.noteSpooled(reports);
      this.#retryMs = spoolRetryMs.first;
      return;
    }
    this.#nextWriteMs = clock.monotonic() + this.#retryMs;
    this.#retryMs = Math.min(spoolRetryMs.longest, this.#retryMs * 2);
  }
}
