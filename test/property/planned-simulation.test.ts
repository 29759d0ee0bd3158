/** What saves a simulation time changes nothing: claims in steps or by equal workers at once, and offering only to those with room. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FreeNode, giveBack, type Placement, pack } from '../../src/model/decide/packing.ts';
import { mayTake, poolOfConfig } from '../../src/model/decide/pools.ts';
import { type Candidate, ClaimWalk, type Next, ShapeQueue } from '../../src/model/decide/ready-queues.ts';
import { labelSet, noLabels } from '../../src/model/labels.ts';
import { type Claimed, claim } from '../../src/model/plan/claims.ts';
import { claimOfEqual, type Ending } from '../../src/model/plan/equal-workers.ts';
import type { JobGroup } from '../../src/model/plan/groups.ts';
import { PresentWorkers } from '../../src/model/plan/present.ts';
import { GroupProgress } from '../../src/model/plan/progress.ts';
import type { ReadyGroup } from '../../src/model/plan/ready-groups.ts';
import { type PlannedWorkers, simulate } from '../../src/model/plan/simulation.ts';
import { startWorker, type Worker } from '../../src/model/plan/workers.ts';

/** Offers each that is there. */
class AllWorkers extends PresentWorkers {
  override offerTo(groups: readonly ReadyGroup[], offer: (worker: Worker) => void): void {
    for (const worker of this.all()) {
      if (groups.every(({ numAvailable }) => numAvailable === 0)) return;
      if (groups.some(({ need }) => worker.hasRoomFor(need))) offer(worker);
    }
  }
}

const second = 1000;
const labels = [noLabels, labelSet(['large'])];

type GroupFields = typeof groupFields extends fc.Arbitrary<infer F> ? F : never;

const groupFields = fc.record({
  numJobs: fc.integer({ min: 1, max: 40 }),
  /** Jobs of several groups take turns. */
  firstJob: fc.nat(20),
  numCpus: fc.constantFrom(0, 1, 1, 2, 3, 4, 5),
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

function groupsFrom(list: readonly GroupFields[]): JobGroup[] {
  return list.map(({ numJobs, firstJob, statedMs, runtimeMs, priority, sortRank, label, waits, ...amounts }, index) => {
    const need = { ...amounts, runtimeMs: statedMs * second, isMemoryStated: true, isRuntimeStated: true };
    const upstream = new Map(waits.map(({ before, perJob }) => [index - before, perJob]));
    const waitsFor = [...upstream].filter(([group]) => group >= 0).map(([group, perJob]) => ({ group, perJob }));
    const own = { stage: index + 1, numJobs, firstJob, soonestJob: firstJob, waitsFor };
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

/** Their jobs take turns, and only room ends them. */
const groupsOfOneRank = fc.array(
  groupFields.map((fields): GroupFields => {
    const need = { numCpus: fields.numCpus > 1 ? 2 : fields.numCpus, memoryBytes: fields.memoryBytes % 2 } as const;
    const place = { priority: 0, sortRank: 0, label: 0, firstJob: fields.firstJob % 4 } as const;
    return { ...fields, ...need, gpuThousandths: 0, numNodes: 1, statedMs: 1, ...place };
  }),
  { minLength: 1, maxLength: 8 },
);

describe('what a planned worker claims', () => {
  it('is what a real one gets, and goes back as it came', () => {
    let numInSteps = 0;
    const largeWorkers = fc
      .tuple(workers, fc.integer({ min: 1, max: 50 }))
      .map(([planned, size]) => ({ ...planned, offer: { ...planned.offer, numCpus: size, memoryBytes: size } }));
    const offered = fc.array(fc.oneof(workers, largeWorkers), { minLength: 1, maxLength: 12 });
    const groups = fc.oneof(fc.array(groupFields, { minLength: 1, maxLength: 6 }), groupsOfOneRank);
    fc.assert(
      fc.property(groups, offered, (fields, planned) => {
        const progress = new GroupProgress(groupsFrom(fields).map((group) => ({ ...group, waitsFor: [] })));
        for (const { offer, walltimeMs, pool } of planned) {
          const [worker, real] = [startWorker(0, { offer }, 0, 0), startWorker(0, { offer }, 0, 0)];
          worker.free.timeLeftMs = walltimeMs;
          real.free.timeLeftMs = walltimeMs;
          const isAdmitted = ({ belonging }: ReadyGroup): boolean => mayTake(pool, belonging);
          const admission = { needOf: (group: ReadyGroup) => (isAdmitted(group) ? group.need : null), take: () => {} };
          const placed = pack(real.free, walkOver(progress.order()), admission);
          const claimed = claim(worker.free, progress.order(), isAdmitted);
          expect(claimed.map(({ group, numJobs }) => [group.index, numJobs])).toEqual(countsOf(placed));
          expect(worker.free).toEqual(real.free);
          progress.started(claimed.map(({ group }) => group));
          for (const each of claimed) worker.add(each, each.group.index);
          for (const { group, numJobs, shares } of claimed) {
            const own = placed.filter(({ shape }) => shape === group);
            const others = placed.filter(({ shape }) => shape !== group);
            if (shares.length > 0) expect(shares).toEqual(own.map(shareOf));
            else if (numJobs > 1) numInSteps += 1;
            worker.end(group.index);
            giveBackEach(real.free, own, others);
            expect(worker.free).toEqual(real.free);
            placed.splice(0, placed.length, ...others);
          }
          expect(worker.isIdle).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
    expect(numInSteps).toBeGreaterThan(500);
  });
});

describe('what equal workers claim', () => {
  it('is what they claim one by one, also when what they end makes jobs ready', () => {
    let numCounted = 0;
    const groups = fc.oneof(fc.array(groupFields, { minLength: 1, maxLength: 6 }), groupsOfOneRank);
    const many = fc.tuple(groups, fc.integer({ min: 1, max: 40 }));
    fc.assert(
      fc.property(many, workers, fc.integer({ min: 1, max: 80 }), ([fields, times], planned, numWorkers) => {
        const list = groupsFrom(fields.map((each) => ({ ...each, numJobs: each.numJobs * times })));
        const { offer, walltimeMs, pool } = planned;
        const isAdmitted = ({ belonging }: ReadyGroup): boolean => mayTake(pool, belonging);
        const [counted, real] = [new GroupProgress(list), new GroupProgress(list)];
        let endings: Ending[] = [{ count: numWorkers, batches: [] }];
        for (let round = 0; round < 4; round++) {
          const free = { ...startWorker(0, { offer }, 0, 0).free, timeLeftMs: walltimeMs };
          const parts = claimOfEqual(structuredClone(free), endings, counted, isAdmitted);
          const found = new Map<string, number>();
          for (const { count, batches } of endings.map((each) => ({ ...each, batches: own(each.batches, real) }))) {
            for (let worker = 0; worker < count; worker++) {
              real.ended(batches, 1);
              const claimed = claim(structuredClone(free), real.order(), isAdmitted);
              real.started(claimed.map(({ group }) => group));
              const id = JSON.stringify(claimed.map(countOf));
              found.set(id, (found.get(id) ?? 0) + 1);
            }
          }
          const told = parts.map(({ claimed, count }): [string, number] => [
            JSON.stringify(claimed.map(countOf)),
            count,
          ]);
          expect(new Map(told)).toEqual(found);
          expect(counted.order().map(placeOf)).toEqual(real.order().map(placeOf));
          numCounted += numWorkers - parts.length;
          endings = parts.map(({ count, claimed }) => ({ count, batches: claimed }));
        }
      }),
      { numRuns: 1000 },
    );
    expect(numCounted).toBeGreaterThan(1000);
  });
});

/** The same jobs of the groups of another simulation. */
function own(batches: readonly Claimed[], progress: GroupProgress): Claimed[] {
  return batches.map((each) => ({ ...each, group: progress.group(each.group.index) }));
}

function countOf({ group, numJobs }: Claimed) {
  return [group.index, numJobs];
}

function placeOf({ index, jobKey, numAvailable }: ReadyGroup) {
  return [index, jobKey, numAvailable];
}

/** The jobs of the groups one by one. */
function walkOver(groups: readonly ReadyGroup[]): ClaimWalk<ReadyGroup> {
  const next = groups.map((group): Next<ReadyGroup> => {
    const { jobKey, priority, numAvailable } = group;
    // jobs with the same number are in the order of their groups
    const keyOf = (job: number): number => (jobKey + job) * 1000 + group.index;
    const jobs = Array.from({ length: numAvailable }, (_, job): Candidate => ({ jobKey: keyOf(job), priority }));
    return { queue: new ShapeQueue(group, () => [], jobs, true), head: jobs[0] as Candidate, place: 0 };
  });
  return new ClaimWalk(next);
}

type Placed = Placement<ReadyGroup>;

/** By group, in the order in which the first job of each was placed. */
function countsOf(placed: readonly Placed[]): [group: number, numJobs: number][] {
  const counts = new Map<number, number>();
  for (const { shape } of placed) counts.set(shape.index, (counts.get(shape.index) ?? 0) + 1);
  return [...counts];
}

function shareOf({ gpuIndices, nodeIndices }: Placed) {
  return { gpuIndices, nodeIndices };
}

/** One job after the other; `others` stay. */
function giveBackEach(free: FreeNode, jobs: readonly Placed[], others: readonly Placed[]): void {
  const isOnOwnNode = ({ need }: Placed): boolean => need.numNodes === 1;
  for (const [index, job] of jobs.entries()) {
    const isLast = isOnOwnNode(job) && ![...jobs.slice(index + 1), ...others].some(isOnOwnNode);
    giveBack(free, job.need, job, isLast);
  }
}
