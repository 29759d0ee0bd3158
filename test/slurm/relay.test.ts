/**
 * Nodes whose way to the server's port is cut by a packet filter: workers say so, and with a relay their jobs run, each
 * once, whatever dies.
 */
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { allNodes, container, type Node, output, requireCluster, run, until, workNodes } from './cluster.ts';
import { type Site, siteFor } from './site.ts';
import { watchProcesses } from './watch-processes.ts';

beforeAll(requireCluster);

const port = 17_643;
const nodes = workNodes;

/** Drops what nodes send to the port of the server, as a firewall does: nothing answers. */
function filter(change: '-A' | '-D'): void {
  for (const node of nodes) {
    const { docker, id } = container(node);
    const pid = spawnSync('docker', ['inspect', '-f', '{{.State.Pid}}', id], { env: docker, encoding: 'utf8' }).stdout;
    const rule = ['OUTPUT', '-p', 'tcp', '--dport', String(port), '-j', 'DROP'];
    const words = ['-t', pid.trim(), '-n', 'iptables', change, ...rule];
    const { status, stderr } = spawnSync('nsenter', words, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`nsenter ${words.join(' ')}: ${stderr}`);
  }
}
beforeAll(() => filter('-A'));
afterAll(() => filter('-D'));

const numStages = 4;
// more than all workers run at once
const jobsOfStage = 21;

const numRan = async (site: Site): Promise<number> => (await site.files('ran')).size;

/** Lets the jobs of a stage run, and waits until they have. */
async function runStage(site: Site, stage: number): Promise<void> {
  await site.write(`go/${stage}`, '');
  await until(`stage ${stage} has run`, async () => (await numRan(site)) >= (stage + 1) * jobsOfStage);
}

/** Kills processes of a node by their command line, as soon as there is one. */
async function kill(node: Node, pattern: string): Promise<void> {
  const isKilled = async () => (await run(['pkill', '-KILL', '-u', 'hpc', '-f', pattern], { node })).exitCode === 0;
  await until(`${pattern} on ${node} is killed`, isKilled);
}

/** The nodes on which a process with such a command line runs. */
async function nodesWith(pattern: string): Promise<Node[]> {
  const found = await Promise.all(nodes.map(async (node) => (await run(['pgrep', '-f', pattern], { node })).exitCode));
  return nodes.filter((_, index) => found[index] === 0);
}

it('without a relay a worker says why it has no jobs; with one they run, whatever is killed', async (context) => {
  const site = await siteFor(context, 'relay');
  await site.json(['server', 'start', '--daemon', '--port', String(port)]);
  const jobs = Array.from({ length: numStages * jobsOfStage }, (_, i) => ({
    name: `job ${i}`,
    command: `echo "$TORC_ATTEMPT_ID" >> "ran/$TORC_JOB_KEY"; until [ -e go/${Math.floor(i / jobsOfStage)} ]; do sleep 0.2; done`,
  }));
  // those of a stage wait for the ones before it
  const key = await site.start({ name: 'relay', jobs_sort_method: 'none', jobs });
  await site.makeFolder('ran');
  await site.makeFolder('go');
  const { token } = JSON.parse(await site.read('server/server.json')) as { token: string };
  const watches = allNodes.map((node) => watchProcesses(site, node, token));
  await site.addConfig(key, '-w', '20', '-n', '2', '-m', '400', '-e', '--cpus-per-task=4');
  await site.schedule(key, '-n', '2');

  interface Why {
    unreached_workers: { hostname: string; slurm_job_id: string; problem: string }[];
  }
  const [first] = await site.jobs(key);
  const unreached = await until('every worker says that it has no connection', async () => {
    const { unreached_workers } = await site.json<Why>(['why', first?.job_key ?? '']);
    return unreached_workers.length === nodes.length && unreached_workers;
  });
  expect(unreached.map(({ hostname }) => hostname).toSorted()).toEqual([...nodes]);
  for (const { problem } of unreached) expect(problem).toContain(`no answer within 2 s (ctl:${port}, `);
  expect(await site.shown(key)).toMatchObject({ num_done: 0, num_active_workers: 0 });

  await site.say(['server', 'stop']);
  const start = () =>
    site.json<{ pid: number }>(['server', 'start', '--daemon', '--port', String(port), '--relay', 'slurm']);
  let { pid } = await start();
  await until('every worker has a connection', async () => {
    return (await site.shown(key)).num_active_workers === nodes.length;
  });
  await runStage(site, 0);
  await kill('ctl', '^srun .*torc-relay');
  await runStage(site, 1);
  const relayNodes = await until('both relays run again', async () => {
    const found = await nodesWith('server relay');
    return found.length === 2 && found;
  });
  for (const node of relayNodes) await kill(node, 'server relay');
  await runStage(site, 2);
  await output(['kill', '-9', String(pid)]);
  ({ pid } = await start());
  await runStage(site, 3);

  expect(await site.ended(key)).toMatchObject({ status: 'done', num_done: jobs.length, num_failed: 0 });
  // an attempt that was handed back unstarted has a number too
  for (const lines of (await site.files('ran')).values()) expect(lines).toMatch(/^[0-9]+\n$/);
  // the same workers went on
  expect((await site.computeNodes(key)).map(({ hostname }) => hostname).toSorted()).toEqual([...nodes]);
  await site.queueEmpty();
  await site.write('watched', '');
  expect(await Promise.all(watches)).toEqual(allNodes.map(() => ''));
  // nothing of a relay is left
  for (const node of ['ctl', ...nodes] as const) {
    await until(`no relay is left on ${node}`, async () => {
      return (await run(['pgrep', '-f', 'torc-relay|server relay'], { node })).exitCode === 1;
    });
  }
});
