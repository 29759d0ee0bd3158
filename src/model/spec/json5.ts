/**
 * JSON5: JSON with comments, bare keys, single quotes and commas before the end. The json5 library reads the values; a
 * walk over what it accepted finds duplicate keys, nesting that is too deep, and on request the places of values.
 */

import JSON5 from 'json5';
import { marked, revived, writtenNumber } from '../../base/exact-json.ts';
import { quoted } from './names.ts';
import { PlaceFinder, passing, type Waypoint } from './places.ts';
import { SpecError } from './problems.ts';
import { afterComments, type Fault, type ReadDocument, throwFaults, withinDepth } from './source.ts';

/** The value of a JSON5 text; throws SpecError with every duplicate key or the first syntax error. */
export function readJson5(text: string, file: string): ReadDocument {
  const value = parsed(text, file);
  const numbers: NumberPlace[] = [];
  throwFaults(walk(text, null, numbers), text, file);
  return {
    value: numbers.length === 0 ? value : JSON5.parse<unknown>(withMarked(text, numbers), revived),
    where(places) {
      const finder = new PlaceFinder(places);
      walk(text, finder.root);
      return finder.positions(text);
    },
  };
}

function parsed(text: string, file: string): unknown {
  try {
    return JSON5.parse(text) as unknown;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const { lineNumber: line = 1, columnNumber: column = 1 } = error as { lineNumber?: number; columnNumber?: number };
    const message = error.message.replace(/^JSON5: /, '').replace(/ at [0-9]+:[0-9]+$/, '');
    throw new SpecError([{ file, line, column: Math.max(1, column), path: '', message }]);
  }
}

/** An open object or list; `seen` holds the keys of an object so far, and is null for a list. */
interface Level {
  seen: Set<string> | null;
  part: string | number;
  keyOffset: number;
  isKeyNext: boolean;
  waypoint: Waypoint | null;
}

/** The mark, text in quotes or bare word at an offset; '' at the end. */
function wordAt(text: string, offset: number): string {
  const first = text.charAt(offset);
  if (/[[\]{},:]/.test(first)) return first;
  let end = offset + 1;
  if (first === '"' || first === "'") {
    while (end < text.length && text[end] !== first) end += text[end] === '\\' ? 2 : 1;
    return text.slice(offset, end + 1);
  }
  while (end < text.length && !/[\s,:{}[\]'"/]/.test(text.charAt(end))) end += 1;
  return text.slice(offset, end);
}

/** A number that a double would change. */
interface NumberPlace {
  offset: number;
  written: string;
}

function withMarked(text: string, numbers: readonly NumberPlace[]): string {
  let from = 0;
  const parts = numbers.map(({ offset, written }) => {
    const before = text.slice(from, offset);
    from = offset + written.length;
    return before + marked(written);
  });
  return parts.join('') + text.slice(from);
}

/** Walks over a text that the library accepts; places are noted in the waypoints. */
function walk(text: string, root: Waypoint | null, numbers: NumberPlace[] = []): Fault[] {
  const faults: Fault[] = [];
  const levels: Level[] = [];
  const value = (offset: number): Waypoint | null => {
    const level = levels.at(-1);
    if (level !== undefined) return passing(level.waypoint, level.part, level.keyOffset, offset);
    if (root !== null) root.valueOffset = offset;
    return root;
  };
  for (let at = afterComments(text, 0); at < text.length; at = afterComments(text, at)) {
    const offset = at;
    const word = wordAt(text, offset);
    at += word.length;
    const level = levels.at(-1);
    if (word === '{' || word === '[') {
      if (levels.length >= withinDepth) {
        faults.push({ offset, message: `is nested deeper than ${withinDepth} levels` });
        break;
      }
      const isObject = word === '{';
      const waypoint = value(offset);
      levels.push({ seen: isObject ? new Set() : null, part: 0, keyOffset: -1, isKeyNext: isObject, waypoint });
    } else if (word === '}' || word === ']') levels.pop();
    else if (word === ',') {
      if (level?.seen === null) level.part = Number(level.part) + 1;
      else if (level !== undefined) level.isKeyNext = true;
    } else if (word === ':') {
      if (level !== undefined) level.isKeyNext = false;
    } else if (level?.seen && level.isKeyNext) {
      const key = keyOf(word);
      const message = `the key ${quoted(key)} appears twice in the same object`;
      if (level.seen.has(key)) faults.push({ offset, message });
      level.seen.add(key);
      level.part = key;
      level.keyOffset = offset;
    } else {
      if (typeof writtenNumber(Number(word), word) === 'object') numbers.push({ offset, written: word });
      value(offset);
    }
  }
  return faults;
}

function keyOf(word: string): string {
  if (word.startsWith('"') || word.startsWith("'")) return JSON5.parse<string>(word);
  return word.replace(/\\u([0-9a-fA-F]{4})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}
