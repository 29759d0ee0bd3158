/** What jobs of one command differ by: the lines of a file, the elements of a JSON list, or the numbers of an array. */
import { TorcError } from '../../base/errors.ts';
import { jsonText, parseJson } from '../../base/exact-json.ts';
import { mostEnvironmentBytes } from '../launch.ts';
import { mostInstances } from '../spec/parameters.ts';
import { type Problem, SpecError, shownProblems } from '../spec/problems.ts';
import { listElements } from './json-list.ts';

export interface Entry {
  /** Its number, from 1; in an array, as it is written. */
  id: number;
  /** Null in an array, where the number is all. */
  text: string | null;
}

/** Entries that are made each time they are iterated. */
export interface Entries extends Iterable<Entry> {
  count: number;
  greatestId: number;
}

/** With its number, no more than the variables of a job may have together. */
const longestEntryBytes = mostEnvironmentBytes - 64;

/** Why a text cannot be a variable of a job; null when it can. */
function entryProblem(text: string): string | null {
  if (text.includes('\0')) return 'a NUL byte, which no variable can have';
  const isLong = text.length > longestEntryBytes / 4 && Buffer.byteLength(text) > longestEntryBytes;
  return isLong ? `is longer than the ${longestEntryBytes} bytes that a variable can have` : null;
}

/** The lines that are not blank, each numbered as in the file. Throws SpecError. */
export function lineEntries(lines: Iterable<string>, file: string): Entries {
  const problems: Problem[] = [];
  let numProblems = 0;
  let count = 0;
  let greatestId = 0;
  for (const { id, text } of numbered(lines)) {
    count += 1;
    greatestId = id;
    const message = entryProblem(text);
    if (message === null) continue;
    numProblems += 1;
    if (problems.length < shownProblems) problems.push({ file, line: id, column: 1, path: '', message });
  }
  if (numProblems > 0) throw new SpecError(problems, numProblems);
  if (count === 0) throw new SpecError([{ file, line: 1, column: 1, path: '', message: 'has no lines' }]);
  return { count, greatestId, [Symbol.iterator]: () => numbered(lines) };
}

function* numbered(lines: Iterable<string>): Generator<{ id: number; text: string }> {
  let id = 0;
  for (const text of lines) {
    id += 1;
    if (text.trim() !== '') yield { id, text };
  }
}

/** The elements of a list, each as JSON on one line, with numbers as they are written. Throws SpecError. */
export function jsonEntries(pieces: Iterable<string>, file: string): Entries {
  let count = 0;
  for (const { id, text } of elements(pieces, file)) {
    const message = entryProblem(text);
    if (message !== null) throw problemAt(file, id - 1, message);
    count = id;
  }
  return { count, greatestId: count, [Symbol.iterator]: () => elements(pieces, file) };
}

function* elements(pieces: Iterable<string>, file: string): Generator<{ id: number; text: string }> {
  let id = 0;
  for (const written of listElements(pieces, file)) {
    id += 1;
    yield { id, text: compact(written, file, id - 1) };
  }
}

function compact(written: string, file: string, index: number): string {
  try {
    return jsonText(parseJson(written));
  } catch (error) {
    throw problemAt(file, index, `is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function problemAt(file: string, index: number, message: string): SpecError {
  return new SpecError([{ file, line: 1, column: 1, path: `[${index}]`, message }]);
}

export interface TaskArray extends Entries {
  /** So many run at once, from `%4`; null for as many as fit. */
  maxConcurrent: number | null;
}

const arrayHint = 'For example: 1-100, 1,5,9-12, 0-90:10, or 1-100%4 for at most 4 at a time.';

/** The numbers of `1-100`, `1,5,9-12`, `0-90:10` and `1-100%4`, as of sbatch --array. Throws TorcError 'usage'. */
export function readArray(written: string): TaskArray {
  const refuse = (message: string) => new TorcError('usage', `--array ${written}: ${message}`, arrayHint);
  const [, list = '', most] = /^([^%]*)(?:%([0-9]{1,9}))?$/.exec(written.trim()) ?? [];
  if (list === '') throw refuse('this is not a list of numbers');
  if (most !== undefined && Number(most) === 0) throw refuse('at most 0 at a time would run none');
  const ids = new Set<number>();
  for (const part of list.split(',')) {
    const match = /^([0-9]{1,9})(?:-([0-9]{1,9})(?::([0-9]{1,9}))?)?$/.exec(part.trim());
    if (match === null) throw refuse(`'${part}' is not a number or a range of numbers`);
    const [first, last, step] = [Number(match[1]), Number(match[2] ?? match[1]), Number(match[3] ?? 1)];
    if (step === 0) throw refuse(`'${part}' has a step of 0, which never reaches the end`);
    if (last < first) throw refuse(`'${part}' ends before it starts`);
    if (Math.floor((last - first) / step) + 1 + ids.size > mostInstances) {
      throw refuse(`at most ${mostInstances} jobs are allowed`);
    }
    for (let id = first; id <= last; id += step) ids.add(id);
  }
  const sorted = [...ids].sort((a, b) => a - b);
  return {
    count: sorted.length,
    greatestId: sorted.at(-1) ?? 0,
    maxConcurrent: most === undefined ? null : Number(most),
    *[Symbol.iterator]() {
      for (const id of sorted) yield { id, text: null };
    },
  };
}
