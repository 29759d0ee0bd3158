/**
 * The timekeeper: one loop that sleeps until the next due row and does its work, in every process that serves. A
 * process that only opens the database does, once, what fell due while no server ran.
 *
 * Due instants are on the wall clock, so that they survive a restart. The clock may be set while the loop sleeps, so it
 * looks at least once a minute, and whenever a row is added: the difference between the progress of the wall clock and
 * of the monotonic clock since the last look is a jump, and rows that measure a duration move along with it. A server
 * that was not running cannot see a jump: a duration that lies wholly in the future then restarts, so it never becomes
 * longer than it should be.
 */
import { TorcError } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import { type Transaction, TransactionLost } from '../../storage/database/transaction.ts';
import {
  type Due,
  dueNow,
  hasDurationsToCome,
  lastDueKey,
  moveDurations,
  nextDueAt,
  postponeDue,
  restartDurations,
  takeDue,
} from '../../storage/running/due.ts';
import { moveExpiries, restartExpiries } from '../../storage/running/max-wait.ts';
import type { ServerContext } from '../context.ts';
import { dueWork, durationKinds } from './due-work.ts';

/** Rows processed in one transaction; keeps it to a few milliseconds. */
const rowsPerStep = 200;
/** The longest sleep while any row exists; a jump of the clock can delay the work by at most this. */
const longestSleepMs = 60_000;
/** The wait after a transaction or the work of a row failed, for example on a full disk. */
const pauseMs = 10_000;
/** Anything less is not a jump: the two clocks are not read at the same instant and drift a little. */
const smallestJumpMs = 1_000;

/** Does what is due at the instant of the transaction, or the oldest part of it. */
function workOff(tx: Transaction, log: Log): void {
  for (const due of dueNow(tx, rowsPerStep)) workOffOne(tx, due, log);
}

/** A row whose work fails undoes nothing else and does not block other rows. */
function workOffOne(tx: Transaction, due: Due, log: Log): void {
  try {
    tx.savepoint(() => {
      takeDue(tx, due.dueKey);
      dueWork[due.kind].run(tx, due, tx.now - due.dueAt);
    });
  } catch (error) {
    if (error instanceof TransactionLost) throw error;
    log.error({ err: error, ...due }, 'work that was due failed; it will be retried');
    postponeDue(tx, due.dueKey, longestSleepMs);
  }
}

/** Does what fell due while no server ran; every process that opens the database calls this once. */
export async function workOffOverdue(context: ServerContext): Promise<void> {
  if (nextDueAt(context.view) === null) return;
  try {
    const isSetBack = hasDurationsToCome(context.view);
    if (isSetBack) {
      await context.write((tx) => {
        restartDurations(tx, durationKinds);
        restartExpiries(tx);
      });
    }
    while (isOverdue(context)) await context.write((tx) => workOff(tx, context.info.log));
  } catch (error) {
    // on a full disk reads continue
    if (!(error instanceof TorcError && error.code === 'no_space')) throw error;
    context.info.log.error({ err: error }, 'the work that fell due could not be done; the next process tries again');
  }
}

function isOverdue({ view, clock }: ServerContext): boolean {
  const nextAt = nextDueAt(view);
  return nextAt !== null && nextAt <= clock.now();
}

export class Timekeeper {
  readonly #context: ServerContext;
  #unsubscribe: () => void = () => {};
  #cancelTimer: () => void = () => {};
  #isClosed = false;
  #isLooking = false;
  #mustLook = false;
  /** The difference between the two clocks at the last look, and the newest row then. */
  #offsetMs: number;
  #lastKey: number;

  constructor(context: ServerContext) {
    this.#context = context;
    this.#offsetMs = this.#readOffset();
    this.#lastKey = lastDueKey(context.view);
  }

  start(): void {
    this.#unsubscribe = this.#context.subscribe((facts) => {
      if (facts.some((fact) => fact.kind === 'due_set')) this.#look();
    });
    this.#look();
  }

  /** Ends at once; the next process that opens the database continues. */
  close(): void {
    this.#isClosed = true;
    this.#unsubscribe();
    this.#cancelTimer();
  }

  #look(): void {
    this.#mustLook = true;
    if (this.#isLooking || this.#isClosed) return;
    this.#isLooking = true;
    this.#cancelTimer();
    void this.#workOff()
      .catch((error) => {
        if (!this.#isClosed) {
          this.#context.info.log.error({ err: error }, 'the work that is due could not be done; it will be retried');
        }
        return pauseMs;
      })
      .then((sleepMs) => {
        this.#isLooking = false;
        if (sleepMs === null || this.#isClosed) return;
        this.#cancelTimer = this.#context.clock.after(sleepMs, () => this.#look());
      });
  }

  /** Returns how long the loop sleeps until the next row; without rows there is nothing to wait for. */
  async #workOff(): Promise<number | null> {
    const { view, clock } = this.#context;
    while (this.#mustLook && !this.#isClosed) {
      this.#mustLook = false;
      while (!this.#isClosed && (this.#jumpMs() !== 0 || isOverdue(this.#context))) await this.#step();
    }
    if (this.#isClosed) return null;
    this.#lastKey = lastDueKey(view);
    const nextAt = nextDueAt(view);
    return nextAt === null ? null : Math.min(longestSleepMs, Math.max(1, nextAt - clock.now()));
  }

  /** The jump is read inside the transaction: the process may have stood still before it. */
  async #step(): Promise<void> {
    const { info } = this.#context;
    const seen = await this.#context.write((tx) => {
      const jumpMs = this.#jumpMs();
      // rows added since the last look came after the jump, because each added row triggers a look
      if (jumpMs !== 0) {
        moveDurations(tx, durationKinds, jumpMs, this.#lastKey);
        moveExpiries(tx, jumpMs);
      }
      const lastKey = lastDueKey(tx);
      workOff(tx, info.log);
      return { jumpMs, lastKey };
    });
    this.#lastKey = seen.lastKey;
    this.#offsetMs += seen.jumpMs;
    if (seen.jumpMs === 0) return;
    info.log.warn({ jump_seconds: seen.jumpMs / 1000 }, 'the clock of this host was set; waiting work moves along');
  }

  /** By how much the wall clock was set since the last look; 0 if it was not set. */
  #jumpMs(): number {
    const jumpMs = Math.round(this.#readOffset() - this.#offsetMs);
    return Math.abs(jumpMs) < smallestJumpMs ? 0 : jumpMs;
  }

  #readOffset(): number {
    const { clock } = this.#context;
    return clock.now() - clock.monotonic();
  }
}
