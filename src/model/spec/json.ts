/**
 * JSON with places: one iterative walk over the text finds syntax errors, duplicate keys and nesting that is too
 * deep, and on request the places of values. The values themselves come from the faster JSON.parse, numbers as they are written.
 */
import { parseJson } from '../../base/exact-json.ts';
import { quoted } from './names.ts';
import { PlaceFinder, passing, type Waypoint } from './places.ts';
import type { Where } from './problems.ts';
import { type Fault, type ReadDocument, throwFaults, withinDepth } from './source.ts';

/** The value of a JSON text; throws SpecError with every duplicate key or the first syntax error. */
export function readJson(text: string, file: string): ReadDocument {
  throwFaults(new JsonWalk(text, null).run(), text, file);
  return { value: parseJson(text), where: whereInJson(text) };
}

export function whereInJson(text: string): Where {
  return (places) => {
    const finder = new PlaceFinder(places);
    new JsonWalk(text, finder.root).run();
    return finder.positions(text);
  };
}

/** A list in the object that a text holds: where it begins and ends, and where every so many elements do. */
export interface ListPlace {
  key: string;
  every: number;
  start: number;
  /** After its last bracket. */
  end: number;
  length: number;
  starts: number[];
}

/** Where the list of this key is; null in a text with faults, or where no list has the key. */
export function findList(text: string, key: string, every: number): ListPlace | null {
  const list: ListPlace = { key, every, start: -1, end: -1, length: 0, starts: [] };
  return new JsonWalk(text, null, list).run().length > 0 || list.end < 0 ? null : list;
}

/** An open object or list; `seen` holds the keys of an object so far, and is null for a list. */
interface Level {
  seen: Set<string> | null;
  start: number;
  part: string | number;
  keyOffset: number;
  waypoint: Waypoint | null;
}

class SyntaxFault {
  readonly fault: Fault;
  constructor(offset: number, message: string) {
    this.fault = { offset, message };
  }
}

const numberPattern = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y;
const words = ['true', 'false', 'null'];

class JsonWalk {
  readonly #text: string;
  readonly #root: Waypoint | null;
  readonly #list: ListPlace | null;
  readonly #levels: Level[] = [];
  readonly #faults: Fault[] = [];
  #at = 0;

  constructor(text: string, root: Waypoint | null, list: ListPlace | null = null) {
    this.#text = text;
    this.#root = root;
    this.#list = list;
  }

  run(): Fault[] {
    try {
      this.#value();
      while (this.#levels.length > 0) this.#member();
      this.#space();
      if (this.#at < this.#text.length) this.#fail('after the end of the document');
    } catch (error) {
      if (!(error instanceof SyntaxFault)) throw error;
      this.#faults.push(error.fault);
    }
    return this.#faults;
  }

  /** Passes a scalar, or opens an object or list and passes up to its first value. */
  #value(): void {
    for (;;) {
      this.#space();
      const level = this.#levels.at(-1);
      const waypoint =
        level === undefined ? this.#root : passing(level.waypoint, level.part, level.keyOffset, this.#at);
      if (level === undefined && waypoint !== null) waypoint.valueOffset = this.#at;
      if (this.#list !== null && this.#isIn(this.#list)) this.#noteElement(this.#list);
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x7b && code !== 0x5b) {
        this.#scalar(code);
        return;
      }
      this.#open(code === 0x7b, waypoint);
      this.#space();
      if (this.#text.charCodeAt(this.#at) === (code === 0x7b ? 0x7d : 0x5d)) {
        this.#close();
        return;
      }
      if (code === 0x7b) this.#key();
    }
  }

  #open(isObject: boolean, waypoint: Waypoint | null): void {
    if (this.#levels.length >= withinDepth)
      throw new SyntaxFault(this.#at, `is nested deeper than ${withinDepth} levels`);
    this.#levels.push({ seen: isObject ? new Set() : null, start: this.#at, part: 0, keyOffset: -1, waypoint });
    this.#at += 1;
  }

  #close(): void {
    const list = this.#list !== null && this.#isIn(this.#list) ? this.#list : null;
    this.#levels.pop();
    this.#at += 1;
    if (list !== null) list.end = this.#at;
  }

  /** Whether the innermost level is the wanted list. */
  #isIn({ key }: ListPlace): boolean {
    return this.#levels.length === 2 && this.#levels[1]?.seen === null && this.#levels[0]?.part === key;
  }

  #noteElement(list: ListPlace): void {
    if (list.length === 0) list.start = this.#levels[1]?.start ?? 0;
    if (list.length % list.every === 0) list.starts.push(this.#at);
    list.length += 1;
  }

  /** After a value inside an object or list: the end of it, or a comma and the next value. */
  #member(): void {
    const level = this.#levels.at(-1);
    if (level === undefined) return;
    this.#space();
    const code = this.#text.charCodeAt(this.#at);
    if (code === (level.seen === null ? 0x5d : 0x7d)) {
      this.#close();
      return;
    }
    if (code !== 0x2c) this.#fail(level.seen === null ? "expected ',' or ']'" : "expected ',' or '}'");
    this.#at += 1;
    this.#space();
    const next = this.#text.charCodeAt(this.#at);
    if (next === 0x5d || next === 0x7d) this.#fail('JSON does not allow a comma before the end of a list or object');
    if (level.seen !== null) this.#key();
    else level.part = (level.part as number) + 1;
    this.#value();
  }

  #key(): void {
    const level = this.#levels.at(-1);
    this.#space();
    const start = this.#at;
    if (this.#text.charCodeAt(start) !== 0x22) this.#fail('expected a key in double quotes');
    this.#string();
    if (level === undefined || level.seen === null) return;
    const raw = this.#text.slice(start, this.#at);
    const key = raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1);
    if (level.seen.has(key)) {
      this.#faults.push({ offset: start, message: `the key ${quoted(key)} appears twice in the same object` });
    }
    level.seen.add(key);
    level.part = key;
    level.keyOffset = start;
    this.#space();
    if (this.#text.charCodeAt(this.#at) !== 0x3a) this.#fail(`expected ':' after the key ${quoted(key)}`);
    this.#at += 1;
  }

  #scalar(code: number): void {
    if (code === 0x22) this.#string();
    else if (code === 0x2d || (code >= 0x30 && code <= 0x39)) this.#number();
    else this.#word();
  }

  #word(): void {
    const word = words.find((w) => this.#text.startsWith(w, this.#at));
    if (word === undefined) this.#fail('expected a value');
    this.#at += word.length;
  }

  #number(): void {
    numberPattern.lastIndex = this.#at;
    const digits = numberPattern.exec(this.#text)?.[0];
    if (digits === undefined) this.#fail('expected a value');
    if (!Number.isFinite(Number(digits))) throw new SyntaxFault(this.#at, 'this number is too large');
    this.#at += digits.length;
  }

  #string(): void {
    const text = this.#text;
    for (let i = this.#at + 1; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code === 0x22) {
        this.#at = i + 1;
        return;
      }
      if (code < 0x20)
        throw new SyntaxFault(i, 'a line break or control character inside a text: write it as \\n or \\u00..');
      if (code !== 0x5c) continue;
      i += 1;
      const isEscape =
        text[i] === 'u' ? /^[0-9a-fA-F]{4}$/.test(text.slice(i + 1, i + 5)) : /^["\\/bfnrt]$/.test(text[i] ?? '');
      if (!isEscape)
        throw new SyntaxFault(i - 1, 'unknown escape: JSON allows \\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uXXXX');
    }
    throw new SyntaxFault(this.#at, 'this text has no closing quote');
  }

  #space(): void {
    const text = this.#text;
    for (; this.#at < text.length; this.#at++) {
      const code = text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
    }
  }

  #fail(expected: string): never {
    const found = this.#text.codePointAt(this.#at);
    if (found === undefined) {
      const open = this.#levels.at(-1);
      const unclosed = open === undefined ? '' : `; this ${open.seen === null ? 'list' : 'object'} is not closed`;
      throw new SyntaxFault(open === undefined ? this.#at : open.start, `the text ends early, ${expected}${unclosed}`);
    }
    const character = String.fromCodePoint(found);
    throw new SyntaxFault(this.#at, `found ${quoted(character)}, ${expected}${adviceFor(character)}`);
  }
}

function adviceFor(character: string): string {
  if (character === '#' || character === '/') return '; JSON has no comments, YAML does';
  if (character === "'") return '; JSON writes texts in double quotes';
  return '';
}
