/** Sizes that are not tried would not have been chosen. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { noLabels } from '../../src/model/labels.ts';
import type { JobGroup } from '../../src/model/plan/groups.ts';
import { placesOf } from '../../src/model/plan/places.ts';
import type { Segment } from '../../src/model/plan/segments.ts';
import { sizeOfSegment } from '../../src/model/plan/sizing.ts';
import { siteExample } from '../support/site.ts';

const gib = 1024 ** 3;
const second = 1000;

const groupFields = fc.record({
  numJobs: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 100, max: 1500 })),
  numCpus: fc.oneof(fc.integer({ min: 1, max: 32 }), fc.constantFrom(1, 8, 16, 32)),
  memoryBytes: fc.integer({ min: 0, max: 128 }).map((size) => size * gib),
  numNodes: fc.constantFrom(1, 1, 1, 1, 2),
  runtimeMs: fc.integer({ min: 1, max: 3000 }).map((seconds) => seconds * second),
  priority: fc.integer({ min: 0, max: 2 }),
  perJob: fc.constantFrom(0, 0, 1, 0.5, 100),
});

const options = fc.record({
  maxNodes: fc.option(fc.integer({ min: 2, max: 300 })),
  maxAllocations: fc.constantFrom(3, 50, 1000, 1_000_000),
  maxWalltimeMs: fc.option(fc.constantFrom(3600 * second, 14_400 * second)),
  maxParallelJobs: fc.option(fc.integer({ min: 1, max: 20 })),
});

function groupsFrom(list: readonly (typeof groupFields extends fc.Arbitrary<infer F> ? F : never)[]): JobGroup[] {
  return list.map(({ numJobs, runtimeMs, priority, perJob, ...amounts }, index) => {
    const need = { ...amounts, gpuThousandths: 0, runtimeMs, isMemoryStated: true, isRuntimeStated: true };
    const waitsFor = perJob === 0 || index === 0 ? [] : [{ group: index - 1, perJob }];
    const place = { stage: index + 1, numJobs, firstJob: index, soonestJob: index, waitsFor };
    const others = { isRuntimeKnown: true, supportsTermination: false, labels: noLabels, sortRank: 0 };
    return { need, runtimeMs, priority, ...others, ...place };
  });
}

it('the size of a segment is the one that is found when all sizes are tried', () => {
  const [main] = placesOf(siteExample, 'main');
  const rules = { bufferMs: 60 * second, idleMs: 90 * second };
  let numSettled = 0;
  fc.assert(
    fc.property(fc.array(groupFields, { minLength: 1, maxLength: 3 }), options, (fields, caps) => {
      const groups = groupsFrom(fields);
      const segment: Segment = {
        place: { ...(main as NonNullable<typeof main>), numUsable: 200 },
        ...{ labels: noLabels, withGpus: false, width: 200 },
        numNodes: Math.max(...groups.map(({ need }) => need.numNodes)),
        groups: groups.map((_, index) => index),
      };
      const size = sizeOfSegment(groups, segment, rules, caps);
      if (size.numAllocations > 1) numSettled += 1;
      expect(size).toEqual(sizeOfSegment(groups, segment, rules, caps, true));
    }),
    { numRuns: 50 },
  );
  expect(numSettled).toBeGreaterThan(12);
});
