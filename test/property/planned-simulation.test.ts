/** Offering only workers that may have got room gives the same as offering all of them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { poolOfConfig } from '../../src/model/decide/pools.ts';
import { labelSet, noLabels } from '../../src/model/labels.ts';
import type { JobGroup } from '../../src/model/plan/groups.ts';
import { PresentWorkers } from '../../src/model/plan/present.ts';
import type { ReadyGroup } from '../../src/model/plan/progress.ts';
import { type PlannedWorkers, simulate } from '../../src/model/plan/simulation.ts';
import type { Worker } from '../../src/model/plan/workers.ts';

/** Offers each that is there. */
class AllWorkers extends PresentWorkers {
  override offerTo(groups: readonly ReadyGroup[], offer: (worker: Worker) => void): void {
    for (const worker of this.all()) {
      if (groups.every(({ available }) => available() === 0)) return;
      if (groups.some(({ need }) => worker.hasRoomFor(need))) offer(worker);
    }
  }
}

const second = 1000;
const labels = [noLabels, labelSet(['large'])];

const groupFields = fc.record({
  numJobs: fc.integer({ min: 1, max: 40 }),
  numCpus: fc.integer({ min: 1, max: 5 }),
  memoryBytes: fc.integer({ min: 0, max: 6 }),
  gpuThousandths: fc.constantFrom(0, 0, 0, 500, 1000),
  numNodes: fc.constantFrom(1, 1, 1, 2),
  runtimeMs: fc.integer({ min: 1, max: 6 }),
  statedMs: fc.integer({ min: 1, max: 12 }),
  priority: fc.integer({ min: 0, max: 2 }),
  sortRank: fc.integer({ min: 0, max: 3 }),
  label: fc.constantFrom(0, 0, 0, 1),
  waits: fc.array(fc.record({ before: fc.constantFrom(1, 1, 2, 3), perJob: fc.constantFrom(0.4, 1, 1, 1, 100) }), {
    maxLength: 2,
  }),
});

function groupsFrom(list: readonly (typeof groupFields extends fc.Arbitrary<infer F> ? F : never)[]): JobGroup[] {
  let firstJob = 0;
  return list.map(({ numJobs, statedMs, runtimeMs, priority, sortRank, label, waits, ...amounts }, index) => {
    const need = { ...amounts, runtimeMs: statedMs * second, isMemoryStated: true, isRuntimeStated: true };
    const upstream = new Map(waits.map(({ before, perJob }) => [index - before, perJob]));
    const waitsFor = [...upstream].filter(([group]) => group >= 0).map(([group, perJob]) => ({ group, perJob }));
    const own = { stage: index + 1, numJobs, firstJob, soonestJob: firstJob, waitsFor };
    firstJob += numJobs;
    const others = { isRuntimeKnown: true, supportsTermination: false, labels: labels[label] as typeof noLabels };
    return { need, runtimeMs: runtimeMs * second, priority, sortRank, ...others, ...own };
  });
}

const workers = fc
  .record({
    offer: fc.record({
      numNodes: fc.integer({ min: 1, max: 3 }),
      numCpus: fc.integer({ min: 1, max: 8 }),
      memoryBytes: fc.integer({ min: 0, max: 12 }),
      numGpus: fc.integer({ min: 0, max: 2 }),
      maxParallelJobs: fc.option(fc.integer({ min: 1, max: 4 })),
    }),
    walltimeMs: fc.integer({ min: 2, max: 60 }).map((seconds) => seconds * second),
    count: fc.integer({ min: 1, max: 10 }),
    label: fc.constantFrom(0, 0, 1),
    alsoUnlabelled: fc.boolean(),
    startsWith: fc.option(fc.nat(3)),
    delayMs: fc.constantFrom(0, 0, 3 * second),
    replacements: fc.integer({ min: 0, max: 3 }),
  })
  .map(({ label, alsoUnlabelled, ...planned }): PlannedWorkers => {
    const set = labels[label] as typeof noLabels;
    const pool = poolOfConfig({ key: 1, name: 'n', labels: set, alsoUnlabelled: label === 0 || alsoUnlabelled });
    return { ...planned, pool };
  });

describe('a simulation of planned workers', () => {
  it('gives jobs that become ready to the same workers as one that offers all of them', () => {
    fc.assert(
      fc.property(
        fc.array(groupFields, { minLength: 2, maxLength: 6 }),
        fc.array(workers, { minLength: 1, maxLength: 3 }),
        fc.record({ bufferMs: fc.constantFrom(0, second), idleMs: fc.constantFrom(0, 4 * second, 100 * second) }),
        (fields, planned, rules) => {
          const groups = groupsFrom(fields);
          const known = planned.map((each) => ({
            ...each,
            startsWith: each.startsWith === null || each.startsWith >= groups.length ? null : each.startsWith,
          }));
          expect(simulate(groups, known, rules)).toEqual(simulate(groups, known, rules, new AllWorkers()));
        },
      ),
      { numRuns: 1000 },
    );
  });
});
