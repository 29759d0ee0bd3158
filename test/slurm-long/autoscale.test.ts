/** An autoscaler on a real cluster: from no node to several and back, while everything around it fails. */
import { afterEach, beforeAll, expect, it } from 'vitest';
import { maxNodes, queue, runs, startStages, watchNodes } from '../slurm/autoscaled.ts';
import {
  type Node,
  nodeBack,
  output,
  power,
  repairCluster,
  requireCluster,
  signalDaemons,
  until,
} from '../slurm/cluster.ts';
import { nodeSeconds } from '../slurm/node-seconds.ts';
import { siteFor } from '../slurm/site.ts';

beforeAll(requireCluster);
afterEach(repairCluster);

it('goes from no node to several and back for stages of different width, whatever fails meanwhile', async (context) => {
  const site = await siteFor(context, 'autoscale');
  const { pid } = await site.startServer('ctl', 10);
  const key = await startStages(site, 40, '--exclude=c3');
  expect(await queue(site)).toEqual([]);
  await site.say(['workflows', 'start', key]);
  const stopWatching = watchNodes(site);

  await runs(site, key, 'one0');
  await output(['kill', '-9', String(pid)]);
  await site.startServer('ctl', 10);

  await runs(site, key, 'two0');
  await runs(site, key, 'two5');
  expect((await site.shown(key)).autoscaler).toMatchObject({ num_nodes: maxNodes });
  const victim = await until('a node other than c1 runs', async () => {
    return (await queue(site))?.find(({ state, host }) => state === 'R' && host !== 'c1');
  });
  power(victim.host as Node, 'off');
  signalDaemons('STOP', 'slurmctld');
  // the fault itself: Slurm is away for a minute
  await new Promise((resolve) => setTimeout(resolve, 60_000));
  signalDaemons('CONT', 'slurmctld');
  power(victim.host as Node, 'on');
  await nodeBack(victim.host as Node);

  expect(await site.ended(key)).toMatchObject({ status: 'done', run_id: 1 });
  await site.queueEmpty();
  expect(await stopWatching()).toBe(maxNodes);

  const { busy, idle } = await nodeSeconds(site, key, [victim.id]);
  const numStarts = (await site.allocations(key)).length;
  console.log(`busy ${busy} s, idle ${idle} s, ${numStarts} starts`);
  expect(idle, `${busy} s busy`).toBeLessThan(0.1 * busy + 5 * numStarts);
});
