/**
 * Result values: the JSON that a job leaves for the jobs that wait for it, and how these find it, in a file of all
 * inputs or by name in their commands.
 */
import { type Json, jsonText, parseJson, WrittenNumber } from '../../base/exact-json.ts';
import { counted } from '../../base/text.ts';
import { quoted } from './names.ts';
import { documentProblem } from './user-data.ts';

/** The largest result value, in bytes of its JSON. */
export const mostResultBytes = 64 * 1024;

/** The most that the file of a job's inputs holds, in bytes of its result values. */
export const mostInputsBytes = 1024 * 1024;

const advice = 'write large data to a file, and its path as the result';

/** A result value, null for none, or what is wrong with the text that a job wrote, as what follows "a result value that". */
export function readResult(text: string): { value: Json } | { problem: string } {
  try {
    const value = parseJson(text) as Json;
    const problem = resultProblem(value);
    return problem === null ? { value } : { problem };
  } catch (error) {
    return { problem: `is not valid JSON (${error instanceof Error ? error.message : error})` };
  }
}

export function resultProblem(value: unknown): string | null {
  const problem = documentProblem(value);
  if (problem !== null) return problem;
  return Buffer.byteLength(jsonText(value)) <= mostResultBytes ? null : tooLarge;
}

/** What is wrong with a text of more than `mostResultBytes`. */
export const tooLarge = `is larger than ${mostResultBytes} bytes (64 KiB): ${advice}`;

/** The result value of an upstream job. */
export interface Input {
  name: string;
  value: Json;
}

/** What a job finds in its file of inputs: a list counts as so many values. */
export function inputsDocument(inputs: readonly Input[]): { args: Json[]; by_name: Record<string, Json> } {
  const args = inputs.flatMap(({ value }) => (Array.isArray(value) ? value : [value]));
  return { args, by_name: Object.fromEntries(inputs.map(({ name, value }) => [name, value])) };
}

/** `${result.NAME}`, `${result.NAME.key}`, `${inputs.N}`, `${inputs.N.key}` in a text. */
export interface ValueVariable {
  written: string;
  kind: 'result' | 'inputs';
  /** What follows the first point. */
  path: string;
}

// one that another `${` follows before its end is not closed
export const inputVariable = /\$\{(result|inputs)\.((?:(?!\$\{)[^}])+)\}/g;

export function hasValueVariables(text: string): boolean {
  return text.includes('${result.') || text.includes('${inputs.');
}

export function valueVariables(text: string): ValueVariable[] {
  if (!hasValueVariables(text)) return [];
  return [...text.matchAll(inputVariable)].map(([written, kind, path = '']) => {
    return { written, kind: kind === 'result' ? 'result' : 'inputs', path };
  });
}

/** The longest beginning of a path that is a name, and the keys after it; names may contain points. */
export function splitPath(path: string, isName: (name: string) => boolean): { name: string; keys: string[] } | null {
  const parts = path.split('.');
  for (let n = parts.length; n > 0; n--) {
    const name = parts.slice(0, n).join('.');
    if (isName(name)) return { name, keys: parts.slice(n) };
  }
  return null;
}

/** What is wrong with a variable in a text of a job with these upstream jobs; null for nothing. */
export function variableProblem(
  { written, kind, path }: ValueVariable,
  upstreams: { isEmpty: boolean; has(name: string): boolean },
): string | null {
  if (kind === 'inputs' && !/^[0-9]+(\.|$)/.test(path)) return `found ${quoted(written)}, expected \${inputs.0}`;
  if (upstreams.isEmpty) return `found ${quoted(written)}, but the job waits for no other job`;
  if (kind === 'inputs' || splitPath(path, upstreams.has) !== null) return null;
  return `found ${quoted(written)}, but the job waits for no job of this name: add it to depends_on`;
}

/** A text whose variables stand in the environment, or why it cannot be run. */
export type Filled = { text: string; variables: Record<string, string> } | { problem: string };

/** Where the shell replaces nothing: between single quotes. A here-document has its own rules, so it is not looked at. */
function isInSingleQuotes(before: string): boolean {
  let quote = '';
  for (let at = 0; at < before.length; at++) {
    const character = before[at];
    if (character === '\\' && quote !== "'") at += 1;
    else if (quote === '' && (character === "'" || character === '"')) quote = character;
    else if (character === quote) quote = '';
  }
  return quote === "'";
}

/**
 * The text with each variable as one of the environment, named from `first` on: whatever is in a value, the shell takes
 * it as text. Texts stand for themselves, everything else as JSON.
 */
export function fillValues(text: string, inputs: readonly Input[], first = 1): Filled {
  const variables: Record<string, string> = {};
  const names = new Map<string, string>();
  for (const found of valueVariables(text)) {
    if (names.has(found.written)) continue;
    const value = valueAt(found, inputs);
    if ('problem' in value) return value;
    const name = `TORC_VALUE_${first + names.size}`;
    names.set(found.written, name);
    variables[name] = value.text;
  }
  const mayQuote = !text.includes('<<');
  const filled = text.replace(inputVariable, (written, _kind, _path, at: number) => {
    const use = `\${${names.get(written)}}`;
    return mayQuote && isInSingleQuotes(text.slice(0, at)) ? `'"${use}"'` : use;
  });
  return { text: filled, variables };
}

/** The text that stands for a variable. */
export function valueAt(
  { written, kind, path }: ValueVariable,
  inputs: readonly Input[],
): { text: string } | { problem: string } {
  const problem = (why: string) => ({ problem: `${written} has no value: ${why}` });
  let found: Json | undefined;
  let keys: string[];
  let what: string;
  if (kind === 'inputs') {
    const { args } = inputsDocument(inputs);
    const [number = '', ...more] = path.split('.');
    [found, keys, what] = [args[Number(number)], more, `input ${number}`];
    if (found === undefined)
      return problem(`the result values of its upstream jobs are ${counted(args.length, 'input')}`);
  } else {
    const named = splitPath(path, (name) => inputs.some((input) => input.name === name));
    if (named === null) return problem('the job that it names has left no result value');
    [found, keys, what] = [inputs.find(({ name }) => name === named.name)?.value, named.keys, quoted(named.name)];
  }
  return partOf(found, keys, { written, what: `the result value of ${what}` });
}

/** A part of a value as text, or that it has no such part. */
export function partOf(
  value: Json | undefined,
  keys: readonly string[],
  { written, what }: { written: string; what: string },
): { text: string } | { problem: string } {
  const problem = (why: string) => ({ problem: `${written} has no value: ${why}` });
  let found = value;
  for (const key of keys) {
    found = memberOf(found, key);
    if (found === undefined) return problem(`${what} has no ${quoted(key)}`);
  }
  if (found === undefined) return problem(`${what} is missing`);
  const text = typeof found === 'string' ? found : jsonText(found);
  return text.includes('\0') ? problem('it contains a NUL character, which no command can') : { text };
}

function memberOf(value: Json | undefined, key: string): Json | undefined {
  if (typeof value !== 'object' || value === null || value instanceof WrittenNumber) return undefined;
  if (Array.isArray(value)) return /^[0-9]+$/.test(key) ? value[Number(key)] : undefined;
  return Object.hasOwn(value, key) ? value[key] : undefined;
}
