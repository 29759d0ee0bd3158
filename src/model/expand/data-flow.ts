/** Files or user data that jobs pass to each other: which jobs read and write each, and what is wrong with that. */

import { quoted } from '../spec/names.ts';
import type { Findings, SpecPath } from '../spec/problems.ts';
import type { Element, Instances } from './instances.ts';
import { PatternMatcher } from './patterns.ts';

const none: readonly never[] = [];

/** What one job refers to, as numbers of a list; many at once as a list object that all jobs share that refer to it. */
export class References {
  #numbers: number[] | null = null;
  #groups: Set<readonly number[]> | null = null;
  /** Both in the order in which they were added, once there is a group. */
  #all: (number | readonly number[])[] | null = null;

  add(found: number | readonly number[]): void {
    if (typeof found !== 'number') {
      this.#all ??= [...this.numbers];
      this.#groups ??= new Set();
      this.#groups.add(found);
    }
    this.#all?.push(found);
    if (typeof found !== 'number') return;
    if (this.#numbers === null) this.#numbers = [found];
    else this.#numbers.push(found);
  }

  /** Those named one by one, possibly repeated. */
  get numbers(): readonly number[] {
    return this.#numbers ?? none;
  }

  get groups(): Iterable<readonly number[]> {
    return this.#groups ?? none;
  }

  /** Numbers and groups in the order in which they were added, possibly repeated. */
  get all(): readonly (number | readonly number[])[] {
    return this.#all ?? this.numbers;
  }

  /** How many there are, repeats included. */
  get size(): number {
    let size = this.numbers.length;
    for (const group of this.groups) size += group.length;
    return size;
  }

  /** All of them, each once. */
  list(): readonly number[] {
    const [group, ...more] = this.groups;
    if (group === undefined) return this.numbers.length < 2 ? this.numbers : [...new Set(this.numbers)];
    if (more.length === 0 && this.numbers.length === 0) return group;
    const all = new Set(this.numbers);
    for (const members of this.groups) for (const number of members) all.add(number);
    return [...all];
  }
}

/** The jobs, as far as messages need them. */
interface Jobs {
  length: number;
  nameOf(job: number): string;
  elementOf(job: number): { path: SpecPath; spec: { output_files?: unknown; output_user_data?: unknown } };
}

/** One kind of data through the whole workflow. */
export class DataFlow {
  readonly data: Instances<Element>;
  readonly matcher: PatternMatcher;
  readonly #what: string;
  readonly #outputKey: 'output_files' | 'output_user_data';
  readonly #jobs: Jobs;
  readonly #findings: Findings;
  /** For each datum the job that writes it, and the first that reads it, or -1. */
  readonly #producers: Int32Array;
  readonly #readers: Int32Array;
  /** For each datum the first that is the same under another name; null when there is none. */
  readonly #same: Int32Array | null;
  readonly #sameGroups = new Map<readonly number[], readonly number[]>();
  readonly #seenGroups = new Set<readonly number[]>();
  readonly #producersOfGroups = new Map<readonly number[], readonly number[]>();

  /** `same`: for each datum the first that is the same under another name. */
  constructor(data: Instances<Element>, jobs: Jobs, findings: Findings, same: Int32Array | null = null) {
    this.data = data;
    this.#same = same;
    this.matcher = new PatternMatcher(data.table.names);
    this.#what = data.table.label;
    this.#outputKey = data.table.list === 'files' ? 'output_files' : 'output_user_data';
    this.#jobs = jobs;
    this.#findings = findings;
    this.#producers = new Int32Array(data.length).fill(-1);
    this.#readers = new Int32Array(data.length).fill(-1);
  }

  /** The same data, each under the first of its names. */
  known(found: number | readonly number[]): number | readonly number[] {
    const same = this.#same;
    if (same === null) return found;
    if (typeof found === 'number') return same[found] ?? found;
    const cached = this.#sameGroups.get(found);
    if (cached !== undefined) return cached;
    const group = found.every((number) => same[number] === number)
      ? found
      : [...new Set(found.map((n) => same[n] ?? n))];
    this.#sameGroups.set(found, group);
    return group;
  }

  /** Notes the job as a reader of its inputs. */
  noteInputs(inputs: References, job: number): void {
    for (const number of inputs.numbers) this.#noteReader(number, job);
    for (const group of inputs.groups) {
      if (this.#seenGroups.has(group)) continue;
      this.#seenGroups.add(group);
      for (const number of group) this.#noteReader(number, job);
    }
  }

  #noteReader(number: number, job: number): void {
    if (this.#readers[number] === -1) this.#readers[number] = job;
  }

  /** What jobs read and none writes, each with the first job that reads it. */
  *fromOutside(): Generator<{ number: number; reader: number }> {
    for (const [number, reader] of this.#readers.entries()) {
      if (reader >= 0 && this.#producers[number] === -1) yield { number, reader };
    }
  }

  /** Notes the job as the producer of its outputs; a second producer is a finding. */
  claimOutputs(outputs: readonly number[], job: number): void {
    for (const number of outputs) {
      const other = this.#producers[number] ?? -1;
      if (other < 0) this.#producers[number] = job;
      else
        this.#findings.addOnce(this.#outputPath(job, number), `${number} ${job}`, () =>
          this.#twoProducers(number, other, job),
        );
    }
  }

  /** Calls `waitFor` with the producer of each input, or of many at once; the job itself is a finding. */
  eachProducer(inputs: References, job: number, waitFor: (upstream: number | readonly number[]) => void): void {
    for (const number of new Set(inputs.numbers)) {
      const producer = this.#producers[number] ?? -1;
      if (producer === job) {
        this.#findings.addOnce(this.#jobs.elementOf(job).path, `${number} ${job}`, () => this.#ownInput(number, job));
      } else if (producer >= 0) waitFor(producer);
    }
    for (const group of inputs.groups) waitFor(this.#producersOf(group));
  }

  #producersOf(group: readonly number[]): readonly number[] {
    const known = this.#producersOfGroups.get(group);
    if (known !== undefined) return known;
    const producers = new Set<number>();
    for (const number of group) {
      const producer = this.#producers[number] ?? -1;
      if (producer >= 0) producers.add(producer);
    }
    const list = [...producers];
    this.#producersOfGroups.set(group, list);
    return list;
  }

  #outputPath(job: number, number: number): SpecPath {
    const { path, spec } = this.#jobs.elementOf(job);
    const listed = spec[this.#outputKey];
    const written = this.data.elementOf(number).writtenName;
    const isNamed = (entry: unknown): boolean => {
      const named = typeof entry === 'string' ? this.data.table.numberOf(entry) : undefined;
      return entry === written || (named !== undefined && this.known(named) === number);
    };
    const k = Array.isArray(listed) ? listed.findIndex(isNamed) : -1;
    return k < 0 ? [...path, 'command'] : [...path, this.#outputKey, k];
  }

  #twoProducers(number: number, first: number, second: number): string {
    const [a, b] = [first, second].map((job) => quoted(this.#jobs.nameOf(job)));
    return `the jobs ${a} and ${b} both write the ${this.#what} ${quoted(this.data.nameOf(number))}${this.#otherName(number)}`;
  }

  #otherName(number: number): string {
    const other = this.#same?.findIndex((first, i) => first === number && i !== number) ?? -1;
    return other < 0 ? '' : ` (the same path as ${quoted(this.data.nameOf(other))})`;
  }

  #ownInput(number: number, job: number): string {
    const what = `${this.#what} ${quoted(this.data.nameOf(number))}${this.#otherName(number)}`;
    return `the job ${quoted(this.#jobs.nameOf(job))} both reads and writes the ${what}, so it would wait for itself`;
  }
}
