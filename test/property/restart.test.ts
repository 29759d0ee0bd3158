/** Plans against a simple reference implementation, over random graphs and statuses. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  aims,
  type JobStates,
  planDisable,
  planReset,
  planRestart,
  settle,
  statusCode,
} from '../../src/model/decide/restart.ts';
import { buildGraph, topologicalOrder } from '../../src/model/graph/graph.ts';
import { isAllowed, type JobStatus, jobStatuses } from '../../src/model/status.ts';

interface Shape {
  jobs: { status: JobStatus; failed: boolean; cancels: boolean }[];
  numBarriers: number;
  edges: [number, number][];
}

const shapes: fc.Arbitrary<Shape> = fc
  .record({
    jobs: fc.array(
      fc.record({ status: fc.constantFrom(...jobStatuses), failed: fc.boolean(), cancels: fc.boolean() }),
      { minLength: 1, maxLength: 12 },
    ),
    links: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 20 }),
    cuts: fc.array(fc.record({ cut: fc.nat(), below: fc.nat(), above: fc.nat() }), { maxLength: 2 }),
  })
  .map(({ jobs, links, cuts }) => {
    const edges = new Map<string, [number, number]>();
    for (const [a, b] of links) {
      const [low, high] = [a % jobs.length, b % jobs.length].sort((x, y) => x - y) as [number, number];
      if (low !== high) edges.set(`${low} ${high}`, [low, high]);
    }
    for (const [index, { cut, below, above }] of cuts.entries()) {
      const at = cut % jobs.length;
      for (let job = 0; job < jobs.length; job++) {
        if (job < at && (below >> job) % 2 === 0) edges.set(`${job} b${index}`, [job, -1 - index]);
        if (job >= at && (above >> job) % 2 === 0) edges.set(`b${index} ${job}`, [-1 - index, job]);
      }
    }
    return {
      jobs: jobs.map((job) => ({ ...job, failed: job.failed && job.status === 'done' })),
      numBarriers: cuts.length,
      edges: [...edges.values()],
    };
  });

function states({ jobs, numBarriers, edges }: Shape): JobStates {
  const graph = buildGraph(jobs.length, numBarriers, edges);
  return {
    numJobs: jobs.length,
    graph,
    order: topologicalOrder(graph),
    status: Uint8Array.from(jobs, (job) => statusCode[job.status]),
    failed: Uint8Array.from(jobs, (job) => (job.failed ? 1 : 0)),
    cancelsOnFailure: Uint8Array.from(jobs, (job) => (job.cancels ? 1 : 0)),
    numHolds: new Int32Array(jobs.length),
    numRetryHolds: new Int32Array(jobs.length),
  };
}

/** All jobs that can be reached from these, without these themselves unless a path leads back. */
function behind(shape: Shape, seeds: number[]): Set<number> {
  const reached = new Set<number>();
  const visit = (node: number): void => {
    for (const [from, to] of shape.edges) {
      if (from !== node || reached.has(to)) continue;
      reached.add(to);
      visit(to);
    }
  };
  for (const seed of seeds) visit(seed);
  return new Set([...reached].filter((node) => node >= 0));
}

type Aim = 'keep' | 'active' | 'uninitialized' | 'disabled';

/** The new status of each job, by looking at its upstreams again and again. */
function expected(shape: Shape, aim: (job: number) => Aim): JobStatus[] {
  const upstreams = (node: number): number[] => shape.edges.filter(([, to]) => to === node).map(([from]) => from);
  const ended = (node: number): boolean =>
    node < 0 ? upstreams(node).every(ended) : ['done', 'canceled', 'disabled'].includes(status(node));
  const hasFailed = (node: number): boolean =>
    node < 0
      ? upstreams(node).some(hasFailed)
      : status(node) === 'canceled' || (status(node) === 'done' && (shape.jobs[node]?.failed ?? false));
  const status = (job: number): JobStatus => {
    const present = shape.jobs[job] as Shape['jobs'][number];
    const waits = upstreams(job).some((node) => !ended(node));
    switch (aim(job)) {
      case 'active':
        if (present.cancels && upstreams(job).some(hasFailed)) return 'canceled';
        return waits ? 'blocked' : 'ready';
      case 'keep':
        return present.status === 'blocked' && !waits ? 'ready' : present.status;
      case 'uninitialized':
        return 'uninitialized';
      case 'disabled':
        return 'disabled';
    }
  };
  return shape.jobs.map((_, job) => status(job));
}

const names = (codes: Uint8Array): JobStatus[] => [...codes].map((code) => jobStatuses[code] as JobStatus);
const isClaimed = (status: JobStatus): boolean => status === 'submitted' || status === 'submitted_pending';

describe('plans', () => {
  it('a restart settles every job as the reference does, by allowed moves only', () => {
    fc.assert(
      fc.property(shapes, fc.nat(), fc.boolean(), fc.boolean(), (shape, bits, keeps, onlyUninitialized) => {
        const changed = shape.jobs.flatMap((job, n) => (job.status === 'done' && (bits >> n) % 2 === 1 ? [n] : []));
        const jobs = states(shape);
        const keepsRunning = Uint8Array.from(shape.jobs, ({ status }) => (keeps && isClaimed(status) ? 1 : 0));
        const plan = planRestart(jobs, { changed, keepsRunning, onlyUninitialized });
        const reached = behind(shape, changed);
        const aim = (n: number): Aim => {
          const { status } = shape.jobs[n] as Shape['jobs'][number];
          if (status === 'uninitialized') return 'active';
          if (onlyUninitialized || status === 'disabled') return 'keep';
          if (status === 'done') return changed.includes(n) || reached.has(n) ? 'active' : 'keep';
          return isClaimed(status) && keeps ? 'keep' : 'active';
        };
        const settled = names(settle(jobs, plan).status);
        expect(settled).toEqual(expected(shape, aim));
        for (const [n, { status }] of shape.jobs.entries()) {
          const to = settled[n] as JobStatus;
          const isFreed = plan.aim[n] === aims.keep && status === 'blocked' && to === 'ready';
          if (to !== status) expect(isAllowed(status, to, isFreed ? 'unblock' : 'restart')).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('a reset takes exactly the named jobs and all downstream jobs', () => {
    fc.assert(
      fc.property(shapes, fc.nat(), (shape, bits) => {
        const named = shape.jobs.flatMap((_, n) => ((bits >> n) % 2 === 1 ? [n] : []));
        const jobs = states(shape);
        const settled = names(settle(jobs, planReset(jobs, named)).status);
        const reached = behind(shape, named);
        const aim = (n: number): Aim => {
          if (named.includes(n)) return 'uninitialized';
          return reached.has(n) && shape.jobs[n]?.status !== 'disabled' ? 'uninitialized' : 'keep';
        };
        expect(settled).toEqual(expected(shape, aim));
      }),
      { numRuns: 500 },
    );
  });

  it('a disabled job counts as satisfied', () => {
    fc.assert(
      fc.property(shapes, fc.nat(), (shape, bits) => {
        const named = shape.jobs.flatMap((_, n) => ((bits >> n) % 2 === 1 ? [n] : []));
        const jobs = states(shape);
        const settled = names(settle(jobs, planDisable(jobs, named)).status);
        expect(settled).toEqual(expected(shape, (n) => (named.includes(n) ? 'disabled' : 'keep')));
      }),
      { numRuns: 300 },
    );
  });
});

/** Jobs in rows of `width`, each row wholly before the next through one barrier. */
function stages(numStages: number, width: number): Shape {
  const edges: [number, number][] = [];
  for (let stage = 0; stage + 1 < numStages; stage++) {
    for (let n = 0; n < width; n++) {
      edges.push([stage * width + n, -1 - stage], [-1 - stage, (stage + 1) * width + n]);
    }
  }
  const jobs = Array.from(
    { length: numStages * width },
    () => ({ status: 'done', failed: false, cancels: true }) as const,
  );
  return { jobs: [...jobs], numBarriers: Math.max(0, numStages - 1), edges };
}

describe('shapes that defeat a plan that revisits nodes', () => {
  const chain = (length: number): Shape => ({
    jobs: Array.from({ length }, () => ({ status: 'done' as const, failed: false, cancels: true })),
    numBarriers: 0,
    edges: Array.from({ length: length - 1 }, (_, n) => [n, n + 1] as [number, number]),
  });
  const diamonds: Shape = {
    jobs: Array.from({ length: 22 * 3 + 1 }, () => ({ status: 'done' as const, failed: false, cancels: true })),
    numBarriers: 0,
    edges: Array.from({ length: 22 }, (_, d) => d * 3).flatMap((top): [number, number][] => [
      [top, top + 1],
      [top, top + 2],
      [top + 1, top + 3],
      [top + 2, top + 3],
    ]),
  };

  it.each([
    ['22 diamonds in a row', diamonds],
    ['a chain of 10,000', chain(10_000)],
    ['50 stages of 5 x 5 through barriers', stages(50, 5)],
  ])('%s: resetting the first job resets all behind it, restarting makes one stage ready', (_, shape) => {
    const jobs = states(shape);
    const reset = settle(jobs, planReset(jobs, [0]));
    const inFirstStage = shape.edges.every(([, to]) => to !== 1) ? 5 : 1;
    const numReset = names(reset.status).filter((status) => status === 'uninitialized').length;
    expect(numReset).toBe(shape.jobs.length - (inFirstStage - 1));
    const after = { ...jobs, status: reset.status };
    const choice = { changed: [], keepsRunning: new Uint8Array(jobs.numJobs), onlyUninitialized: false };
    const restarted = names(settle(after, planRestart(after, choice)).status);
    expect(restarted.filter((status) => status === 'ready')).toHaveLength(1);
    expect(restarted.filter((status) => status === 'blocked')).toHaveLength(numReset - 1);
  });
});
