/** Jobs of several nodes in an allocation with one worker: which nodes their tasks run on, and what runs beside them. */
import { beforeAll, describe, expect, it } from 'vitest';
import { requireCluster } from './cluster.ts';
import { siteFor } from './site.ts';

beforeAll(requireCluster);

const onEachNode =
  'srun --nodes="$TORC_NUM_NODES" --ntasks-per-node=1 --nodelist="$TORC_NODE_LIST" hostname > "$TORC_JOB_NAME"';
const cases = [
  { name: 'shares of nodes', extra: '--cpus-per-task=2' },
  // Slurm tells a script the number of tasks of the whole allocation then
  { name: 'stated tasks', extra: '--ntasks=6 --ntasks-per-node=2' },
];

describe.concurrent('jobs of several nodes', () => {
  it.for(cases)('run on nodes of their own, beside jobs of one node, with $name', async ({ name, extra }, context) => {
    const site = await siteFor(context, name);
    await site.startServer();
    const wide = (nodes: number) => ({ num_cpus: 2, memory: '200m', num_nodes: nodes, runtime: 'PT2M' });
    const key = await site.start({
      name,
      resource_requirements: [
        { name: 'two nodes', ...wide(2) },
        { name: 'three nodes', ...wide(3) },
      ],
      jobs: [
        // neither of these two ends without the other
        {
          name: 'pair 1',
          command: `touch begun; until [ -e single ]; do sleep 0.1; done; ${onEachNode}`,
          resource_requirements: 'two nodes',
          priority: 1,
        },
        { name: 'single', command: 'until [ -e begun ]; do sleep 0.1; done; hostname > single' },
        { name: 'pair 2', command: onEachNode, resource_requirements: 'two nodes' },
        {
          name: 'all',
          command: onEachNode,
          resource_requirements: 'three nodes',
          depends_on: ['pair 1', 'pair 2', 'single'],
        },
      ],
    });
    await site.addConfig(key, '-n', '3', '-w', '10', '-m', '300', '-e', extra);
    const { allocations } = await site.schedule(key, '-n', '1');
    expect(await site.ended(key)).toMatchObject({ status: 'done', num_done: 4, num_failed: 0 });
    const hosts = async (job: string) => (await site.read(job)).trim().split('\n').sort();
    const [own] = await hosts('single');
    const all = await hosts('all');
    expect(new Set(all).size).toBe(3);
    const others = all.filter((host) => host !== own);
    expect(others).toHaveLength(2);
    expect([await hosts('pair 1'), await hosts('pair 2')]).toEqual([others, others]);
    expect(await site.computeNodes(key)).toMatchObject([{ hostname: own, num_nodes: 3, num_cpus: 2 }]);
    await site.queueEmpty();
    for (const { slurm_job_id: id } of allocations) expect((await site.slurmEnd(id)).state).toBe('COMPLETED');
  });
});
