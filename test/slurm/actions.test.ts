/** Actions on a real cluster: nodes for each stage when it is ready, commands on the nodes, a server that is killed. */
import { beforeAll, describe, expect, it } from 'vitest';
import { output, requireCluster, run, until } from './cluster.ts';
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

async function allocations(site: Site, key: string): Promise<AllocationRow[]> {
  const all = ['-k', key, 'hpc', 'slurm', 'allocations'];
  return (await site.json<{ allocations: AllocationRow[] }>(all)).allocations;
}

async function lines(site: Site): Promise<string[]> {
  return (await site.read('log')).trim().split('\n');
}

const writes = (words: string): string => `echo "${words}" >> log`;
const scheduler = { name: 'small', account: 'torc', walltime: '00:05:00', mem: '500M' };

describe.concurrent('actions', () => {
  it('ask for the nodes of each stage when it is ready, and run their commands on the nodes', async (context) => {
    const site = await siteFor(context, 'stages');
    const key = await site.start({
      name: 'stages',
      compute_node_wait_for_new_jobs_seconds: 1,
      jobs: [
        ...['a', 'b'].map((name) => ({ name, command: writes(`${name} $SLURM_JOB_ID`) })),
        { name: 'post', command: `sleep 5; ${writes('post $SLURM_JOB_ID')}`, depends_on: ['a', 'b'] },
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
      const rows = await allocations(site, key);
      return all.every(({ state }) => state === 'done') && rows.every(({ status }) => status === 'ended');
    };
    await until('all actions are through and all workers gone', isThrough, 120);
    const [start, ready] = await actions(site, key);
    expect([start, ready]).toMatchObject([{ num_firings: 1 }, { num_firings: 1 }]);
    const asked = [start, ready].flatMap((action) => action?.firings[0]?.result?.slurm_job_ids ?? []);
    const submitted = await allocations(site, key);
    expect(submitted.map((row) => row.slurm_job_id).toSorted()).toEqual(asked.toSorted());
    expect(submitted).toHaveLength(2);
    const log = await lines(site);
    expect(log.filter((line) => line === 'end')).toHaveLength(1);
    const greeted = log.filter((line) => line.startsWith('hello ')).map((line) => line.slice('hello '.length));
    expect(greeted.every((id) => asked.includes(id))).toBe(true);
    expect(new Set(greeted).size).toBe(greeted.length);
    for (const id of greeted) {
      const here = log.filter((line) => line.endsWith(` ${id}`)).map((line) => line.split(' ')[0]);
      expect([here[0], here.at(-1)]).toEqual(['hello', 'bye']);
    }
  });

  it('ask for their nodes once, although the server is killed in between', async (context) => {
    const site = await siteFor(context, 'killed');
    const server = await site.startServer();
    const key = await site.start({
      name: 'killed',
      jobs: [{ name: 'a', command: 'true' }],
      slurm_schedulers: [scheduler],
      actions: [
        { trigger_type: 'on_workflow_start', action_type: 'schedule_nodes', scheduler: 'small', num_allocations: 5 },
      ],
    });
    await run(['kill', '-KILL', String(server.pid)], { node: 'ctl' });
    await site.startServer();
    const isDone = async () => (await actions(site, key))[0]?.state === 'done';
    await until('the action is done', isDone, 120);
    const rows = await allocations(site, key);
    expect(rows).toHaveLength(5);
    const names = rows.map((row) => row.name).join(',');
    const known = await output(['squeue', '--noheader', '--states=all', '--format=%i', `--name=${names}`]);
    const ids = known.split('\n').filter((id) => id !== '');
    expect(ids.toSorted()).toEqual(rows.map((row) => row.slurm_job_id).toSorted());
    await site.ended(key);
  });
});
