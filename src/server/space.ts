/** Whether the database can be written: those who look at a run see otherwise only that nothing moves. */

import type { ServerLack } from '../api/contract.ts';
import { isoInstant } from '../base/clock.ts';
import { TorcError } from '../base/errors.ts';
import { writeProblemLater } from '../base/trusted/write-problem.ts';
import { rewriteEpoch } from '../storage/database/epoch.ts';
import type { ServerContext } from './context.ts';

/** Nobody else may write meanwhile, and what is said of it is to end with it. */
const tryAgainMs = 5_000;

type Writing = Pick<ServerContext, 'clock' | 'db' | 'info' | 'write'>;

export class Space {
  readonly #context: Writing;
  #lack: ServerLack | null = null;
  #isTrying = false;
  /** Tells a person that nothing can be stored, and when it can again. */
  tell: (text: string) => void = () => {};

  constructor(context: Writing) {
    this.#context = context;
  }

  /** Since when nothing can be stored, and why; null while it can be. */
  get lack(): ServerLack | null {
    return this.#lack;
  }

  /** A transaction failed with `error`, or, where that is null, stored something. */
  note(error: unknown): void {
    if (error instanceof TorcError && error.code === 'no_space') {
      const text = `${error.message}; running jobs go on, and results wait until it can be written: torc doctor`;
      if (this.#lack === null) this.tell(text);
      const since = this.#lack?.since ?? isoInstant(this.#context.clock.now());
      this.#lack = { since, message: error.message };
      this.#tryAgainLater();
    } else if (error === null && this.#lack !== null) {
      this.#lack = null;
      this.tell('the database can be written again');
    }
  }

  #tryAgainLater(): void {
    if (this.#isTrying) return;
    this.#isTrying = true;
    const { clock, db, info } = this.#context;
    clock.after(tryAgainMs, async () => {
      // where there is room for a little only, the next large change fails again
      const isFull = (await writeProblemLater(info.directory)) !== null;
      this.#isTrying = false;
      if (this.#lack === null || !db.isOpen) return;
      if (isFull) this.#tryAgainLater();
      else this.#context.write(rewriteEpoch).catch(() => {});
    });
  }
}
