/** An autoscaler on a real cluster: from no node to several and back, while everything around it fails. */
import { afterEach, beforeAll, expect, it } from 'vitest';
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
import { type Site, siteFor } from '../slurm/site.ts';

beforeAll(requireCluster);
afterEach(repairCluster);

const maxNodes = 3;
const jobSeconds = 40;
const stages = { one: 1, two: 8, three: 3 };

function jobsOf(stage: keyof typeof stages, after?: keyof typeof stages): object[] {
  const before =
    after === undefined ? {} : { depends_on: Array.from({ length: stages[after] }, (_, at) => `${after}${at}`) };
  return Array.from({ length: stages[stage] }, (_, at) => ({
    name: `${stage}${at}`,
    command: `sleep ${jobSeconds}`,
    resource_requirements: 'small',
    ...before,
  }));
}

interface Queued {
  id: string;
  state: string;
  numNodes: number;
  host: string;
}

/** What Slurm has of this place, without what is ending; null while it does not answer. */
async function queue(site: Site): Promise<Queued[] | null> {
  const words = ['timeout', '5', 'squeue', '-h', '--me', '-o', '%i|%t|%D|%Z|%N'];
  const text = await output(words).catch(() => null);
  if (text === null) return null;
  const rows = text.split('\n').map((line) => line.split('|'));
  return rows
    .filter(([, state, , place]) => place === site.path && state !== 'CG')
    .map(([id = '', state = '', numNodes = '', , host = '']) => ({ id, state, numNodes: Number(numNodes), host }));
}

it('goes from no node to several and back for stages of different width, whatever fails meanwhile', async (context) => {
  const site = await siteFor(context, 'autoscale');
  const { pid } = await site.startServer('ctl', 10);
  const created = await site.say(['-F', 'json', 'workflows', 'create', '-'], {
    input: JSON.stringify({
      name: 'autoscale',
      resource_requirements: [{ name: 'small', num_cpus: 1, memory: '10m', runtime: 'PT5M' }],
      jobs: [...jobsOf('one'), ...jobsOf('two', 'one'), ...jobsOf('three', 'two')],
      slurm_schedulers: [
        { name: 'c', account: 'torc', walltime: '00:20:00', mem: '300M', extra: '--cpus-per-task=2 --exclude=c3' },
      ],
    }),
  });
  const { workflow_key: key } = JSON.parse(created) as { workflow_key: string };
  await site.say(['workflows', 'autoscale', key, '--max', String(maxNodes), '--idle', '2s']);
  expect(await queue(site)).toEqual([]);
  await site.say(['workflows', 'start', key]);

  let mostNodes = 0;
  let isWatching = true;
  const watching = (async () => {
    while (isWatching) {
      const seen = (await queue(site)) ?? [];
      mostNodes = Math.max(
        mostNodes,
        seen.reduce((sum, { numNodes }) => sum + numNodes, 0),
      );
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  })();
  const runs = (name: string) => until(`${name} runs`, async () => (await site.job(key, name)).status === 'submitted');

  await runs('one0');
  await output(['kill', '-9', String(pid)]);
  await site.startServer('ctl', 10);

  await runs('two0');
  await runs('two5');
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

  expect(await site.ended(key, 400)).toMatchObject({ status: 'done', run_id: 1 });
  await site.queueEmpty(60);
  isWatching = false;
  await watching;
  expect(mostNodes).toBe(maxNodes);

  const { busy, idle } = await nodeSeconds(site, key, [victim.id]);
  const numStarts = (await site.allocations(key)).length;
  console.log(`busy ${busy} s, idle ${idle} s, ${numStarts} starts`);
  expect(idle, `${busy} s busy`).toBeLessThan(0.1 * busy + 5 * numStarts);
});
