/** What can be wrong in a specification, and the error that lists all problems with their places. */
import { TorcError } from '../../base/errors.ts';
import { quoted } from './names.ts';

/** Keys and indices from the top of the document. */
export type SpecPath = readonly (string | number)[];

/** Something in the document: the value at a path, or the key that introduces it. */
export interface Place {
  path: SpecPath;
  at: 'key' | 'value';
}

/** From 1; columns count characters. */
export interface Position {
  line: number;
  column: number;
}

/** Positions of places, in their order; a place that does not exist gets that of what would contain it. */
export type Where = (places: readonly Place[]) => Position[];

export interface Finding extends Place {
  message: string;
  /** The message with the word that stands at the place in the text. */
  fromText?: (written: string) => string;
}

/** One problem as shown: `FILE:LINE:COL: path: message`. */
export interface Problem extends Position {
  file: string;
  path: string;
  message: string;
}

/** How many problems are kept and shown; the others are counted. */
export const shownProblems = 50;

/** How many problems of one place are shown. */
const shownOfPlace = 5;

/** How many problems are remembered to recognize repeated ones. */
const mostKnown = 100_000;

/** Collects findings; keeps the first ones and counts the others, so that a huge broken file costs no memory. */
export class Findings {
  readonly kept: Finding[] = [];
  count = 0;
  readonly #known = new Set<string>();
  readonly #numOfPlace = new Map<string, number>();

  /**
   * `message` is called only for a finding that is kept: finding the nearest of many names takes time. One with a
   * parameter gets the word that stands there in the text, where that is known.
   */
  add(path: SpecPath, message: (written?: string) => string, at: 'key' | 'value' = 'value'): void {
    this.count += 1;
    if (this.kept.length >= shownProblems) return;
    this.kept.push({ path, at, message: message(), ...(message.length > 0 ? { fromText: message } : {}) });
  }

  /**
   * Like `add`, for mistakes that the instances of a sweep can repeat a million times: each `what` of a place counts
   * once; a few are kept and the others counted.
   */
  addOnce(path: SpecPath, what: string, message: () => string): void {
    const place = JSON.stringify(path);
    const known = `${place} ${what}`;
    if (this.#known.has(known)) return;
    if (this.#known.size < mostKnown) this.#known.add(known);
    const before = this.#numOfPlace.get(place) ?? 0;
    this.#numOfPlace.set(place, before + 1);
    if (before < shownOfPlace) this.add(path, message);
    else this.count += 1;
  }

  /** Throws SpecError when anything was found in a text, if there is one; `hint` instead of its own. */
  throwIfAny(file: string, where: Where, { hint, text }: { hint?: string | undefined; text?: string } = {}): void {
    if (this.count === 0) return;
    const positions = where(this.kept);
    const problems = this.kept.map((finding, i) => {
      const position = positions[i] ?? { line: 1, column: 1 };
      return { file, ...position, path: pathText(finding.path), message: messageAt(finding, text, position) };
    });
    throw new SpecError(problems, this.count, hint);
  }
}

function messageAt({ message, fromText }: Finding, text: string | undefined, { line, column }: Position): string {
  if (fromText === undefined || text === undefined) return message;
  const rest = [...(text.split('\n', line).at(-1) ?? '')].slice(column - 1).join('');
  const [word] = /^[^\s,\]}#]+/.exec(rest) ?? [];
  return word === undefined ? message : fromText(word);
}

/** An invalid specification, with its problems in the order of the file; at most `shownProblems` of `count`. */
export class SpecError extends TorcError {
  readonly problems: readonly Problem[];
  readonly count: number;

  constructor(
    problems: readonly Problem[],
    count: number = problems.length,
    hint = 'Correct these places and run the command again.',
  ) {
    const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column).slice(0, shownProblems);
    super('invalid_spec', messageOf(sorted, count), hint);
    this.name = 'SpecError';
    this.problems = sorted;
    this.count = count;
  }
}

function messageOf(problems: readonly Problem[], count: number): string {
  const lines = problems.map(({ file, line, column, path, message }) => {
    return `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`;
  });
  if (count > lines.length) lines.push(`and ${count - lines.length} more`);
  return lines.join('\n');
}

/** A path as people write it: `jobs[3].depends_on[0]`; the top of the document is ''. */
export function pathText(path: SpecPath): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(part)) return `${text}[${quoted(part)}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}
