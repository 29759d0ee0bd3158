/**
 * JSON whose numbers stay as they are written. A number that a double would change (`9007199254740993`, `1.0`, `1e400`)
 * is a `WrittenNumber`, every other one a plain number: documents of users pass through torc unchanged.
 */

const mark = `number ${globalThis.crypto.randomUUID()} `;

/** Whether written numbers give their text: only within `jsonText`. */
let isExact = false;

export class WrittenNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** For JSON.stringify, which knows only doubles. */
  toJSON(): string | number {
    return isExact ? mark + this.text : Number(this.text);
  }
}

export type Json = string | number | boolean | null | WrittenNumber | Json[] | { [key: string]: Json };

const jsonNumber = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$/;

/** A number of any syntax as it is written, if JSON can write it so and it would else change. */
export function writtenNumber(value: number, text: string | undefined): number | WrittenNumber {
  return text === undefined || String(value) === text || !jsonNumber.test(text) ? value : new WrittenNumber(text);
}

export function jsonText(value: unknown, indent = 0): string {
  isExact = true;
  try {
    const text = JSON.stringify(value, null, indent);
    return text.includes(mark) ? text.replaceAll(new RegExp(`"${mark}([^"]*)"`, 'g'), '$1') : text;
  } finally {
    isExact = false;
  }
}

/** Throws SyntaxError as JSON.parse does. */
export function parseJson(text: string): unknown {
  return parsed(text).value;
}

/** Where documents of users are in requests, replies and reports. */
const documentKeys: ReadonlySet<string> = new Set(['data', 'metadata', 'old_value', 'new_value']);
const mayHoldDocument = new RegExp(`"(?:${[...documentKeys].join('|')})"`);

/** Parses a message of torc: numbers are plain outside of the documents in it, and most messages hold none. */
export function parseMessage(text: string): unknown {
  if (!mayHoldDocument.test(text)) return JSON.parse(text);
  const { value, hasWritten } = parsed(text);
  return hasWritten ? withPlainNumbers(value, (key) => documentKeys.has(key)) : value;
}

/** Changes written numbers to plain ones in place, except in what `isDocument` keeps; `depth` is 0 at the top. */
export function withPlainNumbers(value: unknown, isDocument: (key: string, depth: number) => boolean): unknown {
  if (value instanceof WrittenNumber) return Number(value.text);
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    const next: unknown[] = [];
    for (const container of level) {
      if (typeof container !== 'object' || container === null) continue;
      for (const [key, held] of Object.entries(container)) {
        if (typeof held !== 'object' || held === null || isDocument(key, depth)) continue;
        if (held instanceof WrittenNumber) Object.assign(container, { [key]: Number(held.text) });
        else next.push(held);
      }
    }
    level = next;
  }
  return value;
}

const mayBeWritten = /[0-9]{16}|[0-9][.eE]|-0/;
const textsAndNumbers = /"[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9][0-9.eE+-]*/g;

function parsed(text: string): { value: unknown; hasWritten: boolean } {
  const value: unknown = JSON.parse(text);
  if (!mayBeWritten.test(text)) return { value, hasWritten: false };
  let hasWritten = false;
  const exact = text.replace(textsAndNumbers, (token) => {
    if (token.startsWith('"') || String(Number(token)) === token) return token;
    hasWritten = true;
    return marked(token);
  });
  return hasWritten ? { value: JSON.parse(exact, revived), hasWritten } : { value, hasWritten };
}

/** A number as a text, which `revived` makes a number again: for the parsers of syntaxes that contain JSON's texts. */
export function marked(number: string): string {
  return `"${mark}${number}"`;
}

/** What JSON.parse and its like take to revive marked numbers. */
export function revived(_key: string, value: unknown): unknown {
  return typeof value === 'string' && value.startsWith(mark) ? new WrittenNumber(value.slice(mark.length)) : value;
}
