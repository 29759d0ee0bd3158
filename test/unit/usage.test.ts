/** Sketches of what jobs use, and what is proposed from them. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { addValue, emptySketch, fitOf, quantile, readSketch, sketchText, stemOf } from '../../src/model/usage.ts';

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

it('a million values take as little as their spread', () => {
  const sketch = sketchOf(Array.from({ length: 1_000_000 }, (_, i) => 1e9 + i * 1000));
  expect(sketchText(sketch).length).toBeLessThan(1000);
});

it('proposes more than nearly all used and never less than the largest; flags what is far off', () => {
  const even = sketchOf(Array.from({ length: 100 }, () => 100));
  expect(fitOf(even, 1000, 10)).toEqual({ proposed: 120, finding: 'under_half' });
  expect(fitOf(even, 150, 10)).toEqual({ proposed: 120, finding: null });
  expect(fitOf(even, 90, 10)).toEqual({ proposed: 120, finding: 'exceeded' });
  expect(fitOf(even, null, 10)).toEqual({ proposed: 120, finding: null });
  const one = sketchOf([...Array.from({ length: 99 }, () => 100), 400]);
  expect(fitOf(one, 1000, 10)).toEqual({ proposed: 400, finding: 'under_half' });
  expect(fitOf(one, 300, 10)).toEqual({ proposed: 480, finding: 'exceeded' });
  expect(fitOf(emptySketch(), 1000, 10)).toEqual({ proposed: null, finding: null });
});
