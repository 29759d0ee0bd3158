/** Groups of jobs, the simulation of workers, and the allocations that are planned. */
import { describe, expect, it } from 'vitest';
import { buildGraph } from '../../src/model/graph/graph.ts';
import type { Requirements } from '../../src/model/job.ts';
import { noLabels } from '../../src/model/labels.ts';
import { groupsOf, type JobGroup, type PlannedShape } from '../../src/model/plan/groups.ts';
import { type PlanOptions, planAllocations } from '../../src/model/plan/plan.ts';
import { siteExample } from '../support/site.ts';

const gib = 1024 ** 3;
const minute = 60_000;
const hour = 60 * minute;
const rules = { bufferMs: 3 * minute, idleMs: 1.5 * minute };
const anything: PlanOptions = {
  maxNodes: null,
  maxAllocations: null,
  maxWalltimeMs: null,
  partition: null,
  maxParallelJobs: null,
  queueMs: 0,
};

function shape(fields: Partial<Requirements> & { taken?: number } = {}): PlannedShape {
  const { taken, ...asked } = fields;
  const need: Requirements = {
    ...{ numCpus: 1, memoryBytes: gib, gpuThousandths: 0, numNodes: 1, runtimeMs: 10 * minute },
    ...{ isMemoryStated: true, isRuntimeStated: true },
    ...asked,
  };
  const others = { isRuntimeKnown: true, priority: 0, sortRank: 0, supportsTermination: false, labels: noLabels };
  return { need, runtimeMs: taken ?? need.runtimeMs, ...others };
}

/** Stages of which each waits for all of the one before. */
function stages(...each: [numJobs: number, shape: PlannedShape][]): JobGroup[] {
  let firstJob = 0;
  return each.map(([numJobs, asked], index) => {
    const before = each[index - 1];
    const waitsFor = before === undefined ? [] : [{ group: index - 1, perJob: before[0] }];
    const group = { ...asked, stage: index + 1, numJobs, firstJob, soonestJob: firstJob, waitsFor };
    firstJob += numJobs;
    return group;
  });
}

const plan = (groups: JobGroup[], options: Partial<PlanOptions> = {}) =>
  planAllocations(groups, siteExample, rules, { ...anything, ...options });

describe('groups', () => {
  it('are the jobs of a stage that ask for the same, with what each of them waits for', () => {
    // 4 jobs, then one for each of them, then one for all of them behind a barrier
    const edges: [number, number][] = [
      ...[0, 1, 2, 3].map((n): [number, number] => [n, n + 4]),
      ...[4, 5, 6, 7].map((n): [number, number] => [n, -1]),
      [-1, 8],
    ];
    const graph = buildGraph(9, 1, edges);
    const shapes = [shape(), shape({ numCpus: 2, runtimeMs: minute })];
    const groups = groupsOf({ numJobs: 9, graph, shapeOf: Int32Array.from([0, 0, 1, 0, 0, 0, 0, 0, 0]), shapes }, 10);
    expect(groups).toMatchObject([
      { stage: 1, numJobs: 3, firstJob: 0, need: { numCpus: 1 }, waitsFor: [] },
      { stage: 1, numJobs: 1, firstJob: 2, need: { numCpus: 2 }, waitsFor: [] },
      {
        stage: 2,
        numJobs: 4,
        firstJob: 4,
        // what waits for the short one
        soonestJob: 6,
        waitsFor: [
          { group: 0, perJob: 0.75 },
          { group: 1, perJob: 0.25 },
        ],
      },
      { stage: 3, numJobs: 1, waitsFor: [{ group: 2, perJob: 4 }] },
    ]);
  });

  it('leave out jobs that do not wait, and what they hold back', () => {
    const graph = buildGraph(3, 0, [
      [0, 1],
      [1, 2],
    ]);
    const groups = groupsOf({ numJobs: 3, graph, shapeOf: Int32Array.from([-1, 0, 0]), shapes: [shape()] }, 10);
    expect(groups).toMatchObject([
      { stage: 1, waitsFor: [] },
      { stage: 2, waitsFor: [{ group: 0, perJob: 1 }] },
    ]);
    expect(groupsOf({ numJobs: 3, graph, shapeOf: new Int32Array(3), shapes: [shape()] }, 2)).toBeNull();
  });
});

describe('a plan', () => {
  it('is what fits side by side, one round after the other', () => {
    // 32 on a node, 128 on four: 1000 jobs are 8 rounds of 10 minutes
    const planned = plan(stages([1000, shape()]), { maxNodes: 4 });
    expect(planned.allocations).toMatchObject([
      { numAllocations: 4, numReplacements: 0, startsWith: null, startMs: 0, jobsAtOnce: [32], numJobs: 1000 },
    ]);
    expect(planned.endMs).toBe(80 * minute);
    // the four leave together, when the last job has ended
    expect(planned.nodeMs).toBe(4 * 80 * minute);
    expect(planned.idleShare).toBeCloseTo(1 - 1000 / 1024);
    expect(planned.allocations[0]?.walltimeMs).toBeGreaterThan(83 * minute);
    expect(planned.allocations[0]?.walltimeMs).toBeLessThan(100 * minute);
  });

  it('asks for no more workers than there are jobs for', () => {
    expect(plan(stages([3, shape({ numCpus: 32 })])).allocations).toMatchObject([{ numAllocations: 3 }]);
    expect(plan(stages([3, shape()])).allocations).toMatchObject([{ numAllocations: 1, jobsAtOnce: [32] }]);
  });

  it('ends sooner when that costs little more, and not at any price', () => {
    // two rounds on 1 node, or one on 2 with the second nearly empty
    const planned = plan(stages([33, shape({ runtimeMs: hour })]));
    expect(planned.allocations).toMatchObject([{ numAllocations: 2 }]);
    // the long one lasts while the others would be done: more nodes than one would stand idle
    const uneven = plan([
      ...stages([1, shape({ runtimeMs: 3 * hour, numCpus: 16 })]),
      { ...shape({ numCpus: 16, runtimeMs: hour }), stage: 1, numJobs: 3, firstJob: 1, soonestJob: 1, waitsFor: [] },
    ]);
    expect(uneven.endMs).toBe(3 * hour);
    expect(uneven.allocations).toMatchObject([{ numAllocations: 1 }]);
  });

  it('uses what others took, and gives every job the time that it may take', () => {
    const planned = plan(stages([32, shape({ runtimeMs: 2 * hour, taken: 5 * minute })]));
    expect(planned.endMs).toBe(5 * minute);
    expect(planned.allocations[0]?.walltimeMs).toBeGreaterThan(2 * hour);
  });

  it('replaces allocations whose time is over when the work is longer than the longest walltime', () => {
    // 32 jobs at once: 10 rounds of 50 minutes, 4 of them in an allocation of 4 hours
    const planned = plan(stages([320, shape({ runtimeMs: 50 * minute })]), { maxNodes: 1 });
    expect(planned.allocations).toMatchObject([{ numAllocations: 1, numReplacements: 2, numJobs: 320 }]);
    expect(planned.allocations[0]?.walltimeMs).toBeGreaterThan(3.5 * hour);
    const capped = plan(stages([320, shape({ runtimeMs: 50 * minute })]), { maxNodes: 1, maxAllocations: 1 });
    expect(capped.allocations[0]).toMatchObject({ numReplacements: 0, numJobs: 128 });
    expect(capped.left).toEqual([{ group: 0, numJobs: 192 }]);
  });

  it('brings new allocations when a wide stage follows a narrow one, and none for a narrow one after a wide one', () => {
    const wide = shape({ numCpus: 32 });
    const planned = plan(stages([8, wide], [1, shape()], [8, wide]), { maxNodes: 8 });
    expect(planned.allocations).toMatchObject([
      { numAllocations: 8, startsWith: null },
      { numAllocations: 8, startsWith: 2, startMs: 20 * minute },
    ]);
    expect(planned.allocations[0]?.segment.groups).toEqual([0, 1]);
    // seven of the first eight leave after 90 seconds without a job
    expect(planned.endMs).toBe(30 * minute);
  });

  it('puts jobs with GPUs on nodes with GPUs, and others not', () => {
    const planned = plan(stages([64, shape()], [2, shape({ gpuThousandths: 4000, runtimeMs: 6 * hour })]));
    expect(planned.allocations.map(({ segment }) => [segment.place.partition.name, segment.withGpus])).toEqual([
      ['main', false],
      ['gpu', true],
    ]);
    expect(planned.allocations[1]).toMatchObject({ startsWith: 1, numAllocations: 2, jobsAtOnce: [1] });
  });

  it('gives jobs of several nodes allocations of as many', () => {
    const planned = plan(stages([6, shape({ numNodes: 3, numCpus: 32 })]), { maxNodes: 9 });
    expect(planned.allocations).toMatchObject([{ numAllocations: 3, segment: { numNodes: 3 } }]);
    expect(planned.endMs).toBe(20 * minute);
  });

  it('says what fits nowhere and why, and leaves out what waits for it', () => {
    const planned = plan(stages([1, shape({ memoryBytes: 600 * gib })], [5, shape()]));
    expect(planned.misfits).toMatchObject([
      { group: 0, misfit: { code: 'larger_than_any_node', dimensions: ['memory'], largest: { num_cpus: 32 } } },
    ]);
    expect(planned.allocations).toEqual([]);
    expect(plan(stages([1, shape({ runtimeMs: 25 * hour })])).misfits).toMatchObject([
      { misfit: { code: 'outlasts_partitions', runtime_seconds: 90_000, longest_seconds: 86_400, partition: 'gpu' } },
    ]);
    // longer than the default partition allows: there are others
    expect(plan(stages([1, shape({ runtimeMs: 5 * hour })])).allocations).toMatchObject([
      { segment: { place: { partition: { name: 'gpu' } }, withGpus: false } },
    ]);
    expect(plan(stages([1, shape({ runtimeMs: 5 * hour })]), { partition: 'main' }).misfits).toMatchObject([
      { misfit: { code: 'outlasts_partitions', longest_seconds: 14_400, partition: 'main' } },
    ]);
    expect(plan(stages([1, shape({ numNodes: 5 })]), { partition: 'gpu' }).misfits).toMatchObject([
      { misfit: { code: 'larger_than_any_node', dimensions: ['nodes'] } },
    ]);
  });
});
