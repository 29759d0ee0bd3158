/** The names that regular expressions match: anywhere in the name unless `^` and `$` are written. */
import { createContext, Script } from 'node:vm';
import { quoted } from '../spec/names.ts';
import { compiledPattern, PatternProblem } from '../spec/pattern-syntax.ts';

/** Time for one pattern over all names, and for all patterns; only endless backtracking takes longer. */
const mostMilliseconds = 1000;
const mostMillisecondsOfAll = 5000;

/** How many times patterns may be tried on names in total. */
const mostTrials = 200_000_000;

/** How many names all patterns may match in total. */
const mostMatches = 20_000_000;

const tooManyMatches = new PatternProblem(
  `the patterns match more than ${mostMatches} names in total: make them more specific`,
);

const script = new Script('run()');
const sandbox: { run: () => void } = { run: () => {} };
let context: object | null = null;

/** Runs a function whose regular expression may never end; false when it had to be interrupted. */
function endsInTime(run: () => void, milliseconds: number): boolean {
  context ??= createContext(sandbox);
  sandbox.run = run;
  try {
    script.runInContext(context, { timeout: milliseconds });
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return false;
    throw error;
  }
}

/** The numbers of names that patterns match; the same list of numbers for the same patterns. */
export class PatternMatcher {
  readonly #given: Iterable<string>;
  #all: readonly string[] | null = null;
  readonly #known = new Map<string, readonly number[] | PatternProblem>();
  #sorted: Int32Array | null = null;
  #numTrials = 0;
  #numMatches = 0;
  #millisecondsLeft = mostMillisecondsOfAll;

  /** The names are read when the first pattern comes. */
  constructor(names: Iterable<string>) {
    this.#given = names;
  }

  get #names(): readonly string[] {
    this.#all ??= [...this.#given];
    return this.#all;
  }

  /** In ascending order. Throws PatternProblem. */
  matching(pattern: string): readonly number[] {
    const known = this.#known.get(pattern) ?? this.#tried(pattern);
    this.#known.set(pattern, known);
    if (known instanceof PatternProblem) throw known;
    return known;
  }

  #tried(pattern: string): readonly number[] | PatternProblem {
    if (this.#numMatches > mostMatches) return tooManyMatches;
    const expression = compiledPattern(pattern);
    if (expression instanceof PatternProblem) return expression;
    const candidates = this.#candidates(pattern);
    this.#numTrials += candidates?.length ?? this.#names.length;
    if (this.#numTrials > mostTrials) {
      return new PatternProblem(`too many patterns for ${this.#names.length} names: begin them with ^ and plain text`);
    }
    const matching: number[] = [];
    const names = this.#names;
    const tryNames = (): void => {
      if (candidates === null) {
        for (let i = 0; i < names.length; i++) if (expression.test(names[i] ?? '')) matching.push(i);
      } else for (const i of candidates) if (expression.test(names[i] ?? '')) matching.push(i);
    };
    if (!this.#endsInTime(tryNames, /[*+{]/.test(pattern))) {
      const message = `the pattern ${quoted(pattern)} takes too long: is there a repetition inside a repetition?`;
      return new PatternProblem(message);
    }
    this.#numMatches += matching.length;
    if (this.#numMatches > mostMatches) return tooManyMatches;
    return matching.sort((a, b) => a - b);
  }

  #endsInTime(run: () => void, hasRepetitions: boolean): boolean {
    if (!hasRepetitions) {
      run();
      return true;
    }
    if (this.#millisecondsLeft < 1) return false;
    const start = performance.now();
    const isDone = endsInTime(run, Math.ceil(Math.min(mostMilliseconds, this.#millisecondsLeft)));
    this.#millisecondsLeft -= performance.now() - start;
    return isDone;
  }

  /** The numbers of names with the plain text that a pattern begins with; null for all of them. */
  #candidates(pattern: string): Int32Array | null {
    const prefix = plainBeginning(pattern);
    if (prefix === '' || this.#names.length < 1000) return null;
    const names = this.#names;
    this.#sorted ??= Int32Array.from(names.keys()).sort((a, b) => ((names[a] ?? '') < (names[b] ?? '') ? -1 : 1));
    const from = this.#firstFrom((name) => name >= prefix);
    const to = this.#firstFrom((name) => name >= prefix && !name.startsWith(prefix));
    return this.#sorted.subarray(from, to);
  }

  /** Where in the sorted names a condition begins to hold. */
  #firstFrom(holds: (name: string) => boolean): number {
    const sorted = this.#sorted ?? new Int32Array();
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(this.#names[sorted[middle] ?? 0] ?? '')) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** `^stage1_` of `^stage1_.*`; empty for patterns that are not that simple. */
function plainBeginning(pattern: string): string {
  if (pattern.includes('|')) return '';
  const plain = /^\^([A-Za-z0-9_ /:-]*)(.?)/.exec(pattern);
  const [, text = '', next = ''] = plain ?? [];
  return /[*+?{]/.test(next) ? text.slice(0, -1) : text;
}
