/**
 * What a worker does because the server may not be there: reports that stay unanswered go to disk, and the server's
 * word on disk, that this worker was given up, is looked for.
 */
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import type { Exchanger } from './exchanger.ts';
import type { Session } from './session.ts';
import type { SpoolWriter } from './spool.ts';

const spoolAfterMs = 1_000;
const fenceLookEveryMs = 5_000;

export interface WithoutServerDependencies {
  session: Session;
  exchanger: Exchanger;
  spool: SpoolWriter;
  /** Whether the server has asked this worker, through the server directory, to stop. */
  isFenced(): Promise<boolean>;
  clock: Clock;
  log: Log;
  /** The server has given this worker up and cannot be reached. */
  fenced: () => void;
}

export class WithoutServer {
  readonly #deps: WithoutServerDependencies;
  #nextFenceLookMs = 0;

  constructor(deps: WithoutServerDependencies) {
    this.#deps = deps;
  }

  /** Spools what has been unanswered for too long; returns when to look again. A hurried worker spools at once. */
  lookAtSpool(isHurried: boolean): number {
    const { session, clock } = this.#deps;
    const waitMs = isHurried ? 0 : spoolAfterMs;
    const nowMs = clock.monotonic();
    const nextMs = (): number => (session.oldestUnspooledMs() ?? Number.POSITIVE_INFINITY) + waitMs;
    if (nowMs >= nextMs()) void this.#spool(nowMs - waitMs);
    return nextMs();
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

  /** At the worker's end: keeps what is unanswered, removes what has been delivered. */
  async close(): Promise<void> {
    const { session, spool } = this.#deps;
    if (session.numUnanswered === 0) await spool.remove();
    else await this.#spool(Number.POSITIVE_INFINITY);
  }

  async #spool(madeBeforeMs: number): Promise<void> {
    const { session, exchanger, spool } = this.#deps;
    const reports = session.reportsForSpool(madeBeforeMs, exchanger.toServerTime);
    session.noteSpooled(reports);
    await spool.append(reports);
  }
}
