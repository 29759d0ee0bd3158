/** A database that its process has to open again after an I/O error, which its file system may not let it do for a while. */
import type { Clock } from '../../base/clock.ts';
import { asTorcError, TorcError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Database } from '../../storage/database/database.ts';

export class Reopening {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #log: Log;
  #isNeeded = false;
  #why = '';
  #nextMs = Number.NEGATIVE_INFINITY;

  constructor(db: Database, clock: Clock, log: Log) {
    this.#db = db;
    this.#clock = clock;
    this.#log = log;
  }

  /** Whether what the connection holds in memory can be relied on. */
  get isUsable(): boolean {
    return this.#db.isOpen && !this.#isNeeded;
  }

  /**
   * Opens the database again unless `whyNot` says that it cannot be: over NFS this process would stand still until the
   * server has taken back the lock. After a failure the next try is not made sooner than this one took: a file system
   * that does not answer lets nobody else be answered meanwhile.
   */
  try(whyNot: () => TorcError | null): void {
    this.#isNeeded = true;
    const beganMs = this.#clock.monotonic();
    if (beganMs < this.#nextMs) return;
    try {
      const problem = whyNot();
      if (problem !== null) throw problem;
      this.#db.reopen();
      this.#isNeeded = false;
      this.#log.warn({}, 'the database was reopened after an I/O error');
    } catch (error) {
      this.#why = asTorcError(error).message;
      this.#nextMs = 2 * this.#clock.monotonic() - beganMs;
      this.#log.error({ err: error }, 'the database cannot be reopened');
    }
  }

  /** Throws TorcError 'unreachable' until it is open again. */
  refuseUnusable(): void {
    if (this.isUsable) return;
    throw new TorcError(
      'unreachable',
      `the database cannot be opened after an error of its file system: ${this.#why}`,
      'The server tries again and then continues. Look at the file system of its directory: torc doctor',
    );
  }
}

/** For those who wait while it is. */
export function beingReopened(): TorcError {
  return new TorcError('unreachable', 'the database is being reopened', 'Try again in a moment.');
}
