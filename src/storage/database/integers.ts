/** Whole numbers in a text, with commas, as `group_concat` writes the values of many rows: far faster than these rows. */

const [zero, minus, comma] = ['0'.charCodeAt(0), '-'.charCodeAt(0), ','.charCodeAt(0)];

export class Integers {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** Throws RangeError where there is something else: SQLite writes real numbers with a point. */
  next(): number {
    const isNegative = this.#text.charCodeAt(this.#at) === minus;
    if (isNegative) this.#at += 1;
    let value = 0;
    for (; this.#at < this.#text.length; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === comma) break;
      if (code < zero) throw new RangeError('these are not whole numbers');
      value = value * 10 + code - zero;
    }
    // the comma
    this.#at += 1;
    return isNegative ? -value : value;
  }
}
