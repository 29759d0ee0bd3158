/** Jobs of several nodes: which nodes of a worker they get, what else runs beside them, why they wait. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ExchangeReply } from '../../src/api/contract.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, freshService, rows, statuses, TestWorker } from '../support/service.ts';

let fresh: Awaited<ReturnType<typeof freshService>>;
beforeEach(async () => {
  fresh = await freshService();
});
afterEach(async () => {
  expect(brokenInvariants(fresh.service.db)).toEqual([]);
  await fresh.close();
});

/** Name and nodes of the jobs that were given. */
const given = ({ jobs }: ExchangeReply) => jobs.map((job) => [job.job_name, job.node_indices ?? null]);
const why = async (key: number) => (await fresh.service.call('job_show', { job_key: String(key) })).why;

describe('a worker of several nodes', () => {
  it('gives whole nodes to wide jobs, and packs the others on its own', async () => {
    const { service } = fresh;
    const jobs = [
      { name: 'wide', nodes: 2, cpus: 4 },
      { name: 'second', nodes: 2, cpus: 1 },
      { name: 'all', nodes: 3, cpus: 1 },
      { name: 'small', cpus: 3 },
      { name: 'tiny' },
      { name: 'last' },
    ];
    const key = await createWorkflow(service, jobs);
    const worker = await TestWorker.join(service, key, { nodes: 3, cpus: 4 });
    expect(given(await worker.exchange())).toEqual([
      ['wide', [1, 2]],
      ['small', null],
      ['tiny', null],
    ]);
    const [wide = 0, small = 0, tiny = 0] = worker.held;
    expect(await why(2)).toBe('It waits until a worker has room for 1 CPU and 1K of memory on each of 2 nodes.');
    expect(given(await worker.finish(wide))).toEqual([['second', [1, 2]]]);
    expect(given(await worker.finish(small))).toEqual([['last', null]]);
    // the widest waits until nothing else runs
    expect(given(await worker.finish(worker.held[1] ?? 0))).toEqual([]);
    expect(given(await worker.finish(tiny))).toEqual([]);
    expect(given(await worker.finish(worker.held[0] ?? 0))).toEqual([['all', [0, 1, 2]]]);
    await worker.finish(worker.held[0] ?? 0);
    expect(Object.values(await statuses(service, key)).every((status) => status === 'done')).toBe(true);
    const results = await rows(service, 'results', key);
    expect(new Map(results.map((result) => [result.job_name, result.num_nodes]))).toEqual(
      new Map(jobs.map(({ name, nodes = 1 }) => [name, nodes])),
    );
    expect(await rows(service, 'compute_nodes', key)).toMatchObject([{ num_nodes: 3, num_cpus: 4 }]);
  });

  it('keeps its own node free for a wide job, which goes before everything else', async () => {
    const { service } = fresh;
    const key = await createWorkflow(service, [{ name: 'small' }, { name: 'wide', nodes: 2, priority: 1 }]);
    const worker = await TestWorker.join(service, key, { nodes: 2 });
    expect(given(await worker.exchange())).toEqual([['wide', [0, 1]]]);
    expect(await why(1)).toMatch(/waits until a worker has room/);
    expect(given(await worker.finish(worker.held[0] ?? 0))).toEqual([['small', null]]);
  });

  it('counts GPUs, memory and the number of jobs at a time', async () => {
    const { service } = fresh;
    const jobs = [
      { name: 'one GPU here', gpuThousandths: 1000 },
      { name: 'two on each', nodes: 2, gpuThousandths: 2000 },
      { name: 'three on each', nodes: 2, gpuThousandths: 3000 },
      { name: 'too large', nodes: 2, memory: 2 * 1024 ** 3 },
      { name: 'one too many' },
    ];
    const key = await createWorkflow(service, jobs);
    const worker = await TestWorker.join(service, key, { nodes: 3, gpus: 2, maxJobs: 2 });
    const { jobs: first } = await worker.exchange();
    expect(first.map((job) => [job.job_name, job.node_indices, job.gpu_indices])).toEqual([
      ['one GPU here', undefined, [0]],
      ['two on each', [1, 2], [0, 1]],
    ]);
    expect(await why(3)).toBe('It needs 3 GPUs; no worker has more than 2 GPUs.');
    expect(await why(4)).toMatch(/^It needs 2G of memory; no worker has more than /);
    await worker.finish(worker.held[1] ?? 0);
    expect(await statuses(service, key)).toMatchObject({
      'three on each': 'ready',
      'too large': 'ready',
      'one too many': 'submitted_pending',
    });
  });
});

describe('workers of one node', () => {
  it('never get a wide job, which says what it needs', async () => {
    const { service } = fresh;
    const key = await createWorkflow(service, [{ name: 'wide', nodes: 2 }, { name: 'small' }]);
    expect(await why(1)).toBe('There is no worker to run it.');
    // an older worker does not say how many nodes it has
    const worker = await TestWorker.join(service, key, {}, null, { num_nodes: undefined });
    const other = await TestWorker.join(service, key);
    expect(given(await worker.exchange())).toEqual([['small', null]]);
    expect(await why(1)).toBe('It needs 2 nodes; no worker has more than 1 node.');
    await worker.finish(worker.held[0] ?? 0, 0, { leaving: true });
    await other.exchange({ leaving: true });
    expect(await why(1)).toBe('There is no worker to run it. It needs 2 nodes; no worker so far had more than 1 node.');
    await TestWorker.join(service, key, { nodes: 2 });
    expect(await why(1)).toBe('It waits for its turn.');
  });
});
