/** Averages over time, against sums of every single millisecond. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { slotsOf } from '../../src/model/decide/slots.ts';
import { binStart, periodOf, TimeBins } from '../../src/model/decide/time-bins.ts';

const spans = fc.array(
  fc.record({ start: fc.integer({ min: -20, max: 120 }), length: fc.integer({ min: 0, max: 90 }), weight: fc.nat(9) }),
  { maxLength: 30 },
);

it('an average over a bin is the sum of all spans at each of its instants', () => {
  fc.assert(
    fc.property(
      spans,
      fc.nat(40),
      fc.integer({ min: 0, max: 70 }),
      fc.integer({ min: 1, max: 25 }),
      (all, from, length, most) => {
        const period = periodOf(from, from + length, most);
        expect(period.numBins).toBeLessThanOrEqual(most);
        const bins = new TimeBins(period);
        for (const { start, length, weight } of all) bins.add(start, start + length, weight);
        const at = (ms: number): number =>
          all.reduce((sum, { start, length, weight }) => sum + (start <= ms && ms < start + length ? weight : 0), 0);
        const averageOf = (first: number, last: number): number => {
          let sum = 0;
          for (let ms = first; ms < last; ms++) sum += at(ms);
          return sum / (last - first);
        };
        const averages = bins.averages();
        expect(averages).toHaveLength(period.numBins);
        for (const [bin, average] of averages.entries()) {
          expect(average).toBeCloseTo(averageOf(binStart(period, bin), binStart(period, bin + 1)), 5);
        }
        expect(bins.average()).toBeCloseTo(averageOf(period.from, period.to), 4);
      },
    ),
  );
});

it('attempts share a slot only when they do not overlap, and take no more slots than ran at once', () => {
  fc.assert(
    fc.property(spans, (all) => {
      const sorted = all
        .map(({ start, length }) => ({ start, end: start + length + 1 }))
        .sort((a, b) => a.start - b.start);
      const slots = slotsOf(sorted);
      for (const [i, a] of sorted.entries()) {
        for (const [j, b] of sorted.entries()) {
          if (i < j && slots[i] === slots[j]) expect(b.start).toBeGreaterThanOrEqual(a.end);
        }
      }
      const atOnce = sorted.map(({ start }) => sorted.filter((each) => each.start <= start && start < each.end).length);
      expect(Math.max(-1, ...slots) + 1).toBe(Math.max(0, ...atOnce));
    }),
  );
});
