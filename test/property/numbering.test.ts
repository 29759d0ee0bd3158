import fc from 'fast-check';
import { expect, it } from 'vitest';
import { numbering } from '../../src/storage/running/job-graph.ts';

it('keys have their numbers, whatever gaps are between them', () => {
  const runs = fc.array(fc.record({ gap: fc.integer({ min: 1, max: 5 }), length: fc.integer({ min: 1, max: 40 }) }), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(fc.nat(1000), runs, (before, list) => {
      const keys: number[] = [];
      let last = before;
      for (const { gap, length } of list) {
        for (let each = 1; each <= length; each++) keys.push(last + gap + each);
        last += gap + length;
      }
      const numberOf = numbering(Float64Array.from(keys));
      const all = Array.from({ length: last - before + 3 }, (_, key) => before + key);
      expect(all.map(numberOf)).toEqual(all.map((key) => (keys.includes(key) ? keys.indexOf(key) : undefined)));
    }),
    { numRuns: 500 },
  );
});
