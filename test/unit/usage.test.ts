/** Sketches of what jobs use, and what is proposed from them. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  addValue,
  emptySketch,
  fitOf,
  fitOfAll,
  fitRules,
  mergeSketch,
  quantile,
  readSketch,
  sketchText,
  stemOf,
} from '../../src/model/usage.ts';

function sketchOf(values: readonly number[]) {
  const sketch = emptySketch();
  for (const value of values) addValue(sketch, value);
  return sketch;
}

it('names that differ only in numbers have one stem', () => {
  expect(['work_1', 'work_017', 'a1.5_b2', 'plain'].map(stemOf)).toEqual(['work_*', 'work_*', 'a*_b*', 'plain']);
});

it('quantiles are within 2.5 % of a value of that rank; stored and read again they are the same', () => {
  const values = fc.array(fc.integer({ min: 0, max: 2 ** 45 }), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(values, fc.constantFrom(0.5, 0.95), (given, share) => {
      const sorted = [...given].sort((a, b) => a - b);
      const exact = sorted[Math.max(1, Math.ceil(share * given.length)) - 1] as number;
      const sketch = sketchOf(given);
      expect(Math.abs((quantile(sketch, share) as number) - exact)).toBeLessThanOrEqual(exact * 0.025 + 1e-9);
      expect([sketch.n, sketch.min, sketch.max]).toEqual([given.length, sorted[0], sorted.at(-1)]);
      expect(readSketch(sketchText(sketch))).toEqual(sketch);
    }),
  );
  expect(readSketch(sketchText(emptySketch()))).toEqual(emptySketch());
  expect(quantile(emptySketch(), 0.5)).toBeNull();
});

it('merged sketches are those of all values', () => {
  const values = fc.array(fc.integer({ min: 0, max: 2 ** 45 }), { maxLength: 100 });
  fc.assert(
    fc.property(fc.array(values, { maxLength: 5 }), (parts) => {
      const merged = emptySketch();
      for (const part of parts) mergeSketch(merged, readSketch(sketchText(sketchOf(part))));
      expect(merged).toEqual(sketchOf(parts.flat()));
    }),
  );
});

it('a million values take as little as their spread', () => {
  const sketch = sketchOf(Array.from({ length: 1_000_000 }, (_, i) => 1e9 + i * 1000));
  expect(sketchText(sketch).length).toBeLessThan(1000);
});

it('proposes more than nearly all used and never less than the largest; flags what is far off', () => {
  const rule = { unit: 10, least: 10, margin: 1.2, noise: 1 };
  const fitting = (values: readonly number[], requested: number | null, numRunOut = 0) =>
    fitOf(sketchOf(values), requested, rule, numRunOut);
  const even = Array.from({ length: 100 }, () => 100);
  expect(fitting(even, 1000)).toEqual({ proposed: 120, finding: 'under_half' });
  expect(fitting(even, 150)).toEqual({ proposed: 120, finding: null });
  expect(fitting(even, 90)).toEqual({ proposed: 120, finding: 'exceeded' });
  expect(fitting(even, null)).toEqual({ proposed: 120, finding: null });
  const one = [...even.slice(1), 400];
  expect(fitting(one, 1000)).toEqual({ proposed: 400, finding: 'under_half' });
  expect(fitting(one, 300)).toEqual({ proposed: 480, finding: 'exceeded' });
  expect(fitting([], 1000)).toEqual({ proposed: null, finding: null });
  // all of the request was used: that was not enough only if an attempt ran out of it
  expect(fitting(one, 400)).toEqual({ proposed: 400, finding: null });
  expect(fitting(one, 400, 1)).toEqual({ proposed: 480, finding: 'exceeded' });
  // what it used may be what was not enough; where none had enough, nothing is known to be too much
  expect(fitting(one, 1000, 1)).toEqual({ proposed: 480, finding: 'under_half' });
  expect(fitting(one, 1000, 99)).toEqual({ proposed: 480, finding: 'under_half' });
  expect(fitting(one, 1000, 100)).toEqual({ proposed: 480, finding: null });
});

it('of jobs that ask for different things, too little for one is found before too much for another', () => {
  const rule = { unit: 10, least: 10, margin: 1.2, noise: 1 };
  const sketch = sketchOf([100, 100]);
  const finding = (least: number, most: number) => fitOfAll(sketch, { least, most }, rule, 0).finding;
  expect([finding(90, 1000), finding(150, 1000), finding(150, 160)]).toEqual(['exceeded', 'under_half', null]);
  expect(fitOfAll(sketch, null, rule, 0)).toEqual({ proposed: 120, finding: null });
});

it('what is too small to be measured well is not worth less than 64M or a minute', () => {
  const mebibyte = 1024 ** 2;
  const small = sketchOf([2 * mebibyte, 3 * mebibyte]);
  const least = 64 * mebibyte;
  expect(fitOf(small, 1024 * mebibyte, fitRules.memory, 0)).toEqual({ proposed: least, finding: 'under_half' });
  expect(fitOf(small, least, fitRules.memory, 0)).toEqual({ proposed: least, finding: null });
  expect(fitOf(sketchOf([5, 900]), 3_600_000, fitRules.runtime, 0)).toEqual({
    proposed: 60_000,
    finding: 'under_half',
  });
});

it('a CPU that is in use all the time is one CPU, whatever its clock says', () => {
  expect(fitOf(sketchOf([980, 1020]), 1000, fitRules.cpus, 0)).toEqual({ proposed: 1000, finding: null });
  expect(fitOf(sketchOf([1020, 1100]), 1000, fitRules.cpus, 0)).toEqual({ proposed: 2000, finding: 'exceeded' });
  expect(fitOf(sketchOf([3900, 4100]), 16_000, fitRules.cpus, 0)).toEqual({
    proposed: 4000,
    finding: 'under_half',
  });
});
