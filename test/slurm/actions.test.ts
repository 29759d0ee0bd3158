/** Actions on a real cluster: nodes for each stage when it is ready, commands on the nodes, a server that is killed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { output, requireCluster, run, slurm, until } from './cluster.ts';
import type { AllocationRow } from './rows.ts';
import { type Site, siteFor } from './site.ts';

beforeAll(requireCluster);

interface Action {
  state: string | null;
  num_firings: number;
  error: string | null;
  firings: { result: { slurm_job_ids?: string[] } | null }[];
}

async function actions(site: Site, key: string): Promise<Action[]> {
  return (await site.json<{ actions: Action[] }>(['actions', 'list', key])).actions;
}

/** None as long as nobody has written any. */
async function lines(site: Site): Promise<string[]> {
  const text = await output(['sh', '-c', 'test ! -e "$1" || cat -- "$1"', 'sh', join(site.path, 'log')]);
  return text.split('\n').filter((line) => line !== '');
}

const writes = (words: string): string => `echo "${words}" >> log`;
const scheduler = { name: 'small', account: 'torc', walltime: '00:05:00', mem: '500M' };

describe.concurrent('actions', () => {
  it('ask for the nodes of each stage when it is ready, and run their commands on the nodes', async (context) => {
    const site = await siteFor(context, 'stages');
    const bothHaveCome = 'until [ "$(grep -c "^hello " log)" -eq 2 ]; do sleep 0.2; done';
    const key = await site.start({
      name: 'stages',
      compute_node_wait_for_new_jobs_seconds: 1,
      jobs: [
        ...['a', 'b'].map((name) => ({ name, command: writes(`${name} $SLURM_JOB_ID`) })),
        // ends when the worker that was asked for because of it has come, whichever of the two runs it
        { name: 'post', command: `${bothHaveCome}; ${writes('post $SLURM_JOB_ID')}`, depends_on: ['a', 'b'] },
      ],
      slurm_schedulers: [scheduler],
      actions: [
        { trigger_type: 'on_workflow_start', action_type: 'schedule_nodes', scheduler: 'small' },
        { trigger_type: 'on_jobs_ready', action_type: 'schedule_nodes', scheduler: 'small', jobs: ['post'] },
        {
          trigger_type: 'on_worker_start',
          action_type: 'run_commands',
          commands: [writes('hello $SLURM_JOB_ID')],
          persistent: true,
        },
        {
          trigger_type: 'on_worker_complete',
          action_type: 'run_commands',
          commands: [writes('bye $SLURM_JOB_ID')],
          persistent: true,
        },
        { trigger_type: 'on_workflow_complete', action_type: 'run_commands', commands: [writes('end')] },
      ],
    });
    expect(await site.ended(key)).toMatchObject({ status: 'done' });
    const isThrough = async () => {
      const all = await actions(site, key);
      const rows = await site.allocations(key);
      return all.every(({ state }) => state === 'done') && rows.every(({ status }) => status === 'ended');
    };
    await until('all actions are through and all workers gone', isThrough);
    const [start, ready] = await actions(site, key);
    expect([start, ready]).toMatchObject([{ num_firings: 1 }, { num_firings: 1 }]);
    const asked = [start, ready].flatMap((action) => action?.firings[0]?.result?.slurm_job_ids ?? []);
    const submitted = await site.allocations(key);
    expect(submitted.map((row) => row.slurm_job_id).toSorted()).toEqual(asked.toSorted());
    expect(submitted).toHaveLength(2);
    const log = await lines(site);
    expect(log.filter((line) => line === 'end')).toHaveLength(1);
    const greeted = log.filter((line) => line.startsWith('hello ')).map((line) => line.slice('hello '.length));
    expect(greeted.toSorted()).toEqual(asked.toSorted());
    for (const id of greeted) {
      const here = log.filter((line) => line.endsWith(` ${id}`)).map((line) => line.split(' ')[0]);
      expect([here[0], here.at(-1)]).toEqual(['hello', 'bye']);
    }
  });

  it('bring each stage of the example its own nodes', async (context) => {
    const site = await siteFor(context, 'example');
    const example = readFileSync(join(import.meta.dirname, '../../examples/staged-slurm/workflow.yaml'), 'utf8');
    await site.write('staged.yaml', example.replaceAll('my_account', 'torc'));
    const { workflow_key: key } = await site.json<{ workflow_key: string }>(['workflows', 'create', 'staged.yaml']);
    expect((await site.torc(['workflows', 'start', key])).stderr).toContain('Started a server on ctl');
    expect(await site.ended(key)).toMatchObject({ status: 'done', num_done: 9 });
    expect(Number(await site.read('staged_slurm/pi.txt'))).toBeCloseTo(Math.PI, 1);
    await site.queueEmpty();
    const [start, ready] = (await actions(site, key)).map((action) => action.firings[0]?.result?.slurm_job_ids);
    expect([start?.length, ready?.length]).toEqual([2, 1]);
    for (const { job_name: name, slurm_job_id: id } of await site.results(key)) {
      expect(name === 'average' ? ready : start).toContain(id);
    }
    expect(await site.allocations(key)).toHaveLength(3);
  });

  it('happen once each, although the server is killed between what sets them off and what they do', async (context) => {
    const site = await siteFor(context, 'killed');
    const sbatch = await heldSbatch(site);
    const waits = (file: string): string => `until [ -e ${file} ]; do sleep 0.2; done`;
    // as many as a server carries out at a time: what fires behind them has to wait
    const occupying = Array.from({ length: 16 }, (_, i) => ({
      trigger_type: 'on_jobs_ready',
      action_type: 'run_commands',
      jobs: ['last'],
      commands: [`${writes(`busy ${i}`)}; ${waits('go-on')}; ${writes(`free ${i}`)}`],
    }));
    const schedules = { action_type: 'schedule_nodes', scheduler: 'many' };
    const server = await sbatch.startServer();
    await sbatch.holdNext('before');
    const key = await site.start({
      name: 'killed',
      compute_node_wait_for_new_jobs_seconds: 1,
      jobs: [
        { name: 'first', command: waits('end-first'), scheduler: 'many' },
        { name: 'post', command: 'true', scheduler: 'one', depends_on: ['first'] },
        { name: 'last', command: waits('end-last'), scheduler: 'one', depends_on: ['post'] },
      ],
      // its workers do not come before they are let: they would tell the server which Slurm job they are
      slurm_schedulers: [
        { ...scheduler, name: 'many', extra: '--hold' },
        { ...scheduler, name: 'one' },
      ],
      actions: [
        { ...schedules, trigger_type: 'on_workflow_start', num_allocations: 2 },
        { ...schedules, trigger_type: 'on_jobs_ready', jobs: ['post'], scheduler: 'one' },
        { trigger_type: 'on_workflow_complete', action_type: 'run_commands', commands: [writes('end')] },
        ...occupying,
      ],
    });
    const expectAsked = async (action: number, numAllocations: number): Promise<AllocationRow[]> => {
      await until('its nodes are asked for', async () => (await actions(site, key))[action]?.state === 'done');
      const rows = await site.allocations(key);
      expect(rows).toHaveLength(numAllocations);
      expect(rows.map((row) => row.slurm_job_id).toSorted()).toEqual(await slurmJobs(rows));
      return rows;
    };

    // the start: killed before sbatch has asked for anything, and again before it has told what Slurm replied
    await sbatch.kill(server.pid, await sbatch.held(server));
    expect(await site.allocations(key)).toMatchObject([{ status: 'recorded', slurm_job_id: null }]);
    expect((await actions(site, key))[0]).toMatchObject({ state: 'claimed', num_firings: 1 });
    await sbatch.holdNext('after');
    const second = await sbatch.startServer();
    await sbatch.kill(second.pid, await sbatch.held(second));
    const unconfirmed = await site.allocations(key);
    expect(unconfirmed).toMatchObject([{ status: 'recorded', slurm_job_id: null }]);
    expect(await slurmJobs(unconfirmed)).toHaveLength(1);
    const third = await sbatch.startServer();
    for (const { slurm_job_id: id } of await expectAsked(0, 2)) await output(['scontrol', 'release', String(id)]);

    // the second stage: sbatch outlives the server, and Slurm gets the allocation while there is none
    await sbatch.holdNext('before');
    await site.write('end-first', '');
    const orphan = await sbatch.held(third);
    await sbatch.kill(third.pid);
    expect((await actions(site, key))[1]).toMatchObject({ state: 'claimed', num_firings: 1 });
    await site.write('bin/go', '');
    await until('sbatch has ended', async () => (await run(['kill', '-0', orphan])).exitCode !== 0);
    const fourth = await sbatch.startServer();
    await expectAsked(1, 3);

    // the end, when the server has its hands full
    const numBusy = async () => (await lines(site)).filter((line) => line.startsWith('busy ')).length;
    await until('the server is occupied', async () => (await numBusy()) === occupying.length);
    await site.write('end-last', '');
    expect(await site.ended(key)).toMatchObject({ status: 'done', num_done: 3 });
    await sbatch.kill(fourth.pid);
    expect((await actions(site, key))[2]).toMatchObject({ state: 'pending', num_firings: 1 });
    await sbatch.startServer();
    const areAllOver = async () => (await actions(site, key)).every(({ state }) => /^(done|failed)$/.test(state ?? ''));
    await until('all actions are over', areAllOver);
    const [, , end, ...interrupted] = await actions(site, key);
    expect(end).toMatchObject({ state: 'done', num_firings: 1 });
    for (const action of interrupted) {
      expect(action).toMatchObject({ state: 'failed', num_firings: 1, error: expect.stringMatching(/^interrupted: /) });
    }
    // commands that nobody waits for any more come to their end, and are not run again
    await site.write('go-on', '');
    const log = await until('the commands have ended', async () => {
      const written = await lines(site);
      return written.filter((line) => line.startsWith('free ')).length === occupying.length && written;
    });
    const words = occupying.flatMap((_, i) => [`busy ${i}`, `free ${i}`]);
    expect(log.toSorted()).toEqual([...words, 'end'].toSorted());
    await expectAsked(1, 3);
  });
});

/** Ids of all Slurm jobs that have the names of these allocations, however they ended: the queue forgets after five minutes. */
async function slurmJobs(rows: readonly AllocationRow[]): Promise<string[]> {
  const names = rows.map((row) => row.name).join(',');
  const queued = await slurm(['squeue', '--noheader', '--states=all', '--format=%i', `--name=${names}`]);
  const accounted = await slurm(['sacct', '-n', '-P', '-X', '-S', 'now-1hour', '-o', 'JobID', `--name=${names}`]);
  return [...new Set(`${queued}${accounted}`.split('\n').filter((id) => id !== ''))].toSorted();
}

/** A slow sbatch: the first one on the path of the servers that are started with it. */
async function heldSbatch(site: Site) {
  const bin = `${site.path}/bin`;
  const script = `#!/bin/bash
hold() { echo "$$ $PPID" > ${bin}/held; until [ -e ${bin}/go ]; do sleep 0.1; done; }
mode=$(cat ${bin}/next 2> /dev/null)
rm -f ${bin}/next
if [ "$mode" = before ]; then hold; fi
if [ "$mode" = after ]; then until [ -e ${bin}/started ]; do sleep 0.1; done; kill -STOP $PPID; fi
reply=$(/usr/bin/sbatch "$@")
code=$?
if [ "$mode" = after ]; then hold; fi
echo "$reply"
exit $code
`;
  await site.makeFolder('bin');
  await site.write('bin/sbatch', script);
  await output(['chmod', '+x', `${bin}/sbatch`]);
  return {
    async startServer(): Promise<{ pid: number }> {
      const start = 'PATH="$PWD/bin:$PATH" exec torc -F json server start --daemon';
      const started = JSON.parse((await site.command(['bash', '-c', start])).stdout) as { pid: number };
      await site.write('bin/started', '');
      return started;
    },
    /**
     * The next call waits for the file `go`, before it asks Slurm for anything or before it tells what Slurm replied. In that
     * case its server stands still as soon as it has started: else it would find the allocation in the queue a few seconds later.
     */
    async holdNext(when: 'before' | 'after'): Promise<void> {
      await output(['rm', '-f', `${bin}/started`]);
      await site.write('bin/next', when);
    },
    /** Waits until it is held by this server, and returns its process id. */
    async held(server: { pid: number }): Promise<string> {
      const look = async () => (await run(['cat', `${bin}/held`])).stdout.trim() || null;
      const [pid = '', parent] = (await until('sbatch is held', look)).split(' ');
      expect(parent).toBe(String(server.pid));
      await output(['rm', `${bin}/held`]);
      return pid;
    },
    kill: (...pids: (number | string)[]) => output(['kill', '-KILL', ...pids.map(String)]),
  };
}

describe.concurrent('torc exec --slurm --wait', () => {
  it('asks for what its jobs need, ends with the code of the run, and shows the output of what failed', async (context) => {
    const site = await siteFor(context, 'exec');
    const job =
      'echo "$TORC_TASK_ID on $SLURM_JOB_ID" >> log; echo "task $TORC_TASK_ID broke" >&2; exit $((TORC_TASK_ID == 3))';
    const needs = ['-j', '2', '--cpus', '1', '--memory', '100m', '--array', '1-6'];
    const words = ['exec', '-n', '2', '-p', 'main', '-t', '10', '-a', 'torc', ...needs, '--wait', '-c', job];
    const ran = await site.torc(words);
    expect(ran.exitCode).toBe(1);
    const [, ids = ''] = /submitted 2 allocations .*: Slurm jobs ([0-9 ]+)/.exec(ran.stderr) ?? [];
    expect(ran.stdout).toMatch(/5 succeeded, 1 failed/);
    expect(ran.stdout).toContain('task 3 broke');
    const ranOn = (await lines(site)).map((line) => line.split(' on '));
    expect(ranOn.map(([task]) => task).toSorted()).toEqual(['1', '2', '3', '4', '5', '6']);
    expect(ids.split(' ')).toEqual(expect.arrayContaining([...new Set(ranOn.map(([, id]) => id))]));
    await site.queueEmpty();
  });

  it('ends with 6 and the words of Slurm when it refuses, and the workflow can go on', async (context) => {
    const site = await siteFor(context, 'exec refused');
    const refused = await site.torc(['exec', '-p', 'nowhere', '-a', 'torc', '-t', '10', '--', 'touch', 'made']);
    expect(refused).toMatchObject({ exitCode: 6, stdout: '' });
    expect(refused.stderr).toMatch(/invalid partition.*Workflow 1 is stored and started/is);
    await site.say(['-k', '1', 'hpc', 'slurm', 'modify-config', '-p', 'main']);
    await site.schedule('1', '-n', '1');
    expect(await site.ended('1')).toMatchObject({ status: 'done', num_done: 1 });
    expect(await site.torc(['exec', '-t', '10', '--wait', '-a', 'torc', '--', 'test', '-e', 'made'])).toMatchObject({
      exitCode: 0,
    });
    await site.queueEmpty();
  });
});
