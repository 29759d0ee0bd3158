/** The graph of a stored workflow is that of its jobs, whichever way it is read. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AddedJob } from '../../src/api/contract.ts';
import { expandChildren } from '../../src/model/expand/children.ts';
import { buildGraph } from '../../src/model/graph/graph.ts';
import { drawJobs } from '../../src/model/graph/job-groups.ts';
import { JobNames } from '../../src/model/graph/job-names.ts';
import { jobStatuses } from '../../src/model/status.ts';
import type { Service } from '../../src/server/service.ts';
import { onlyGroup } from '../../src/storage/lists/drawn-jobs.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { createWorkflow, freshService, rows, TestWorker } from '../support/service.ts';

let service: Service;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ service, close } = await freshService(new FakeClock()));
});

afterEach(() => close());

/** Runs two jobs, one of which fails, leaves one running, and compares the reply with the jobs as they are listed. */
async function drawn(names: string[], edges: [number, number][] = [], numBarriers = 0) {
  const key = await createWorkflow(
    service,
    names.map((name) => ({ name })),
    edges,
    { numBarriers },
  );
  const worker = await TestWorker.join(service, key, { cpus: 3 });
  await worker.exchange();
  const [first = 0, second = 0] = worker.held;
  await worker.finish(first, 0);
  await worker.finish(second, 1, { draining: true });
  const jobs = await rows(service, 'jobs', key);
  const words = [...jobStatuses, 'failed'];
  const countedAs = Uint8Array.from(jobs, (job) =>
    words.indexOf(job.outcome === 'failed' ? 'failed' : String(job.status)),
  );
  const graph = buildGraph(names.length, numBarriers, edges);
  const expected = drawJobs({ numJobs: names.length, graph, names: JobNames.of(names), countedAs, words });
  const { groups, edges: arrows } = await service.call('workflow_graph', { workflow_key: key });
  const jobsIn = (group: number) => jobs.filter((_, job) => expected.groupOf[job] === group);
  expect(groups).toEqual(
    expected.groups.map((group, index) => ({ ...group, first_job_key: jobsIn(index)[0]?.job_key ?? null })),
  );
  expect(arrows).toEqual(expected.edges);
  for (const [index, job] of jobs.entries()) {
    const own = jobsIn(expected.groupOf[index] ?? -1);
    const failed = own.filter(({ outcome }) => outcome === 'failed');
    const running = own.filter(({ status }) => status === 'submitted' || status === 'submitted_pending');
    const order = new Set([...failed, ...running, ...own].map(({ job_key }) => job_key));
    const request = { workflow_key: key, job_key: String(job.job_key), limit: 100 };
    const group = await service.call('graph_group', request);
    expect(group).toMatchObject({ first_job_key: own[0]?.job_key, num_jobs: own.length });
    expect(group.jobs.map(({ job_key }) => job_key)).toEqual([...order]);
    const [first] = (await service.call('graph_group', { ...request, limit: 1 })).jobs;
    expect(first).toEqual(group.jobs[0]);
  }
  return { groups, only: onlyGroup(service.view, Number(key)) };
}

const many = (name: string, count = 9): string[] => Array.from({ length: count }, (_, n) => `${name}${n}`);

describe('the graph of a stored workflow', () => {
  it('of jobs that are alike comes from the counts', async () => {
    for (const names of [many('job_'), many('job'), many(''), ['job', ...many('job_1'), 'job:b', 'job/c', 'job-d']]) {
      const { groups, only } = await drawn(names);
      expect(groups).toEqual([only]);
      expect(only?.counts).toMatchObject({ done: 1, failed: 1 });
    }
  });

  it.each([
    [[...many('job_'), 'jobs_1']],
    [[...many('job_'), 'jo']],
    [[...many('job_'), 'jobB']],
    [[...many('job_'), 'job`']],
    [[...many('job_'), 'job;']],
    [[...many('job_'), 'job!']],
    [[...many('job_'), 'job with a space']],
    [many('job_', 5)],
  ])('of jobs with several words, or few jobs, comes from the jobs: %s', async (names) => {
    expect((await drawn(names)).only).toBeNull();
  });

  it('with edges and barriers, and jobs of another workflow between, comes from the jobs', async () => {
    const stages: [number, number][] = Array.from({ length: 8 }, (_, n) => [n, n + 8]);
    expect((await drawn(many('job_', 16), stages)).groups).toHaveLength(2);
    const barrier: [number, number][] = [
      ...Array.from({ length: 8 }, (_, n): [number, number] => [n, -1]),
      ...Array.from({ length: 8 }, (_, n): [number, number] => [-1, n + 8]),
    ];
    expect((await drawn(many('job_', 16), barrier, 1)).only).toBeNull();
  });

  it('has only jobs of the workflow', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    const other = await createWorkflow(service, [{ name: 'b' }]);
    const [job] = await rows(service, 'jobs', other);
    const request = { workflow_key: key, job_key: String(job?.job_key), limit: 1 };
    await expect(service.call('graph_group', request)).rejects.toMatchObject({ code: 'not_found' });
    expect((await service.call('graph_group', { ...request, workflow_key: other })).jobs).toMatchObject([
      { name: 'b', status: 'ready', outcome: null, orphaned: false },
    ]);
  });

  it('has jobs that were added after those of another workflow', async () => {
    const names = [...many('job_'), 'end'];
    const key = await createWorkflow(
      service,
      names.map((name) => ({ name })),
      names.slice(1).map((_, n): [number, number] => [n, 9]),
    );
    await createWorkflow(service, [{ name: 'other' }]);
    const added = expandChildren(
      [
        { name: 'job_z', command: 'true' },
        { name: 'last', command: 'true', depends_on: ['end'] },
      ],
      { file: 'test' },
    ) as AddedJob[];
    await service.call('jobs_add', { workflow_key: key, jobs: added });
    const { groups, edges } = await service.call('workflow_graph', { workflow_key: key });
    const counts = { ready: 1 };
    expect(groups).toMatchObject([
      { label: 'job_*', num_jobs: 9 },
      { label: 'end', num_jobs: 1, counts: { blocked: 1 } },
      { label: 'job_z', num_jobs: 1, counts },
      { label: 'last', num_jobs: 1 },
    ]);
    expect(edges.toSorted()).toEqual([
      [0, 1],
      [1, 3],
    ]);
    const planned = await service.call('planned_jobs', { workflow_key: key });
    expect(planned.groups?.map(({ stage, num_jobs }) => [stage, num_jobs])).toEqual([
      [1, 9],
      [2, 1],
      [1, 1],
      [3, 1],
    ]);
  });
});
