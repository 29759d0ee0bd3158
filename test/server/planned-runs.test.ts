/**
 * What the planner predicts against what the real server does with workers that have the true runtimes: random workloads, on
 * a clock that jumps from event to event.
 */
import { expect, it } from 'vitest';
import { planAllocations } from '../../src/model/plan/plan.ts';
import { groupsIn, Run, rules, shapeWith, type Workload } from '../support/planned-run.ts';
import { siteExample } from '../support/site.ts';

const seconds = 1000;

/** Numbers from a seed, from 0 to 1. */
function randomOf(seed: number): () => number {
  let state = seed * 2654435761 + 1;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) | 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

/** One to three stages of one or two kinds of jobs; stages wait for each other as a whole or job by job. */
function workloadOf(seed: number): Workload {
  const random = randomOf(seed);
  const between = (low: number, high: number): number => low + Math.floor(random() * (high - low + 1));
  const work: Workload = { jobs: [], edges: [], numBarriers: 0, shapes: [], shapeOf: new Int32Array(0), trueMs: [] };
  const shapeOf: number[] = [];
  let before: number[] = [];
  for (let stage = between(1, 3); stage > 0; stage--) {
    const stageJobs: number[] = [];
    for (let kind = between(1, 2); kind > 0; kind--) {
      const isOneToOne = before.length > 1 && kind === 1 && random() < 0.4;
      const numJobs = isOneToOne ? before.length : random() < 0.25 ? between(1, 3) : between(10, 50);
      const stated = between(5, 40) * 60;
      const usualMs = Math.round(stated * (0.5 + random() * 0.4)) * seconds;
      const job = { cpus: between(1, 16), memory: between(1, 24) * 1024 ** 3, runtime: stated, priority: 0 };
      work.shapes.push(shapeWith(job, stated * seconds, usualMs));
      for (let n = 0; n < numJobs; n++) {
        const index = work.jobs.length;
        work.jobs.push({ name: `s${stage}k${kind}_${n}`, ...job });
        shapeOf.push(work.shapes.length - 1);
        work.trueMs.push(usualMs);
        stageJobs.push(index);
        if (isOneToOne) work.edges.push([before[n] as number, index]);
      }
      if (before.length > 0 && !isOneToOne) {
        work.numBarriers += 1;
        for (const upstream of before) work.edges.push([upstream, -work.numBarriers]);
        for (const job of stageJobs.slice(-numJobs)) work.edges.push([-work.numBarriers, job]);
      }
    }
    before = stageJobs;
  }
  return { ...work, shapeOf: Int32Array.from(shapeOf) };
}

const options = { maxAllocations: null, maxWalltimeMs: null, partition: null, maxParallelJobs: null, queueMs: 0 };

it.each(Array.from({ length: 10 }, (_, index) => index + 1))(
  'workload %i ends when the plan says so, with the node-hours that it says',
  async (seed) => {
    const work = workloadOf(seed);
    const groups = groupsIn(work);
    const plan = planAllocations(groups, siteExample, rules, { ...options, maxNodes: 6 });
    expect([plan.left, plan.misfits]).toEqual([[], []]);
    const run = new Run(work, groups, plan);
    await run.toItsEnd();
    expect(run.numDone).toBe(work.jobs.length);
    const ratio = [(run.lastEndMs - run.beganMs) / plan.endMs, run.nodeMs / plan.nodeMs];
    for (const each of ratio) expect(Math.abs(each - 1)).toBeLessThan(0.1);
  },
  120_000,
);
