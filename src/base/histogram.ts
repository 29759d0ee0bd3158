/** How often something took how long: counts by upper bounds, as Prometheus wants them. */
export class Histogram {
  /** Seconds, ascending. */
  readonly bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    // the last one is for what lies beyond all bounds
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  note(seconds: number): void {
    const at = this.bounds.findIndex((bound) => seconds <= bound);
    const index = at === -1 ? this.bounds.length : at;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#sum += seconds;
  }

  get sum(): number {
    return this.#sum;
  }

  get count(): number {
    return this.#counts.reduce((sum, n) => sum + n, 0);
  }

  /** How many took at most each of the bounds. */
  get cumulative(): number[] {
    let sum = 0;
    return this.bounds.map((_, at) => (sum += this.#counts[at] ?? 0));
  }
}
