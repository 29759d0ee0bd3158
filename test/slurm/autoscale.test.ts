/** An autoscaler on a real cluster, from no node to several and back; the nightly run has it with more that fails. */
import { beforeAll, expect, it } from 'vitest';
import { maxNodes, queue, runs, startStages, watchNodes } from './autoscaled.ts';
import { output, requireCluster } from './cluster.ts';
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
  await site.queueEmpty(60);
  expect(await stopWatching()).toBe(maxNodes);
  expect(await site.results(key)).toHaveLength(12);
});
