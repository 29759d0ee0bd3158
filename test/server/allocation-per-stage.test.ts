/**
 * What planned allocations cost, against one allocation for each stage that has as many nodes as the stage can use: five
 * workloads on the real server, with workers that have the true runtimes. The table in docs/planning.md is what comes out.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { labelSet } from '../../src/model/labels.ts';
import { choosePlace, jobsAtOnce, offerOf, type Place, placesOf } from '../../src/model/plan/places.ts';
import { type AllocationPlan, type PlannedAllocations, planAllocations } from '../../src/model/plan/plan.ts';
import { groupsIn, Run, rules, shapeWith, type Workload } from '../support/planned-run.ts';
import type { TestJob } from '../support/service.ts';
import { siteExample } from '../support/site.ts';

const minuteMs = 60_000;
const gib = 1024 ** 3;
/** Of all allocations of a line, and of a stage. */
const maxNodes = 4;

interface Kind {
  count: number;
  minutes: number;
  cpus?: number;
  gib?: number;
  gpus?: number;
}

/** Stages one after the other, each of one or several kinds of jobs. */
const workloads: readonly { name: string; stages: Kind[][] }[] = [
  {
    name: 'wide and narrow stages',
    stages: [
      [{ count: 1, minutes: 30, cpus: 4 }],
      [{ count: 96, minutes: 20, cpus: 2 }],
      [{ count: 1, minutes: 20, cpus: 8 }],
      [{ count: 64, minutes: 15, cpus: 2 }],
      [{ count: 1, minutes: 30, cpus: 4 }],
    ],
  },
  { name: 'a chain of 12 jobs', stages: Array.from({ length: 12 }, () => [{ count: 1, minutes: 15, cpus: 8 }]) },
  {
    name: 'small and large memory',
    stages: [
      [
        { count: 60, minutes: 20, cpus: 2, gib: 4 },
        { count: 10, minutes: 60, cpus: 4, gib: 60 },
      ],
      [{ count: 40, minutes: 20, cpus: 4, gib: 16 }],
    ],
  },
  {
    name: 'CPUs, then GPUs, then CPUs',
    stages: [
      [{ count: 40, minutes: 30, cpus: 8 }],
      [{ count: 10, minutes: 60, cpus: 4, gpus: 1 }],
      [{ count: 20, minutes: 15, cpus: 4 }],
    ],
  },
  { name: 'many short jobs', stages: [[{ count: 500, minutes: 1 }], [{ count: 10, minutes: 10, cpus: 2 }]] },
];

function workloadOf(stages: readonly Kind[][]): Workload {
  const work: Workload = { jobs: [], edges: [], numBarriers: 0, shapes: [], shapeOf: new Int32Array(0), trueMs: [] };
  const shapeOf: number[] = [];
  let before: number[] = [];
  for (const kinds of stages) {
    const these: number[] = [];
    for (const { count, minutes, cpus = 1, gib: memory = 1, gpus = 0 } of kinds) {
      // a third more is stated than it takes
      const statedMs = Math.ceil((minutes * 4) / 3) * minuteMs;
      const job = { cpus, memory: memory * gib, gpuThousandths: gpus * 1000 };
      work.shapes.push(shapeWith(job, statedMs, minutes * minuteMs));
      for (let n = 0; n < count; n++) {
        these.push(work.jobs.length);
        work.jobs.push({ name: `j${work.jobs.length}`, ...job, runtime: statedMs / 1000 });
        shapeOf.push(work.shapes.length - 1);
        work.trueMs.push(minutes * minuteMs);
      }
    }
    if (before.length > 0) {
      work.numBarriers += 1;
      for (const upstream of before) work.edges.push([upstream, -work.numBarriers]);
      for (const job of these) work.edges.push([-work.numBarriers, job]);
    }
    before = these;
  }
  return { ...work, shapeOf: Int32Array.from(shapeOf) };
}

interface Cost {
  hours: number;
  nodeHours: number;
}

async function planned(work: Workload): Promise<Cost> {
  const groups = groupsIn(work);
  const options = { maxAllocations: null, maxWalltimeMs: null, partition: null, maxParallelJobs: null, queueMs: 0 };
  const plan = planAllocations(groups, siteExample, rules, { ...options, maxNodes });
  expect([plan.left, plan.misfits]).toEqual([[], []]);
  const run = new Run(work, groups, plan);
  await run.toItsEnd();
  expect(run.numDone).toBe(work.jobs.length);
  return { hours: (run.lastEndMs - run.beganMs) / (60 * minuteMs), nodeHours: run.nodeMs / (60 * minuteMs) };
}

/** Each stage is for its own allocation, which ends as a whole: with the last of its workers. */
async function perStage(work: Workload): Promise<Cost> {
  const groups = groupsIn(work);
  const places = placesOf(siteExample, null);
  const placeOf = groups.map((group) => choosePlace(group, places, { longestMs: null, mostNodes: maxNodes }) as Place);
  const stages = [...new Set(groups.map(({ stage }) => stage))];
  const allocations = stages.flatMap((stage) => {
    const own = [...groups.keys()].filter((index) => groups[index]?.stage === stage);
    const kinds = [...new Set(own.map((index) => placeOf[index] as Place))];
    return kinds.map((place): PlannedAllocations => {
      const these = own.filter((index) => placeOf[index] === place);
      const withGpus = place.numGpus > 0;
      const offer = offerOf(place, 1, null, withGpus);
      const slots = these.map((index) => (groups[index]?.numJobs ?? 0) / jobsAtOnce(groups[index] as never, offer));
      const width = Math.ceil(slots.reduce((sum, each) => sum + each, 0));
      const labels = labelSet([`stage${stage}`]);
      const first = these[0] as number;
      return {
        segment: { place, labels, numNodes: 1, withGpus, groups: these, width },
        numAllocations: Math.min(width, maxNodes, place.mostNodes),
        walltimeMs: place.longestMs ?? 24 * 60 * minuteMs,
        numReplacements: 0,
        startsWith: stage === 1 ? null : first,
        ...{ jobsAtOnce: [], startMs: null, endMs: 0, nodeMs: 0, numJobs: 0 },
      };
    });
  });
  const stageOf = (index: number): number => groups.find((group) => group.need === needOf(work, index))?.stage ?? 0;
  const jobs = work.jobs.map((job, index): TestJob => ({ ...job, labels: [`stage${stageOf(index)}`] }));
  const run = new Run({ ...work, jobs }, groups, { allocations } as unknown as AllocationPlan);
  await run.toItsEnd();
  expect(run.numDone).toBe(work.jobs.length);
  const nodeMs = [...run.spans].reduce((sum, [{ numAllocations }, { fromMs, toMs }]) => {
    return sum + numAllocations * (toMs - fromMs);
  }, 0);
  return { hours: (run.lastEndMs - run.beganMs) / (60 * minuteMs), nodeHours: nodeMs / (60 * minuteMs) };
}

function needOf({ shapes, shapeOf }: Workload, index: number) {
  return shapes[shapeOf[index] as number]?.need;
}

const header = ['workload', 'jobs', 'stages', 'plan: end', 'node-hours', 'one per stage: end', 'node-hours'];

function row(words: readonly (string | number)[]): string {
  return `| ${words.join(' | ')} |`;
}

it('the table of node-hours and ends in the documentation is what runs give', async () => {
  const rows: string[] = [];
  for (const { name, stages } of workloads) {
    const work = workloadOf(stages);
    const [ours, theirs] = [await planned(work), await perStage(work)];
    expect(ours.nodeHours).toBeLessThan(theirs.nodeHours * 1.25);
    const costs = [ours, theirs].flatMap(({ hours, nodeHours }) => [`${hours.toFixed(1)} h`, nodeHours.toFixed(1)]);
    rows.push(row([name, work.jobs.length, stages.length, ...costs]));
  }
  const text = readFileSync(new URL('../../docs/planning.md', import.meta.url), 'utf8');
  const table = text.slice(text.indexOf(row(header))).split('\n\n', 1)[0];
  expect(table?.split('\n')).toEqual([row(header), row(header.map(() => '---')), ...rows]);
}, 600_000);
