/** How the request of a job grows after an attempt that needed more: a rule says by how much and up to what. */
import type { Cause } from './status.ts';

export const scaledFields = ['memory', 'runtime'] as const;
export type ScaledField = (typeof scaledFields)[number];

/** The last tried value times a factor, the next one of a list, or what was used times a factor. */
export type Growth = { factor: number } | { values: number[] } | { peak: number };

/** In bytes and milliseconds. */
export interface Scale {
  memory?: Growth | undefined;
  runtime?: Growth | undefined;
  /** Nothing grows beyond. */
  max?: { memory?: number | undefined; runtime?: number | undefined } | undefined;
}

/** The cause by which each field is known to have been too small. */
export const causeOfField = { memory: 'oom', runtime: 'job_timeout' } as const satisfies Record<ScaledField, Cause>;

/** What an attempt ran out of; null for anything else. */
export function exceededField(cause: Cause): ScaledField | null {
  return scaledFields.find((field) => causeOfField[field] === cause) ?? null;
}

/** What a value is rounded up to: whole mebibytes and seconds, so that similar jobs ask for the same. */
const units = { memory: 1024 * 1024, runtime: 1000 } as const;

/** A multiple of what was used differs from job to job: it is rounded up to one of 16 steps between powers of two. */
const stepsInPower = 16;

/**
 * The next value to try; null when it does not grow. `tried` is the request of the attempt, null for none; `used` is what
 * it is known to have used.
 */
export function nextValue(
  field: ScaledField,
  growth: Growth,
  { tried, used }: { tried: number | null; used: number | null },
): number | null {
  if ('values' in growth) return growth.values.find((value) => value > (tried ?? used ?? 0)) ?? null;
  const base = tried ?? used;
  if (base === null) return null;
  if ('factor' in growth) return roundedUp(base * growth.factor, units[field]);
  // a peak is sampled: the true one may have been above the request
  const peak = Math.max(used ?? 0, base);
  const wanted = peak * growth.peak;
  return roundedUp(wanted, Math.max(units[field], 2 ** Math.floor(Math.log2(wanted)) / stepsInPower));
}

function roundedUp(value: number, unit: number): number {
  // 0.1 * 3 is not to become a step more
  return Math.ceil(value / unit - 1e-9) * unit;
}
