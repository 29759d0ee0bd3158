/** One server owns the database: who may start one, what is kept when it dies, what it never gives away. */
import { beforeAll, describe, expect, it } from 'vitest';
import { allNodes, type Node, output, requireCluster, run, until } from './cluster.ts';
import { type Site, siteFor } from './site.ts';
import { watchProcesses } from './watch-processes.ts';

beforeAll(requireCluster);

interface Failure {
  error: { code: string; message: string; hint: string | null };
}

/** A command that must fail: its exit code and what it says. */
async function failure(
  site: Site,
  words: string[],
  node: Node = 'ctl',
): Promise<Failure['error'] & { exitCode: number }> {
  const ran = await site.torc(['-F', 'json', ...words], { node });
  expect(ran.stdout).toBe('');
  return { exitCode: ran.exitCode, ...(JSON.parse(ran.stderr) as Failure).error };
}

interface Noting {
  name: string;
  command: string;
}

/** Jobs that note that they ran, each in a file of its own. */
function noting(numJobs: number, seconds: number): Noting[] {
  return Array.from({ length: numJobs }, (_, i) => ({
    name: `job ${i}`,
    command: `echo "$TORC_JOB_KEY $TORC_ATTEMPT_ID" >> "ran/$TORC_JOB_KEY"; sleep ${seconds}`,
  }));
}

async function expectEachRanOnce(site: Site, key: string, numJobs: number): Promise<void> {
  const shown = await site.ended(key);
  expect(shown).toMatchObject({ status: 'done', num_done: numJobs, num_failed: 0, num_canceled: 0 });
  const results = await site.results(key);
  expect(results).toHaveLength(numJobs);
  const recorded = results.map((result) => [result.job_key, `${result.job_key} ${result.attempt_id}\n`]);
  expect(await site.files('ran')).toEqual(new Map(recorded as [string, string][]));
}

async function numRan(site: Site): Promise<number> {
  return (await site.files('ran')).size;
}

describe.concurrent('a server on the controller', () => {
  it('is the only owner, for commands and workers on every node', async (context) => {
    const site = await siteFor(context, 'owner');
    const place = await site.startServer();
    // two jobs that wait for each other, each as wide as a worker: both workers take part, however late one comes
    const meet = 'touch "here/$TORC_WORKER_ID"; until [ "$(ls here | wc -l)" -eq 2 ]; do sleep 0.1; done';
    const [first, second, ...others] = noting(40, 0.3);
    const meeting = [first, second].map((job) => ({
      ...(job as Noting),
      command: `${job?.command}; ${meet}`,
      resource_requirements: 'all',
      priority: 1,
    }));
    const key = await site.start({
      name: 'owner',
      resource_requirements: [{ name: 'all', num_cpus: 2, memory: '20m', runtime: 'PT5M' }],
      jobs: [...meeting, ...others],
    });
    await site.makeFolder('ran');
    await site.makeFolder('here');
    await site.addConfig(key, '-w', '10', '-m', '200', '-e', '--cpus-per-task=2');
    const [here, elsewhere, worker, ...shown] = await Promise.all([
      failure(site, ['server', 'start', '--daemon']),
      failure(site, ['server', 'start'], 'c1'),
      // a worker that no allocation started, on another node, beside that of the allocation
      site.json<{ worker: { num_jobs: number } }>(['jobs', 'run', key, '--cpus', '2'], { node: 'c2' }),
      site.shown(key),
      site.json(['workflows', 'show', key], { node: 'c1' }),
      site.schedule(key, '-n', '1'),
    ]);
    for (const error of [here, elsewhere]) {
      expect(error).toMatchObject({ exitCode: 4, code: 'conflict' });
      expect(error.message).toContain(`a server is already running on ctl (pid ${place.pid})`);
      expect(error.message).toContain(site.directory);
    }
    expect(shown.slice(0, 2)).toMatchObject([{ workflow_key: key }, { workflow_key: key }]);
    await expectEachRanOnce(site, key, 40);
    const nodes = await site.computeNodes(key);
    expect(nodes).toHaveLength(2);
    expect(nodes.map((node) => node.slurm_job_id === null).toSorted()).toEqual([false, true]);
    expect(worker.worker.num_jobs).toBeGreaterThan(0);
    await site.say(['server', 'stop'], { node: 'c3' });
    await until('the server has gone', async () => (await run(['kill', '-0', String(place.pid)])).exitCode !== 0);
    expect(await failure(site, ['server', 'info'])).toMatchObject({ exitCode: 5, code: 'unreachable' });
    // what it left is whole, and opens without a server
    const check = `new (require('/torc/node_modules/better-sqlite3'))(process.argv[1]).pragma('integrity_check')`;
    const checked = await output(['node', '-p', check, `${site.directory}/torc.db`]);
    expect(checked).toContain("[ { integrity_check: 'ok' } ]");
    await expectEachRanOnce(site, key, 40);
  });

  it('that stands still is taken over from another node, and stops when it goes on', async (context) => {
    const site = await siteFor(context, 'holder');
    const place = await site.startServer();
    await output(['kill', '-STOP', String(place.pid)]);
    // it is waited for first: it may only be slow
    expect(await site.json(['workflows', 'list'], { node: 'c1' })).toEqual({ workflows: [] });
    await output(['kill', '-CONT', String(place.pid)]);
    await until('it has stopped', async () => (await run(['kill', '-0', String(place.pid)])).exitCode !== 0);
    expect(await site.json(['workflows', 'list'], { node: 'c1' })).toEqual({ workflows: [] });
  });

  it('keeps its secret out of command lines, environments, scripts and logs', async (context) => {
    const site = await siteFor(context, 'secret');
    await site.startServer();
    const key = await site.start({
      name: 'secret',
      jobs: Array.from({ length: 12 }, (_, i) => ({
        name: `job ${i}`,
        command: 'env; cat /proc/self/cmdline /proc/$PPID/cmdline; sleep 0.5',
      })),
    });
    await site.addConfig(key, '-w', '10', '-m', '200', '-e', '--cpus-per-task=2');
    const { token } = JSON.parse(await site.read('server/server.json')) as { token: string };
    expect(token).toMatch(/^[0-9a-f]{64}$/);
    const watches = allNodes.map((node) => watchProcesses(site, node, token));
    await site.schedule(key, '-n', '2', '-k');
    await site.ended(key);
    await site.queueEmpty();
    await site.write('watched', '');
    expect(await Promise.all(watches)).toEqual(allNodes.map(() => ''));
    const found = await run(['grep', '-rlF', '-f', '-', site.path], { input: token });
    expect(found.stdout.trim()).toBe(`${site.directory}/server.json`);
    expect((await output(['ls', `${site.directory}/slurm_scripts`])).trim().split('\n')).toHaveLength(2);
    const modes = await output([
      'stat',
      '-c',
      '%a %n',
      site.directory,
      ...['server.json', 'key.pem'].map((name) => `${site.directory}/${name}`),
    ]);
    expect(
      modes
        .trim()
        .split('\n')
        .map((line) => line.split(' ')[0]),
    ).toEqual(['700', '600', '600']);
  });
});

describe.concurrent('a server that is killed in the middle of work', () => {
  it.for<Node>(['ctl', 'c4'])('and started again on %s: workers deliver, each job runs once', async (node, context) => {
    const site = await siteFor(context, 'killed');
    const numJobs = 60;
    const place = await site.startServer();
    // the first one holds the workflow open until the server is back, however fast the others are
    const jobs = noting(numJobs, 0.5).map(({ name, command }, i) => ({
      name,
      command: i === 0 ? `${command}; until [ -e back ]; do sleep 0.2; done` : command,
    }));
    const key = await site.start({ name: 'killed', jobs });
    await site.makeFolder('ran');
    await site.addConfig(key, '-w', '10', '-m', '200', '-e', '--cpus-per-task=2');
    await site.schedule(key, '-n', '2');
    await until('both workers are there', async () => (await site.computeNodes(key)).length === 2);
    await until('some jobs have run', async () => (await numRan(site)) >= 10);
    await output(['kill', '-9', String(place.pid)]);
    // a command in between opens the database by itself, on another node
    expect(await site.json(['workflows', 'show', key], { node: 'c1' })).toMatchObject({ status: 'running' });
    const again = await site.startServer(node);
    expect(again).toMatchObject({ hostname: node });
    await site.write('back', '');
    await expectEachRanOnce(site, key, numJobs);
    expect(await numRan(site)).toBe(numJobs);
    await site.queueEmpty();
    // the same workers went on: none was started for it
    expect(await site.computeNodes(key)).toHaveLength(2);
  });
});

describe.concurrent('a server that is away', () => {
  it('is waited for by an allocation that starts meanwhile; commands do without', async (context) => {
    const site = await siteFor(context, 'away');
    await site.startServer();
    const key = await site.start({ name: 'away', jobs: noting(4, 0.1) });
    await site.makeFolder('ran');
    await site.addConfig(key, '-w', '10', '-m', '100', '-e', '--hold');
    const { allocations } = await site.schedule(key, '-n', '1');
    await site.say(['server', 'stop']);
    await output(['scontrol', 'release', allocations[0]?.slurm_job_id ?? '']);
    await until('a worker looks for the server', async () => (await site.logs()).includes('no server is registered'));
    expect(await site.shown(key)).toMatchObject({ status: 'ready', num_done: 0, num_active_workers: 0 });
    await site.startServer('c2');
    await expectEachRanOnce(site, key, 4);
    await site.queueEmpty();
  });
});

describe.concurrent('schedule-nodes', () => {
  it('starts a server when none runs, and says so; --no-server refuses', async (context) => {
    const site = await siteFor(context, 'starts');
    const key = await site.start({ name: 'starts', jobs: [{ name: 'only', command: 'true' }] });
    await site.addConfig(key, '-w', '10', '-m', '100');
    const refused = await failure(site, ['-k', key, 'hpc', 'slurm', 'schedule-nodes', '-n', '1', '--no-server']);
    expect(refused).toMatchObject({ exitCode: 5, code: 'unreachable' });
    expect(refused.hint).toContain('server start --daemon');
    expect(await site.allocations(key)).toEqual([]);
    const ran = await site.torc(['-k', key, 'hpc', 'slurm', 'schedule-nodes', '-n', '1']);
    expect(ran).toMatchObject({ exitCode: 0 });
    const info = await site.json<{ hostname: string; pid: number }>(['server', 'info'], { node: 'c1' });
    expect(ran.stderr).toContain(`Started a server on ctl (pid ${info.pid})`);
    expect(await site.ended(key)).toMatchObject({ status: 'done', num_done: 1 });
    await site.queueEmpty();
    expect((await site.schedule(key, '-n', '1', '--dry-run')).starts_server).toBe(false);
  });

  it("ends with 6 and sbatch's own words when Slurm refuses, and records it", async (context) => {
    const site = await siteFor(context, 'refused');
    await site.startServer();
    const key = await site.start({ name: 'refused', jobs: [{ name: 'only', command: 'true' }] });
    const wrong = await site.addConfig(key, '-p', 'nonesuch', '-w', '10');
    const error = await failure(site, ['-k', key, 'hpc', 'slurm', 'schedule-nodes', '-n', '3']);
    expect(error).toMatchObject({ exitCode: 6, code: 'slurm' });
    expect(error.message).toContain('invalid partition specified: nonesuch');
    expect(error.message).toMatch(/[a-z]\. Submitted 0 of 3 allocations\.$/);
    expect(await site.allocations(key)).toMatchObject([
      { status: 'refused', slurm_job_id: null, error: expect.stringContaining('nonesuch') },
    ]);
    expect(await site.queue()).toEqual([]);
    await site.say(['hpc', 'slurm', 'modify-config', wrong, '-p', 'main', '-m', '100', '-k', key]);
    await site.schedule(key, '-n', '1');
    expect(await site.ended(key)).toMatchObject({ status: 'done' });
  });
});
