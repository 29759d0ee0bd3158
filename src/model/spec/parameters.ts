/**
 * Parameters and their sweeps: from `"1:100"`, `"0:0.3:0.1"`, `"[a,b]"` or a list to values, and from several parameters
 * to the combinations of a sweep, numbered from 0 and made one at a time.
 */
import { quoted } from './names.ts';
import type { ParameterSpec } from './spec.ts';

/** How many jobs, or files, a specification may expand to. */
export const mostInstances = 2_000_000;

/** How many parameters one sweep may combine. */
const mostParameters = 100;

/** Numbers are shown without digits that only come from binary fractions. */
export type Value = string | number;

/** Why values cannot be read or combined, for people. */
export class ParameterProblem extends Error {}

const numberPattern = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;

/** Lists of values in files of their own. */
export interface ListFiles {
  list(path: string): Value[];
}

/** The values that a specification writes; throws ParameterProblem. */
export function readValues(written: ParameterSpec, files: ListFiles | null = null): Value[] {
  if (typeof written === 'boolean') return [String(written)];
  if (typeof written === 'number') return [checkedNumber(written)];
  if (Array.isArray(written)) return nonEmpty(written.map((value) => scalarOf(value)));
  const trimmed = written.trim();
  const text = /^\{[^{},]*\}$/.test(trimmed) ? trimmed.slice(1, -1).trim() : trimmed;
  if (text.startsWith('[') && text.endsWith(']')) return listOf(text.slice(1, -1));
  if (text.startsWith('@')) {
    if (files === null) throw new ParameterProblem('values in a file are not read here');
    return [...files.list(text.slice(1).trim())];
  }
  if (!/^[^'"]*:/.test(text)) return [wordOf(text)];
  return rangeOf(text);
}

function nonEmpty(values: Value[]): Value[] {
  if (values.length === 0) throw new ParameterProblem('has no values');
  if (values.length > mostInstances) throw tooMany(values.length);
  return values;
}

function tooMany(count: number): ParameterProblem {
  return new ParameterProblem(`gives ${Math.floor(count)} values; at most ${mostInstances} are allowed`);
}

function scalarOf(value: string | number | boolean): Value {
  return typeof value === 'number' ? checkedNumber(value) : String(value);
}

function checkedNumber(value: number): number {
  const isExact = Number.isFinite(value) && (!Number.isInteger(value) || Math.abs(value) <= Number.MAX_SAFE_INTEGER);
  if (!isExact) throw new ParameterProblem(`the number ${value} is too large`);
  return value;
}

/** Whether a text is written like a number. */
export function isNumber(text: string): boolean {
  return numberPattern.test(text);
}

/** A word of a list in a text: a text if it is in quotes, else a number if it looks like one. */
export function wordOf(word: string): Value {
  const quote = word[0];
  if ((quote === "'" || quote === '"') && word.length >= 2 && word.endsWith(quote)) return word.slice(1, -1);
  return numberPattern.test(word) ? checkedNumber(Number(word)) : word;
}

function listOf(text: string): Value[] {
  const words: string[] = [];
  let start = 0;
  let quote = '';
  for (let at = 0; at <= text.length; at++) {
    const char = text[at];
    if (quote !== '') {
      if (char === undefined) throw new ParameterProblem(`the quote ${quote} in the list is not closed`);
      if (char === quote) quote = '';
      continue;
    }
    if ((char === "'" || char === '"') && text.slice(start, at).trim() === '') quote = char;
    if (char !== ',' && char !== undefined) continue;
    words.push(text.slice(start, at).trim());
    start = at + 1;
  }
  if (words.at(-1) === '') words.pop();
  if (words.includes('')) throw new ParameterProblem('the list has an empty value between two commas');
  return nonEmpty(words.map(wordOf));
}

function rangeOf(text: string): Value[] {
  const parts = text.split(':').map((part) => part.trim());
  if (parts.length > 3 || !parts.every((part) => numberPattern.test(part))) {
    const example = 'a range is "START:END" or "START:END:STEP" in numbers';
    throw new ParameterProblem(`found ${quoted(text)}; ${example}, and a text with a colon is a list: "['a:b']"`);
  }
  const [start = 0, end = 0, step = 1] = parts.map((part) => checkedNumber(Number(part)));
  return rangeValues(start, end, step, Math.max(decimalsOf(parts[0]), decimalsOf(parts[2])));
}

/** From start to end, inclusive; `decimals` is how many digits after the point the values can have. */
export function rangeValues(start: number, end: number, step: number, decimals: number): number[] {
  if (step === 0) throw new ParameterProblem('a step of 0 never reaches the end');
  const count = Math.floor((end - start) / step + 1e-9) + 1;
  if (count < 1) {
    const reason = step > 0 ? 'the end is before the start: write a negative step' : 'the end is after the start';
    throw new ParameterProblem(`has no values: ${reason}`);
  }
  if (!(count <= mostInstances)) throw tooMany(count);
  const digits = Math.min(decimals, 100);
  return Array.from({ length: count }, (_, i) => {
    const value = start + i * step;
    return digits === 0 ? value : Number(value.toFixed(digits)) + 0;
  });
}

/** How many digits after the point a number is written with, `1e-3` counting three. */
export function decimalsOf(written: string | number | undefined): number {
  const match = /^[^.eE]*(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?$/.exec(String(written ?? 0));
  return Math.max(0, (match?.[1]?.length ?? 0) - Number(match?.[2] ?? 0));
}

/** A value as it appears in a text: numbers in plain decimals with as few digits as possible. */
export function plainText(value: Value): string {
  if (typeof value === 'string') return value;
  const text = String(Object.is(value, -0) ? 0 : value);
  return /e-/.test(text) ? value.toFixed(Math.min(100, decimalsOf(text))) : text;
}

/** A parameter within a sweep: the k-th instance has the value number floor(k / stride) modulo the number of values. */
export interface SweptParameter {
  name: string;
  values: readonly Value[];
  stride: number;
}

/** All combinations of some parameters; never empty. */
export interface Sweep {
  parameters: readonly SweptParameter[];
  count: number;
}

/** Each value with each: the first parameter varies slowest, the last fastest. Throws ParameterProblem. */
export function productOf(parameters: ReadonlyMap<string, readonly Value[]>): Sweep {
  return productOfRows([...parameters].map((parameter) => new Map([parameter])));
}

/** The same of groups of parameters, whose values go together: the first of one group with the first of its others. */
export function productOfRows(groups: readonly ReadonlyMap<string, readonly Value[]>[]): Sweep {
  refuseMany(new Map(groups.flatMap((group) => [...group])));
  const lengths = groups.map((group) => [...group.values()][0]?.length ?? 1);
  const count = lengths.reduce((product, length) => product * length, 1);
  if (count > mostInstances) {
    throw new ParameterProblem(`combine to ${count} instances; at most ${mostInstances} are allowed`);
  }
  let stride = count;
  const swept = groups.flatMap((group, i) => {
    stride /= lengths[i] ?? 1;
    return [...group].map(([name, values]) => ({ name, values, stride }));
  });
  return { parameters: swept, count };
}

/** The first values together, then the second ones, and so on. Throws ParameterProblem. */
export function zipOf(parameters: ReadonlyMap<string, readonly Value[]>): Sweep {
  refuseMany(parameters);
  const [first, ...rest] = [...parameters];
  const count = first?.[1].length ?? 1;
  for (const [name, values] of rest) {
    if (values.length === count) continue;
    const lengths = `${quoted(first?.[0] ?? '')} has ${count} values, ${quoted(name)} has ${values.length}`;
    throw new ParameterProblem(`zip takes one value of each parameter at a time, but ${lengths}`);
  }
  return { parameters: [...parameters].map(([name, values]) => ({ name, values, stride: 1 })), count };
}

function refuseMany({ size }: ReadonlyMap<string, readonly Value[]>): void {
  if (size <= mostParameters) return;
  throw new ParameterProblem(`combines ${size} parameters; at most ${mostParameters} are allowed`);
}

export function valueAt(parameter: SweptParameter, instance: number): Value {
  return parameter.values[Math.floor(instance / parameter.stride) % parameter.values.length] as Value;
}
