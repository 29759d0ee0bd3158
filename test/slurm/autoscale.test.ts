/** An autoscaler on a real cluster, from no node to several and back; the nightly run has it with more that fails. */
import { beforeAll, expect, it } from 'vitest';
import { maxNodes, queue, runs, startStages, watchNodes } from './autoscaled.ts';
import { output, requireCluster, run } from './cluster.ts';
import { siteFor } from './site.ts';

beforeAll(requireCluster);

it('goes from no node to several and back for stages of different width, also when its server is killed', async (context) => {
  const site = await siteFor(context, 'autoscale');
  const { pid } = await site.startServer('ctl', 10);
  const key = await startStages(site, 10, '');
  expect(await queue(site)).toEqual([]);
  await site.say(['workflows', 'start', key]);
  const stopWatching = watchNodes(site);

  await runs(site, key, 'one0');
  await output(['kill', '-9', String(pid)]);
  await site.startServer('ctl', 10);
  expect(await site.ended(key)).toMatchObject({ status: 'done', run_id: 1, num_done: 12 });
  await site.queueEmpty();
  expect(await stopWatching()).toBe(maxNodes);
  expect(await site.results(key)).toHaveLength(12);
});

it('jobs that fit only some of the nodes of a partition get allocations that ask for those', async (context) => {
  const partition = 'PartitionName=sizes';
  const root = { user: 'root' } as const;
  await output(['scontrol', 'create', partition, 'Nodes=c1,c3', 'OverSubscribe=EXCLUSIVE', 'State=UP'], root);
  try {
    const site = await siteFor(context, 'sizes');
    await site.startServer('ctl', 10);
    await site.say(['hpc', 'slurm', 'site', 'refresh']);
    const key = await site.start({
      name: 'sizes',
      resource_requirements: [
        { name: 'any', num_cpus: 1, memory: '50m', runtime: 'PT1M' },
        { name: 'gpus', num_cpus: 1, memory: '50m', num_gpus: 2, runtime: 'PT1M' },
        { name: 'large', num_cpus: 1, memory: '1500m', runtime: 'PT1M' },
      ],
      jobs: ['any', 'gpus', 'large'].map((name) => ({ name, command: 'sleep 1', resource_requirements: name })),
      slurm_schedulers: [{ name: 'whole', account: 'torc', partition: 'sizes', walltime: '00:10:00' }],
    });
    await site.say(['workflows', 'autoscale', key, '--max', '2', '--idle', '1s']);
    expect(await site.ended(key)).toMatchObject({ status: 'done', num_done: 3 });
    await site.queueEmpty();
    const asked = (await site.allocations(key)).map(({ hostnames, min_gpus, min_memory_bytes }) => {
      return { hostnames, min_gpus, min_memory_bytes };
    });
    // only one of the nodes has GPUs
    expect(asked).toContainEqual({ hostnames: 'c3', min_gpus: 2, min_memory_bytes: null });
    // without being asked for more, this cluster gives 200 megabytes for each of the four CPUs
    expect(asked).toContainEqual(expect.objectContaining({ min_gpus: null, min_memory_bytes: 2000 * 1024 ** 2 }));
  } finally {
    await run(['scontrol', 'delete', partition], root);
  }
});
