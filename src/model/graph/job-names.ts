/** The names of all jobs of a workflow as parts of a few long texts: many times faster than a million short ones. */

/** Ends the first word of a name. */
const separator = /[0-9_\-.:/\s]/;

/** What a name begins with, up to a digit or separator. */
export function firstWord(name: string): string {
  const end = name.search(separator);
  return end < 0 ? name : name.slice(0, end);
}

export function commonPrefix(a: string, b: string): string {
  let length = 0;
  while (length < a.length && length < b.length && a.charCodeAt(length) === b.charCodeAt(length)) length += 1;
  return a.slice(0, length);
}

function isSeparator(code: number): boolean {
  return code < 128 ? asciiSeparators[code] === 1 : separator.test(String.fromCharCode(code));
}

const asciiSeparators = Uint8Array.from({ length: 128 }, (_, code) =>
  separator.test(String.fromCharCode(code)) ? 1 : 0,
);

export class JobNames {
  readonly #texts: string[] = [];
  readonly #textOf: Int32Array;
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;

  constructor(numJobs: number) {
    this.#textOf = new Int32Array(numJobs);
    this.#starts = new Int32Array(numJobs);
    this.#ends = new Int32Array(numJobs);
  }

  static of(names: readonly string[]): JobNames {
    const all = new JobNames(names.length);
    for (const [job, name] of names.entries()) all.#texts[job] = name;
    for (let job = 0; job < names.length; job++) all.#put(job, job, 0, (names[job] as string).length);
    return all;
  }

  /**
   * Adds the names of jobs one after the other, from `first` on: each ends with a NUL, and begins `skipped` characters
   * after the NUL before it. Calls `onJob` with each job and the place of what is skipped.
   */
  addAll(
    { first, numJobs, text }: { first: number; numJobs: number; text: string },
    skipped = 0,
    onJob: (job: number, start: number) => void = () => {},
  ): void {
    const number = this.#texts.push(text) - 1;
    let start = 0;
    for (let job = first; job < first + numJobs; job++) {
      const end = text.indexOf('\0', start);
      onJob(job, start);
      this.#put(job, number, start + skipped, end);
      start = end + 1;
    }
  }

  #put(job: number, text: number, start: number, end: number): void {
    this.#textOf[job] = text;
    this.#starts[job] = start;
    this.#ends[job] = end;
  }

  get(job: number): string {
    return this.#text(job).slice(this.#starts[job], this.#ends[job]);
  }

  startsWith(job: number, beginning: string): boolean {
    const start = this.#starts[job] as number;
    return start + beginning.length <= (this.#ends[job] as number) && this.#text(job).startsWith(beginning, start);
  }

  hasFirstWord(job: number, word: string): boolean {
    const end = (this.#starts[job] as number) + word.length;
    return this.startsWith(job, word) && (end === this.#ends[job] || isSeparator(this.#text(job).charCodeAt(end)));
  }

  #text(job: number): string {
    return this.#texts[this.#textOf[job] as number] as string;
  }
}
