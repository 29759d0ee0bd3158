/** Time is passed in, so that tests and the simulator can own it. */
export interface Clock {
  /** Milliseconds since 1970-01-01 UTC. Instants only: never subtract two of these to get a duration. */
  now(): number;
  /** Milliseconds on a clock that never jumps, from an arbitrary zero. Durations only. */
  monotonic(): number;
  /** Calls once after at least `delayMs`; returns a function that cancels. */
  after(delayMs: number, call: () => void): () => void;
}

/** The longest that setTimeout can wait: whatever is longer would be due at once. */
const longestTimerMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, call) {
    let timer: NodeJS.Timeout;
    const wait = (leftMs: number): void => {
      const restMs = leftMs - longestTimerMs;
      timer = restMs > 0 ? setTimeout(wait, longestTimerMs, restMs) : setTimeout(call, leftMs);
    };
    wait(delayMs);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs` on the given clock, or when the signal fires. */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const end = (): void => {
      cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancel = clock.after(delayMs, end);
    signal?.addEventListener('abort', end);
  });
}

/** What was made last: instants of neighbouring rows are often the same. */
let latest = { milliseconds: 0, text: '1970-01-01T00:00:00.000Z' };

/** An instant as ISO 8601 UTC with milliseconds; null stays null. */
export function isoInstant(milliseconds: number): string;
export function isoInstant(milliseconds: number | null): string | null;
export function isoInstant(milliseconds: number | null): string | null {
  if (milliseconds === null) return null;
  if (milliseconds !== latest.milliseconds) latest = { milliseconds, text: new Date(milliseconds).toISOString() };
  return latest.text;
}
