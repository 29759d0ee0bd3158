/** Reads of many rows, in parts, so that others are served in between. */

/** `part` returns from where on the next one begins, or null after the last. Ends early when the signal fires. */
export async function inParts(signal: AbortSignal | undefined, part: (after: number) => number | null): Promise<void> {
  for (let after: number | null = 0; after !== null && signal?.aborted !== true; ) {
    after = part(after);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
