/**
 * Work that waits in rows: claimed one by one in transactions, several carried out at a time. The next server finds what
 * this one did not finish.
 */
import { setMaxListeners } from 'node:events';
import type { Clock } from '../../base/clock.ts';
import type { Fact } from '../../storage/database/facts.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import type { ServerContext } from '../context.ts';

/** If the database cannot be written, claiming and storing an outcome are tried again after this. */
const pauseMs = 30_000;

export interface KindOfWork<T> {
  announcedBy: Fact['kind'];
  mostAtATime: number;
  /** Null when there is none. */
  claim(tx: Transaction, epoch: number): T | null;
  /** Hands its outcome to `store`; the signal ends with the server. */
  carryOut(work: T, ended: AbortSignal, store: StoreOutcome): Promise<void>;
  /** For the log. */
  outcomeNotStored: string;
}

/** Tries until the outcome is stored, because only the next server would find the work again; throws when this one ends. */
export type StoreOutcome = (change: (tx: Transaction) => void) => Promise<void>;

export class ClaimedWork<T> {
  readonly #context: ServerContext;
  readonly #kind: KindOfWork<T>;
  readonly #abort = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  /** Work, without the search for more of it. */
  #numCarriedOut = 0;
  #unsubscribe: () => void = () => {};
  #cancelTimer: () => void = () => {};
  #isLooking = false;
  #mustLook = false;

  constructor(context: ServerContext, kind: KindOfWork<T>) {
    this.#context = context;
    this.#kind = kind;
    // each piece of work that is carried out listens once
    setMaxListeners(kind.mostAtATime, this.#abort.signal);
  }

  start(): void {
    this.#unsubscribe = this.#context.subscribe((facts) => {
      if (facts.some(({ kind }) => kind === this.#kind.announcedBy)) this.#look();
    });
    this.#look();
  }

  /** Gives up what is being carried out; resolves when nothing is in progress. */
  async close(): Promise<void> {
    this.#unsubscribe();
    this.#abort.abort();
    this.#cancelTimer();
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  #look(): void {
    this.#mustLook = true;
    if (this.#isLooking || this.#abort.signal.aborted) return;
    this.#isLooking = true;
    this.#follow(
      this.#takeUp()
        .catch((error) => {
          // a timer of this process: a due row could not be written either
          if (!this.#abort.signal.aborted) this.#cancelTimer = this.#context.clock.after(pauseMs, () => this.#look());
          throw error;
        })
        .finally(() => {
          this.#isLooking = false;
        }),
    );
  }

  #follow(work: Promise<void>): void {
    const followed = work
      .catch((error) => this.#context.info.log.error({ err: error }, this.#kind.outcomeNotStored))
      .finally(() => this.#underWay.delete(followed));
    this.#underWay.add(followed);
  }

  async #takeUp(): Promise<void> {
    const { claim, carryOut, mostAtATime } = this.#kind;
    const { signal } = this.#abort;
    while (this.#mustLook && !signal.aborted) {
      this.#mustLook = false;
      while (this.#numCarriedOut < mostAtATime && !signal.aborted) {
        const work = await this.#context.write((tx) => claim(tx, this.#context.epoch));
        if (work === null) break;
        this.#numCarriedOut += 1;
        const end = (): void => {
          this.#numCarriedOut -= 1;
          this.#look();
        };
        this.#follow(carryOut(work, signal, (change) => this.#store(change)).finally(end));
      }
    }
  }

  async #store(change: (tx: Transaction) => void): Promise<void> {
    const { clock, info } = this.#context;
    for (;;) {
      try {
        return await this.#context.write(change);
      } catch (error) {
        if (this.#abort.signal.aborted) throw error;
        info.log.error({ err: error }, this.#kind.outcomeNotStored);
      }
      await pause(clock, this.#abort.signal);
    }
  }
}

/** Also resolves when the signal fires. */
function pause(clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(pauseMs, end);
    signal.addEventListener('abort', end);
  });
}
