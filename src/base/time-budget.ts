/** How long a job's end waits for the file system: so long in all, and only a moment more once there is a hurry. */
import type { Clock } from './clock.ts';

export class Patience {
  readonly #over: Promise<void>;
  #end: () => void = () => {};

  constructor(clock: Clock, hurry: AbortSignal, limits: { longestMs: number; hurriedMs: number }) {
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

  /** What the work comes to, or `otherwise` when it takes too long. Ends this patience either way. */
  async waitFor<T>(work: Promise<T>, otherwise: T): Promise<T> {
    const result = await Promise.race([work, this.#over.then(() => otherwise)]);
    this.#end();
    return result;
  }
}
