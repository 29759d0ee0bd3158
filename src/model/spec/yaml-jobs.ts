/**
 * A YAML document whose list `jobs` is long, read a few jobs at a time, so that it is never in memory as nodes. A job of
 * nothing but `key: plain value` needs no parser; the parser reads every other one, and the document with one job in
 * place of all. What refers from one place to another, or has a fault, is left to the reader of whole documents.
 */

import { isMapping } from './check.ts';
import type { Place } from './problems.ts';

/** The value of a text; null when it has faults or aliases. */
export type ParsePiece = (text: string) => { value: unknown } | null;

/** How many jobs the parser is given at once. */
const jobsAtOnce = 500;

/** The one job that stands for all in the rest of the document. */
const placeholder = '- 0\n';

/** A line of a job that any reader of YAML 1.2 reads the same way: a key and a text, a whole number or a list of words. */
const plainLine =
  /^([a-z][a-z0-9_]{0,60}): (?:"([ !#-[\]-~]*)"|'([ -&(-~]*)'|(0|[1-9][0-9]{0,14})|\[([A-Za-z_][\w./-]*(?:, [A-Za-z_][\w./-]*)*)\]|((?:[A-Za-z_/$(]|\.\.?\/)(?:[!-"$-9;-~]|:(?=[!-~])|#(?<! #)| (?=[!-"$-~]))*))$/;

const otherThanText = /^(?:null|true|false)$/i;

export class YamlJobs {
  readonly #text: string;
  /** Where the line of each job begins, and at last where the list ends. */
  readonly #starts: readonly number[];
  readonly #indent: number;

  private constructor(text: string, starts: readonly number[], indent: number) {
    this.#text = text;
    this.#starts = starts;
    this.#indent = indent;
  }

  /** Null for a text that has no list of at least `fewest` jobs written as one block. */
  static of(text: string, fewest: number): YamlJobs | null {
    const key = /^jobs:[ ]*(?:#.*)?\n(?:[ ]*(?:#.*)?\n)*( *)- /m.exec(text);
    if (key === null || text.includes('\r')) return null;
    const indent = (key[1] ?? '').length;
    const starts: number[] = [];
    let at = key.index + key[0].length - indent - 2;
    while (at < text.length) {
      const column = firstColumn(text, at);
      if (column === indent && text.startsWith('- ', at + indent)) starts.push(at);
      else if (column <= indent && !isBlank(text, at + column)) break;
      at = nextLine(text, at);
    }
    return starts.length < fewest ? null : new YamlJobs(text, [...starts, at], indent);
  }

  /** The whole document; null when it has to be read in one piece. */
  value(parse: ParsePiece): { value: unknown } | null {
    const rest = parse(this.#rest())?.value;
    if (!isMapping(rest) || !Array.isArray(rest.jobs) || rest.jobs.length !== 1 || rest.jobs[0] !== 0) return null;
    const jobs: unknown[] = [];
    const numJobs = this.#starts.length - 1;
    for (let job = 0; job < numJobs; ) {
      const plain = this.#plainJob(job);
      if (plain !== null) {
        jobs.push(plain);
        job += 1;
        continue;
      }
      let end = job + 1;
      while (end < numJobs && end - job < jobsAtOnce && this.#plainJob(end) === null) end += 1;
      const parsed = parse(this.#textOf(job, end))?.value;
      if (!Array.isArray(parsed) || parsed.length !== end - job) return null;
      jobs.push(...parsed);
      job = end;
    }
    rest.jobs = jobs;
    return { value: rest };
  }

  /** The offset of a place, found by reading only the job in which it is, or the rest. */
  offset(place: Place, offsetOf: (text: string, place: Place) => number): number {
    const [list, job, ...inside] = place.path;
    const start = list === 'jobs' && typeof job === 'number' ? this.#starts[job] : undefined;
    if (start !== undefined && Number(job) < this.#starts.length - 1) {
      return start + offsetOf(this.#textOf(Number(job), Number(job) + 1), { ...place, path: [0, ...inside] });
    }
    const [first = 0, last = 0] = [this.#starts[0], this.#starts.at(-1)];
    const offset = offsetOf(this.#rest(), place);
    const offsetAfter = first + this.#indent + placeholder.length;
    return offset < offsetAfter ? offset : offset - offsetAfter + last;
  }

  #rest(): string {
    const [first, last] = [this.#starts[0], this.#starts.at(-1)];
    return this.#text.slice(0, first) + ' '.repeat(this.#indent) + placeholder + this.#text.slice(last);
  }

  #textOf(job: number, end: number): string {
    return this.#text.slice(this.#starts[job], this.#starts[end]);
  }

  /** Null for a job that takes the parser. */
  #plainJob(job: number): Record<string, unknown> | null {
    const values: Record<string, unknown> = {};
    const end = this.#starts[job + 1] ?? 0;
    for (let at = this.#starts[job] ?? 0, isFirst = true; at < end; isFirst = false) {
      const next = nextLine(this.#text, at);
      const column = firstColumn(this.#text, at);
      const start = at + this.#indent + 2;
      if (isFirst || !isBlank(this.#text, at + column)) {
        if (!isFirst && column !== this.#indent + 2) return null;
        const stop = this.#text.charCodeAt(next - 1) === 0x0a ? next - 1 : next;
        const member = memberOf(this.#text.slice(start, stop));
        if (member === null || Object.hasOwn(values, member.key)) return null;
        values[member.key] = member.value;
      }
      at = next;
    }
    return values;
  }
}

function memberOf(line: string): { key: string; value: unknown } | null {
  const match = plainLine.exec(line);
  if (match === null) return null;
  const [, key = '', double, single, integer, words, text] = match;
  if (otherThanText.test(key) || (text !== undefined && otherThanText.test(text))) return null;
  if (integer !== undefined) return { key, value: Number(integer) };
  if (words === undefined) return { key, value: double ?? single ?? text };
  const list = words.split(', ');
  return list.some((word) => otherThanText.test(word)) ? null : { key, value: list };
}

/** How many spaces the line at an offset begins with. */
function firstColumn(text: string, at: number): number {
  let column = 0;
  while (text.charCodeAt(at + column) === 0x20) column += 1;
  return column;
}

/** Whether a line has nothing, or a comment, from an offset on. */
function isBlank(text: string, at: number): boolean {
  return at >= text.length || text.charCodeAt(at) === 0x0a || text.charCodeAt(at) === 0x23;
}

function nextLine(text: string, at: number): number {
  const newline = text.indexOf('\n', at);
  return newline < 0 ? text.length : newline + 1;
}
