/**
 * How long jobs of a shape have taken lately: decides how many are given out ahead of time, so that a worker starts the
 * next one without a round trip. Kept in memory only; a new server learns it again.
 */

/** How many runtimes are remembered for each shape; fewer than `fewest` give no median. */
const remembered = 15;
const fewest = 3;

export class ShapeRuntimes {
  readonly #latest = new Map<number, number[]>();
  /** A claim asks for each job that it gives ahead of time. */
  readonly #medians = new Map<number, number>();

  note(shapeKey: number, runtimeMs: number): void {
    const known = this.#latest.get(shapeKey) ?? [];
    known.push(runtimeMs);
    if (known.length > remembered) known.shift();
    this.#latest.set(shapeKey, known);
    this.#medians.delete(shapeKey);
  }

  /** Milliseconds; null as long as too few have ended. */
  medianMs(shapeKey: number): number | null {
    const median = this.#medians.get(shapeKey);
    if (median !== undefined) return median;
    const known = this.#latest.get(shapeKey) ?? [];
    if (known.length < fewest) return null;
    const found = [...known].sort((a, b) => a - b)[Math.floor(known.length / 2)] as number;
    this.#medians.set(shapeKey, found);
    return found;
  }
}
