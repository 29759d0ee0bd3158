/** How long work is waited for, such as a file system that may hang: so long in all, and less once there is a hurry. */
import type { Clock } from './clock.ts';

export interface TimeLimits {
  longestMs: number;
  /** From the moment when there is a hurry. */
  hurriedMs: number;
}

export class TimeBudget {
  readonly #over: Promise<void>;
  #end: () => void = () => {};

  constructor(clock: Clock, hurry: AbortSignal, limits: TimeLimits) {
    this.#over = new Promise((resolve) => {
      const cancelLongest = clock.after(limits.longestMs, () => this.#end());
      let cancelHurried = (): void => {};
      const onHurry = (): void => {
        cancelHurried = clock.after(limits.hurriedMs, () => this.#end());
      };
      if (hurry.aborted) onHurry();
      else hurry.addEventListener('abort', onHurry, { once: true });
      this.#end = () => {
        cancelLongest();
        cancelHurried();
        hurry.removeEventListener('abort', onHurry);
        resolve();
      };
    });
  }

  /** The result of the work, or `otherwise` when it takes too long. Ends this budget either way. */
  async waitFor<T>(work: Promise<T>, otherwise: T): Promise<T> {
    const result = await Promise.race([work, this.#over.then(() => otherwise)]);
    this.#end();
    return result;
  }
}
