/** The waiting jobs of a workflow in groups are the same whether most of its jobs are on edges, so that all are read, or not. */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { buildGraph } from '../../src/model/graph/graph.ts';
import { groupsOf } from '../../src/model/plan/groups.ts';
import { readShape } from '../../src/storage/running/shapes.ts';
import { createWorkflow, freshService, rows, TestWorker } from '../support/service.ts';

let fresh: Awaited<ReturnType<typeof freshService>>;
beforeEach(async () => {
  fresh = await freshService();
});
afterEach(() => fresh.close());

interface JobRow {
  job_key: number;
  status: string;
  shape_key: number;
  priority: number;
}

/** What the jobs and edges say when each is looked at. */
function groupsFromRows(workflowKey: number) {
  const { db, view } = fresh.service;
  const jobs = db.all<JobRow>('SELECT * FROM jobs WHERE workflow_key = ? ORDER BY job_key', workflowKey);
  const barriers = db.column<number>('SELECT barrier_key FROM barriers WHERE workflow_key = ? ORDER BY 1', workflowKey);
  const nodes = [...jobs.map(({ job_key }) => job_key), ...barriers.map((key) => -key)];
  const numberOf = (key: number) => (key > 0 ? nodes.indexOf(key) : -1 - barriers.indexOf(-key));
  const edges = db
    .all<{ upstream: number; downstream: number }>('SELECT * FROM edges ORDER BY upstream, downstream')
    .filter(({ upstream }) => nodes.includes(upstream))
    .map(({ upstream, downstream }): [number, number] => [numberOf(upstream), numberOf(downstream)]);
  const kinds = [...new Set(jobs.map(({ shape_key, priority }) => `${shape_key} ${priority}`))];
  const shapes = kinds.map((kind) => {
    const [shapeKey = 0, priority = 0] = kind.split(' ').map(Number);
    const need = readShape(view, shapeKey);
    const others = { isRuntimeKnown: true, sortRank: 0, supportsTermination: false, labels: '' as never };
    return { need, runtimeMs: need.runtimeMs, priority, ...others };
  });
  const shapeOf = jobs.map(({ status, shape_key, priority }) =>
    ['uninitialized', 'blocked', 'ready'].includes(status) ? kinds.indexOf(`${shape_key} ${priority}`) : -1,
  );
  const graph = buildGraph(jobs.length, barriers.length, edges);
  const groups = groupsOf({ numJobs: jobs.length, graph, shapeOf: Int32Array.from(shapeOf), shapes }, 1000) ?? [];
  return groups.map((group) => ({
    stage: group.stage,
    num_jobs: group.numJobs,
    first_number: group.firstJob,
    soonest: jobs[group.soonestJob]?.job_key,
    memory_bytes: group.need.memoryBytes,
    priority: group.priority,
    waits_for: group.waitsFor.map(({ group, perJob }) => ({ group, per_job: perJob })),
  }));
}

async function groupsTold(key: string) {
  const { service } = fresh;
  const { groups, num_jobs } = await service.call('planned_jobs', { workflow_key: key });
  const jobs = await rows(service, 'jobs', key);
  expect(num_jobs).toBe(groups?.reduce((sum, group) => sum + group.num_jobs, 0));
  return groups?.map(({ stage, num_jobs, first_number, first_job, memory_bytes, priority, waits_for }) => {
    const soonest = Number(jobs.find(({ name }) => name === first_job)?.job_key);
    return { stage, num_jobs, first_number, soonest, memory_bytes, priority, waits_for };
  });
}

const jobs = fc.array(
  fc.record({
    memory: fc.constantFrom(1000, 2000),
    runtime: fc.constantFrom(60, 120),
    priority: fc.constantFrom(-1, 0, 7),
    cancelOnFailure: fc.boolean(),
  }),
  { minLength: 6, maxLength: 24 },
);
/** Edges lie close together, so that the other jobs are apart. */
const shape = fc.record({
  from: fc.nat(30),
  to: fc.nat(30),
  width: fc.integer({ min: 1, max: 4 }),
  pairs: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 8 }),
  isOverBarrier: fc.boolean(),
});
const steps = fc.array(
  fc.record({ kind: fc.constantFrom('claim', 'end', 'fail', 'hold', 'cancel', 'reset', 'delete'), which: fc.nat() }),
  { maxLength: 12 },
);

it('groups of waiting jobs are what a look at every job finds', async () => {
  const { service } = fresh;
  let numApart = 0;
  await fc.assert(
    fc.asyncProperty(jobs, shape, steps, fc.boolean(), async (list, { from, to, width, ...edged }, changes, start) => {
      const size = list.length;
      const near = (place: number, offset: number) => (place + (offset % width)) % size;
      const forward = edged.pairs
        .map(([a, b]) => [near(from, a), near(to, b)].toSorted((x, y) => x - y) as [number, number])
        .filter(([a, b]) => a !== b);
      const pairs = [...new Map(forward.map((pair) => [pair.join(), pair])).values()];
      const barrier: [number, number][] = [
        [0, -1],
        [1, -1],
        [-1, 2],
        [-1, 3],
      ];
      const edges = edged.isOverBarrier ? barrier : pairs;
      const named = list.map((job, index) => ({ ...job, name: `j${index}` }));
      const options = { start, numBarriers: edged.isOverBarrier ? 1 : 0 };
      const key = await createWorkflow(service, named, edges, options);
      const workers: TestWorker[] = [];
      const plan = { workflow_key: key, dry_run: false, expected_state: null, skip: 0 };
      for (const { kind, which } of changes) {
        const all = await rows(service, 'jobs', key);
        const job_keys = [String(all[which % Math.max(1, all.length)]?.job_key)];
        if (kind === 'claim' && all.some(({ status }) => status === 'ready')) {
          const worker = await TestWorker.join(service, key, { maxJobs: 1 });
          await worker.exchange();
          workers.push(worker);
        } else if (kind === 'hold') await service.call('jobs_hold', { ...plan, job_keys, hold: which % 2 === 0 });
        else if (kind === 'cancel') await service.call('jobs_cancel', { ...plan, job_keys }).catch(() => {});
        else if (kind === 'reset') await service.call('jobs_reset', { ...plan, which: job_keys }).catch(() => {});
        else if (kind === 'delete') {
          const request = { job_keys, cascade: true, dry_run: false };
          if (which % 5 === 0) await service.call('jobs_delete', request).catch(() => {});
        } else if (kind === 'end' || kind === 'fail') {
          const worker = workers.shift();
          const [attempt] = worker?.held ?? [];
          const leaves = { draining: true, leaving: true };
          if (attempt !== undefined) await worker?.finish(attempt, kind === 'fail' ? 1 : 0, leaves);
        }
      }
      const found = await groupsTold(key);
      expect(found).toEqual(groupsFromRows(Number(key)));
      if (start && edges.length > 0) numApart += found?.length ?? 0;
    }),
    { numRuns: 150 },
  );
  expect(numApart).toBeGreaterThan(50);
});
