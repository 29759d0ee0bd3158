/** Resource requirements that come from data: the result values of upstream jobs, and user data. */
import { TorcError } from '../../base/errors.ts';
import type { Json } from '../../base/exact-json.ts';
import { parseDuration, parseMemory } from '../../base/units.ts';
import { type FieldFromData, type FromData, fieldsFromData, isGpuCount, type Requirements } from '../job.ts';
import { quoted } from './names.ts';
import { type Input, inputVariable, partOf, splitPath, valueAt, valueVariables } from './values.ts';

const dataVariable = /\$\{user_data\.input\.((?:(?!\$\{)[^}])+)\}/g;

/** Whether a value of a specification is a text that names data. */
export function isFromData(value: unknown): value is string {
  return typeof value === 'string' && (valueVariables(value).length > 0 || userDataPaths(value).length > 0);
}

/** `NAME` or `NAME.key` of each `${user_data.input.NAME}`. */
export function userDataPaths(text: string): string[] {
  return [...text.matchAll(dataVariable)].map(([, path = '']) => path);
}

type Stated<T> = {
  [K in keyof T]: K extends 'num_cpus' | 'num_gpus' ? Exclude<T[K], string> | null | undefined : T[K];
};

/** Requirements of a specification without the fields that come from data, and these; null for none. */
export function withoutData<T extends { [K in FieldFromData]?: unknown }>(
  given: T,
): { spec: Stated<T>; fromData: FromData | null } {
  const spec: Record<string, unknown> = { ...given };
  const fromData: FromData = {};
  for (const field of fieldsFromData) {
    const value = given[field];
    if (!isFromData(value)) continue;
    fromData[field] = value;
    delete spec[field];
  }
  return { spec: spec as Stated<T>, fromData: Object.keys(fromData).length === 0 ? null : fromData };
}

export interface KnownData {
  /** The result values of the upstream jobs, in their order. */
  inputs: readonly Input[];
  /** The user data that the job reads and that has a document. */
  userData: readonly Input[];
}

/** What a job asks for, or why its requirements make no sense. */
export function needFromData(
  base: Requirements,
  fields: FromData,
  data: KnownData,
): { need: Requirements } | { problem: string } {
  const need = { ...base };
  for (const field of fieldsFromData) {
    const written = fields[field];
    if (written === undefined) continue;
    const filled = filledText(written, data);
    if ('problem' in filled) return { problem: `${field}: ${filled.problem}` };
    const problem = setField(need, field, filled.text.trim());
    if (problem !== null) return { problem: `${field}: ${quoted(written)} is ${quoted(filled.text)}: ${problem}` };
  }
  return { need };
}

function filledText(written: string, { inputs, userData }: KnownData): { text: string } | { problem: string } {
  const texts = new Map<string, string>();
  for (const variable of valueVariables(written)) {
    const value = valueAt(variable, inputs);
    if ('problem' in value) return value;
    texts.set(variable.written, value.text);
  }
  for (const path of userDataPaths(written)) {
    const variable = `\${user_data.input.${path}}`;
    const value = userDatum(variable, path, userData);
    if ('problem' in value) return value;
    texts.set(variable, value.text);
  }
  const replaced = (variable: string): string => texts.get(variable) ?? variable;
  return { text: written.replace(inputVariable, replaced).replace(dataVariable, replaced) };
}

function userDatum(variable: string, path: string, data: readonly Input[]): { text: string } | { problem: string } {
  const named = splitPath(path, (name) => data.some((datum) => datum.name === name));
  if (named === null) return { problem: `${variable} has no value: there is no such data yet` };
  const value: Json | undefined = data.find(({ name }) => name === named.name)?.value;
  return partOf(value, named.keys, { written: variable, what: `the user data ${quoted(named.name)}` });
}

/** Sets a field from its text; returns what is wrong with that. */
function setField(need: Requirements, field: FieldFromData, text: string): string | null {
  switch (field) {
    case 'num_cpus': {
      const numCpus = numberIn(text);
      if (!Number.isInteger(numCpus) || numCpus < 1 || numCpus > 1_000_000) return 'expected a whole number from 1';
      need.numCpus = numCpus;
      return null;
    }
    case 'num_gpus': {
      const numGpus = numberIn(text);
      if (!(numGpus >= 0 && numGpus <= 10_000) || !isGpuCount(numGpus)) {
        return 'expected a share of one GPU (0.001 to 0.999) or whole GPUs';
      }
      need.gpuThousandths = Math.round(numGpus * 1000);
      return null;
    }
    case 'memory':
      return readInto(() => {
        need.memoryBytes = aboveZero(parseMemory(text));
        need.isMemoryStated = true;
      });
    case 'runtime':
      return readInto(() => {
        need.runtimeMs = Math.round(aboveZero(parseDuration(text)) * 1000);
        need.isRuntimeStated = true;
        if ((need.expectedMs ?? 0) > need.runtimeMs) delete need.expectedMs;
      });
  }
}

function numberIn(text: string): number {
  return /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : Number.NaN;
}

function aboveZero(value: number): number {
  if (value > 0) return value;
  throw new TorcError('usage', 'expected more than 0');
}

function readInto(set: () => void): string | null {
  try {
    set();
    return null;
  } catch (error) {
    if (error instanceof TorcError) return error.message;
    throw error;
  }
}
