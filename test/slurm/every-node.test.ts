/** Allocations of several nodes: one worker on each, unless it is said otherwise. */
import { beforeAll, describe, expect, it } from 'vitest';
import { requireCluster, until } from './cluster.ts';
import { siteFor } from './site.ts';

beforeAll(requireCluster);

const mebibyte = 1024 ** 2;

/** Each job waits until as many workers as that have one: none of them can do it alone. */
function meeting(numJobs: number): object[] {
  const command = `touch "here/$TORC_WORKER_ID"; until [ "$(ls here | wc -l)" -eq ${numJobs} ]; do sleep 0.1; done`;
  return Array.from({ length: numJobs }, (_, i) => ({ name: `job ${i}`, command }));
}

describe.concurrent('schedule-nodes for allocations of two nodes', () => {
  it('starts one worker on each node, with the whole share of the node', async (context) => {
    const site = await siteFor(context, 'every-node');
    await site.startServer();
    const key = await site.start({ name: 'every node', jobs: meeting(4) });
    await site.makeFolder('here');
    await site.addConfig(key, '-n', '2', '-w', '10', '-m', '300', '-e', '--cpus-per-task=2');
    const { allocations } = await site.schedule(key, '-n', '2', '-m', '1');
    expect(await site.ended(key)).toMatchObject({ status: 'done', num_done: 4 });
    await site.queueEmpty();
    const nodes = await until('all workers have said goodbye', async () => {
      const all = await site.computeNodes(key);
      return all.every((node) => !node.is_active) && all;
    });
    expect(nodes).toHaveLength(4);
    for (const { slurm_job_id: id } of allocations) {
      const hosts = nodes.filter((node) => node.slurm_job_id === id).map((node) => node.hostname);
      expect(new Set(hosts).size).toBe(2);
    }
    for (const node of nodes) {
      expect(node).toMatchObject({ num_cpus: 2, memory_bytes: 300 * mebibyte, max_parallel_jobs: 1 });
    }
    expect(new Set((await site.results(key)).map((result) => result.compute_node_key)).size).toBe(4);
    for (const { slurm_job_id: id } of allocations) expect((await site.slurmEnd(id)).state).toBe('COMPLETED');
  });

  it('with --no-start-one-worker-per-node starts one on the first node only', async (context) => {
    const site = await siteFor(context, 'first-node');
    await site.startServer();
    const key = await site.start({
      name: 'first node',
      jobs: Array.from({ length: 6 }, (_, i) => ({ name: `job ${i}`, command: 'hostname; sleep 0.5' })),
    });
    await site.addConfig(key, '-n', '2', '-w', '10', '-m', '100', '-e', '--cpus-per-task=2');
    const { allocations } = await site.schedule(key, '-n', '1', '--no-start-one-worker-per-node');
    expect(allocations).toHaveLength(1);
    expect(await site.ended(key)).toMatchObject({ status: 'done', num_done: 6 });
    expect(await site.computeNodes(key)).toHaveLength(1);
    expect(new Set((await site.results(key)).map((result) => result.hostname)).size).toBe(1);
  });
});
