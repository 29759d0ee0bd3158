/** How a rule of a failure handler lets requests grow: `scale` of a specification, and what it means. */
import { z } from 'zod';
import { TorcError } from '../../base/errors.ts';
import { parseDuration, parseMemory } from '../../base/units.ts';
import type { Growth, Scale, ScaledField } from '../scale.ts';
import { readable, someTime, text } from './spec-values.ts';

const largestFactor = 1000;
const factor = z
  .number()
  .refine((value) => value > 1 && value <= largestFactor, `a factor above 1, at most ${largestFactor}`);

const forms = 'a factor above 1, a list of values, or a multiple of what was used such as "peak*1.3"';
const peakPattern = /^ *peak *\* *([0-9]+(?:\.[0-9]+)?) *$/;

const ofPeak = text.refine((value) => factorOfPeak(value) !== null, `expected ${forms}`);

function factorOfPeak(value: string): number | null {
  const written = peakPattern.exec(value)?.[1];
  const number = written === undefined ? 0 : Number(written);
  return number > 1 && number <= largestFactor ? number : null;
}

const someMemory = readable((value) => {
  if (parseMemory(value) === 0) throw new TorcError('usage', 'A job needs some memory.');
});

export const scale = z.strictObject({
  memory: z.union([factor, ofPeak, z.array(someMemory).min(1).max(100)], forms).nullish(),
  runtime: z.union([factor, ofPeak, z.array(someTime).min(1).max(100)], forms).nullish(),
  max: z.strictObject({ memory: someMemory.nullish(), runtime: someTime.nullish() }).nullish(),
});

type ScaleSpec = z.infer<typeof scale>;

const readers: Record<ScaledField, (value: string) => number> = {
  memory: parseMemory,
  runtime: (value) => Math.round(parseDuration(value) * 1000),
};

/** What a scale means; `refuse` gets the key of each mistake. */
export function scaleOf(spec: ScaleSpec, refuse: (path: string[], message: string) => void): Scale {
  const { memory, runtime, max } = spec;
  if (memory == null && runtime == null) refuse([], 'needs memory or runtime');
  for (const field of ['memory', 'runtime'] as const) {
    if (max?.[field] != null && spec[field] == null)
      refuse(['max', field], `limits ${field}, which does not grow here`);
  }
  const growths = {
    ...(memory == null ? {} : { memory: growthOf('memory', memory, refuse) }),
    ...(runtime == null ? {} : { runtime: growthOf('runtime', runtime, refuse) }),
  };
  if (max == null) return growths;
  const limits = {
    ...(max.memory == null ? {} : { memory: readers.memory(max.memory) }),
    ...(max.runtime == null ? {} : { runtime: readers.runtime(max.runtime) }),
  };
  return { ...growths, max: limits };
}

function growthOf(
  field: ScaledField,
  written: number | string | readonly string[],
  refuse: (path: string[], message: string) => void,
): Growth {
  if (typeof written === 'number') return { factor: written };
  if (typeof written === 'string') return { peak: factorOfPeak(written) ?? 1 };
  const values = written.map(readers[field]);
  if (values.some((value, i) => value <= (values[i - 1] ?? 0)))
    refuse([field], 'each value must be larger than the one before');
  return { values };
}
