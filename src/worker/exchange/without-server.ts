/**
 * What a worker does because the server may be away: it writes reports that stay unanswered to disk, and it looks in
 * the server directory for the server's word that this worker was given up.
 */
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Exchanger } from './exchanger.ts';
import type { Session } from './session.ts';
import type { SpoolWriter } from './spool.ts';

const spoolAfterMs = 1_000;
const fenceLookEveryMs = 5_000;
/** Between two attempts to write the spool; doubled after each failure. */
const spoolRetryMs = { first: 5_000, longest: 60_000 };

export interface WithoutServerDependencies {
  session: Session;
  exchanger: Pick<Exchanger, 'lostSinceMs' | 'lastContactMs' | 'toServerTime'>;
  spool: SpoolWriter;
  /** Whether the server has asked this worker, through the server directory, to stop. */
  isFenced(): Promise<boolean>;
  clock: Clock;
  log: Log;
  /** The server has given this worker up and cannot be reached. */
  fenced: () => void;
  /** A write to the spool has ended: `lookAtSpool` may have something to do. */
  wrote: () => void;
}

export class WithoutServer {
  readonly #deps: WithoutServerDependencies;
  #nextFenceLookMs = 0;
  #writing: Promise<void> | null = null;
  #retryMs = spoolRetryMs.first;
  #nextWriteMs = 0;

  constructor(deps: WithoutServerDependencies) {
    this.#deps = deps;
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
    const { session, exchanger, clock, isFenced, fenced } = this.#deps;
    const isExposed = session.numHeld > 0 || exchanger.lostSinceMs !== null;
    if (!isExposed) return Number.POSITIVE_INFINITY;
    const nowMs = clock.monotonic();
    const dueMs = Math.max(this.#nextFenceLookMs, exchanger.lastContactMs + fenceLookEveryMs);
    if (nowMs < dueMs) return dueMs;
    this.#nextFenceLookMs = nowMs + fenceLookEveryMs;
    void isFenced().then((wasGivenUp) => {
      if (wasGivenUp) fenced();
    });
    return this.#nextFenceLookMs;
  }

  /** At the worker's end: keeps what is unanswered, also after an earlier failure; removes what has been delivered. */
  async close(): Promise<void> {
    const { session, spool } = this.#deps;
    await this.#writing;
    if (session.numUnanswered === 0) await spool.remove();
    else await this.#spool(Number.POSITIVE_INFINITY);
  }

  /** Reports count as spooled only when the server will find them; the others are tried again. */
  async #spool(notedBeforeMs: number): Promise<void> {
    const { session, exchanger, spool, clock } = this.#deps;
    const reports = session.reportsForSpool(notedBeforeMs, exchanger.toServerTime);
    if (reports.length === 0) return;
    if (await spool.append(reports)) {
      session.noteSpooled(reports);
      this.#retryMs = spoolRetryMs.first;
      return;
    }
    this.#nextWriteMs = clock.monotonic() + this.#retryMs;
    this.#retryMs = Math.min(spoolRetryMs.longest, this.#retryMs * 2);
  }
}
