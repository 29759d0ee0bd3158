/**
 * What jobs use, rolled up in sketches: exact counts, minimum and maximum, and quantiles within 2.5 %. A sketch grows
 * with the spread of its values, not with their number.
 */

/** Jobs whose names differ only in numbers belong together: the name with `*` for each number. */
export function stemOf(name: string): string {
  return name.replace(/[0-9]+(?:\.[0-9]+)?/g, '*');
}

/** Bucket i holds the values above ratio ** (i - 1), up to ratio ** i. */
const ratio = 1.05;
const logRatio = Math.log(ratio);
/** Of values below 1. */
const lowest = -1;

export interface Sketch {
  n: number;
  min: number;
  max: number;
  buckets: Map<number, number>;
}

export function emptySketch(): Sketch {
  return { n: 0, min: Number.POSITIVE_INFINITY, max: 0, buckets: new Map() };
}

export function addValue(sketch: Sketch, value: number): void {
  const bucket = value < 1 ? lowest : Math.ceil(Math.log(value) / logRatio);
  sketch.n += 1;
  sketch.min = Math.min(sketch.min, value);
  sketch.max = Math.max(sketch.max, value);
  sketch.buckets.set(bucket, (sketch.buckets.get(bucket) ?? 0) + 1);
}

/** Adds the values of another sketch. */
export function mergeSketch(sketch: Sketch, other: Sketch): void {
  sketch.n += other.n;
  sketch.min = Math.min(sketch.min, other.min);
  sketch.max = Math.max(sketch.max, other.max);
  for (const [bucket, count] of other.buckets) sketch.buckets.set(bucket, (sketch.buckets.get(bucket) ?? 0) + count);
}

/** The value that this share of the values does not exceed; null without values. */
export function quantile({ n, min, max, buckets }: Sketch, share: number): number | null {
  if (n === 0) return null;
  const rank = Math.max(1, Math.ceil(share * n));
  let seen = 0;
  for (const [bucket, count] of [...buckets].sort(([a], [b]) => a - b)) {
    seen += count;
    if (seen < rank) continue;
    const middle = bucket === lowest ? 0 : ratio ** (bucket - 0.5);
    return Math.min(max, Math.max(min, middle));
  }
  return max;
}

/** As JSON; written out here because that is several times as fast, and jobs wait for it. */
export function sketchText({ n, min, max, buckets }: Sketch): string {
  if (n === 0) return '[]';
  let text = `[${n},${min},${max}`;
  for (const [bucket, count] of buckets) text += `,${bucket},${count}`;
  return `${text}]`;
}

export function readSketch(text: string): Sketch {
  const [n, min, max, ...flat] = JSON.parse(text) as number[];
  if (n === undefined || min === undefined || max === undefined) return emptySketch();
  const buckets = new Map<number, number>();
  for (let at = 0; at < flat.length; at += 2) buckets.set(flat[at] as number, flat[at + 1] as number);
  return { n, min, max, buckets };
}

/** A request of which less than half is used, or one that is not enough. */
export type Finding = 'under_half' | 'exceeded';

export interface Fit {
  proposed: number | null;
  finding: Finding | null;
}

/** How a request follows from what was used. */
export interface FitRule {
  /** Proposals are whole multiples of it. */
  unit: number;
  /** Less is never proposed: uses this small are not measured well. */
  least: number;
  /** How many times the usual use is proposed. */
  margin: number;
  /** How many times the true value is measured at most. */
  noise: number;
}

/** In bytes, thousandths of CPUs, and milliseconds. */
export const fitRules = {
  memory: { unit: 1024 ** 2, least: 64 * 1024 ** 2, margin: 1.2, noise: 1 },
  // a job cannot use more than its threads do, so that all of its CPUs in use are enough
  cpus: { unit: 1000, least: 1000, margin: 1, noise: 1.05 },
  runtime: { unit: 1000, least: 60_000, margin: 1.2, noise: 1 },
} as const satisfies Record<string, FitRule>;

/**
 * What to ask for: above nearly all uses, and never less than the largest. `requested`: null for nothing. `numRunOut`:
 * so many attempts were stopped for want of more, so that to have used all of the request is to have exceeded it, and
 * what they used was not enough.
 */
export function fitOf(sketch: Sketch, requested: number | null, rule: FitRule, numRunOut: number): Fit {
  const { unit, least, margin, noise } = rule;
  const p95 = quantile(sketch, 0.95);
  if (p95 === null || sketch.max === 0) return { proposed: null, finding: null };
  const largest = sketch.max / noise;
  const whole = (value: number): number => Math.max(least, Math.ceil(value / unit) * unit);
  const afterRunOut = whole(largest * margin);
  const proposed = numRunOut > 0 ? afterRunOut : whole(Math.max((p95 / noise) * margin, largest));
  if (requested === null) return { proposed, finding: null };
  if (largest > requested || (numRunOut > 0 && largest === requested)) {
    return { proposed: afterRunOut, finding: 'exceeded' };
  }
  // where none had enough, nobody knows how much is too much
  const isTooMuch = largest < requested / 2 && proposed < requested && numRunOut < sketch.n;
  return { proposed, finding: isTooMuch ? 'under_half' : null };
}

/** The least and the most that jobs ask for. */
export interface Requested {
  least: number;
  most: number;
}

/** The same for jobs that do not all ask for the same: too little for one of them is found first. */
export function fitOfAll(sketch: Sketch, requested: Requested | null, rule: FitRule, numRunOut: number): Fit {
  if (requested === null) return fitOf(sketch, null, rule, numRunOut);
  const ofLeast = fitOf(sketch, requested.least, rule, numRunOut);
  return ofLeast.finding === 'exceeded' ? ofLeast : fitOf(sketch, requested.most, rule, numRunOut);
}
