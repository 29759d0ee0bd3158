/** The elements of a JSON list that may be too large to be in memory at once. */
import { type Problem, SpecError } from '../spec/problems.ts';

/** No element is as long as this. */
const longestElement = 64 * 1024 * 1024;

const structure = /["\\[\]{},]/g;
const inText = /["\\]/g;

/** The text of each element, not yet parsed, of a list that comes in pieces. Throws SpecError where it is no list. */
export function* listElements(pieces: Iterable<string>, file: string): Generator<string> {
  const list = new ListReader(file);
  for (const piece of pieces) yield* list.read(piece);
  list.end();
}

class ListReader {
  readonly #file: string;
  #place: 'before' | 'inside' | 'after' = 'before';
  #depth = 0;
  #isText = false;
  /** Whether the next character belongs to a backslash. */
  #isEscaped = false;
  #element = '';
  #count = 0;

  constructor(file: string) {
    this.#file = file;
  }

  *read(piece: string): Generator<string> {
    let from = 0;
    if (this.#place === 'before') {
      const start = /\S/.exec(piece);
      if (start === null) return;
      if (start[0] !== '[') throw this.#problem('', noList);
      this.#place = 'inside';
      from = start.index + 1;
    }
    let taken = from;
    while (this.#place === 'inside') {
      const at = this.#next(piece, from);
      if (at < 0) break;
      from = at + 1;
      const isEnd = this.#depth === 0 && !this.#isText && (piece[at] === ',' || piece[at] === ']');
      if (!isEnd) this.#enter(piece[at] ?? '');
      else {
        const element = this.#element + piece.slice(taken, at);
        this.#element = '';
        taken = from;
        if (piece[at] === ']') this.#place = 'after';
        yield* this.#finished(element);
      }
    }
    if (this.#place === 'after') {
      if (/\S/.test(piece.slice(taken))) throw this.#problem('', 'is not JSON: there is text after the list');
      return;
    }
    this.#element += piece.slice(taken);
    if (this.#element.length > longestElement) throw this.#problem(`[${this.#count}]`, 'is longer than 64 MiB');
  }

  end(): void {
    if (this.#place === 'before') throw this.#problem('', noList);
    if (this.#place === 'inside') throw this.#problem('', 'is not JSON: the list has no end');
    if (this.#count === 0) throw this.#problem('', 'is an empty list: write one element for each job');
  }

  /** Where the next character is that may change the state; -1 for none. */
  #next(piece: string, from: number): number {
    let start = from;
    if (this.#isEscaped && start < piece.length) {
      this.#isEscaped = false;
      start += 1;
    }
    const searched = this.#isText ? inText : structure;
    searched.lastIndex = start;
    return searched.exec(piece)?.index ?? -1;
  }

  #enter(character: string): void {
    if (character === '\\') this.#isEscaped = this.#isText;
    else if (character === '"') this.#isText = !this.#isText;
    else if (character === '[' || character === '{') this.#depth += 1;
    else if (character === ']' || character === '}') this.#depth -= 1;
  }

  *#finished(element: string): Generator<string> {
    const isNothing = element.trim() === '';
    if (isNothing && this.#place === 'after' && this.#count === 0) return;
    if (isNothing) throw this.#problem(`[${this.#count}]`, 'is not JSON: it is missing');
    this.#count += 1;
    yield element;
  }

  #problem(path: string, message: string): SpecError {
    const problem: Problem = { file: this.#file, line: 1, column: 1, path, message };
    return new SpecError([problem]);
  }
}

const noList = 'is not a list: write [.., ..], one element for each job';
