/** Averages over equal pieces of time, from spans in any order, in memory that does not grow with them. */

/** A period in milliseconds, cut into bins of which the last may be shorter. */
export interface Period {
  from: number;
  to: number;
  binMs: number;
  numBins: number;
}

/** In `mostBins` or fewer, each a whole number of milliseconds long. */
export function periodOf(from: number, to: number, mostBins: number): Period {
  const length = Math.max(1, to - from);
  const binMs = Math.ceil(length / mostBins);
  return { from, to: from + length, binMs, numBins: Math.ceil(length / binMs) };
}

export function binStart({ from, to, binMs }: Period, bin: number): number {
  return Math.min(to, from + bin * binMs);
}

/** A quantity over time: the sum of the weights of all spans that cover an instant. */
export class TimeBins {
  readonly #period: Period;
  /** What a span adds to all bins from one on, and takes from those from another on. */
  readonly #steps: Float64Array;
  /** What it adds to the bins in which it begins and ends, times milliseconds. */
  readonly #parts: Float64Array;

  constructor(period: Period) {
    this.#period = period;
    this.#steps = new Float64Array(period.numBins + 2);
    this.#parts = new Float64Array(period.numBins + 1);
  }

  add(start: number, end: number, weight: number): void {
    const { from, to, binMs } = this.#period;
    const first = Math.max(from, start);
    const last = Math.min(to, end);
    if (last <= first || weight === 0) return;
    const a = Math.floor((first - from) / binMs);
    const b = Math.floor((last - from) / binMs);
    if (a === b) {
      this.#change(a, (last - first) * weight);
      return;
    }
    this.#change(a, (binStart(this.#period, a + 1) - first) * weight);
    this.#change(b, (last - binStart(this.#period, b)) * weight);
    this.#steps[a + 1] = (this.#steps[a + 1] ?? 0) + weight;
    this.#steps[b] = (this.#steps[b] ?? 0) - weight;
  }

  #change(bin: number, by: number): void {
    this.#parts[bin] = (this.#parts[bin] ?? 0) + by;
  }

  /** By bin. */
  averages(): number[] {
    let whole = 0;
    return Array.from({ length: this.#period.numBins }, (_, bin) => {
      whole += this.#steps[bin] ?? 0;
      return roundOff(whole + (this.#parts[bin] ?? 0) / this.#lengthOf(bin));
    });
  }

  /** Over the whole period. */
  average(): number {
    const { from, to } = this.#period;
    const sum = this.averages().reduce((total, each, bin) => total + each * this.#lengthOf(bin), 0);
    return roundOff(sum / (to - from));
  }

  #lengthOf(bin: number): number {
    return binStart(this.#period, bin + 1) - binStart(this.#period, bin);
  }
}

/** Sums of many weights that cancel each other leave a little behind. */
function roundOff(value: number): number {
  return Math.max(0, Math.round(value * 1e6) / 1e6);
}
