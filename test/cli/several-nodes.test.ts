/** Jobs of several nodes from specification to result, in an allocation of a fake Slurm and on one machine. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { torc } from '../support/torc.ts';
import { eachTestWithSlurm, type Place } from './place.ts';

let slurm: FakeSlurm;
let place: Place;
eachTestWithSlurm({ run: false }, (made) => {
  ({ place, slurm } = made);
});

const onEachNode = `srun --nodes=2 --ntasks-per-node=1 --nodelist="$TORC_NODE_LIST" sh -c 'echo "$SLURMD_NODENAME"'`;
const spec = JSON.stringify({
  name: 'several nodes',
  resource_requirements: [{ name: 'pair', num_cpus: 1, memory: '300m', num_nodes: 2 }],
  jobs: [
    {
      name: 'first',
      command: `${onEachNode} > first.txt; echo 5 > "$TORC_RESULT_FILE"`,
      resource_requirements: 'pair',
    },
    { name: 'second', command: `${onEachNode} > second.txt`, resource_requirements: 'pair' },
    { name: 'single', command: 'echo "$TORC_NUM_NODES $TORC_NODE_LIST" > single.txt' },
    { name: 'third', command: 'cp "$TORC_INPUTS_FILE" inputs.txt', depends_on: ['first'] },
  ],
});

async function started(numNodes: number, text = spec): Promise<string> {
  const { workflow_key: key } = await place.json<{ workflow_key: string }>([
    ...['workflows', 'create', place.file('spec.json', text)],
  ]);
  await place.torc('workflows', 'start', key);
  await place.json(['hpc', 'slurm', 'add-config', '-a', 'acc', '-w', '10', '-n', String(numNodes)]);
  return key;
}

const lines = (name: string) => readFileSync(join(place.path, name), 'utf8').trim().split('\n').sort();
const schedule = ['hpc', 'slurm', 'schedule-nodes', '-n', '1'];

describe('jobs of several nodes', () => {
  it('run on whole nodes of an allocation with one worker, next to other jobs', async () => {
    slurm.configure({ run: true });
    const key = await started(3);
    const { stderr } = await place.torc(...schedule);
    expect(stderr).not.toContain('ready jobs need');
    expect(stderr).toContain('2 jobs of one node run only on the first of the 3 nodes; for more at a time: ');
    const status = async () => (await place.json<{ status: string }>(['workflows', 'show', key])).status;
    await expect.poll(status, { interval: 300 }).toBe('done');
    expect([lines('first.txt'), lines('second.txt')]).toEqual(Array(2).fill(['fake2', 'fake3']));
    expect(lines('single.txt')).toEqual(['1 fake1']);
    expect(lines('inputs.txt')).toEqual(['{"args":[5],"by_name":{"first":5}}']);
    const { compute_nodes } = await place.json<{ compute_nodes: object[] }>(['compute-nodes', 'list']);
    expect(compute_nodes).toMatchObject([{ num_nodes: 3 }]);
    const folder = join(place.dir, 'slurm_stdio');
    const told = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    expect(told.join('')).toContain('jobs of one node run only on fake1, jobs of several nodes on all 3 nodes');
  });

  it('leave no node unused where there are none of them: each node has a worker then', async () => {
    slurm.configure({ run: true });
    const key = await started(
      2,
      JSON.stringify({ name: 'w', jobs: [{ name: 'a_{i}', command: 'true', parameters: { i: '1:2' } }] }),
    );
    const one = await place.torc(...schedule, '--dry-run', '--no-start-one-worker-per-node');
    expect(one.stdout).toContain('workers=first-node');
    expect(one.stderr).toContain('2 jobs of one node run only on the first of the 2 nodes');
    const { stdout, stderr } = await place.torc(...schedule, '--dry-run');
    expect(stdout).toContain('workers=every-node');
    expect(stderr).toContain('a worker starts on each of the 2 nodes, as with -S');
    expect(await place.json(schedule)).toMatchObject({ one_worker_per_node: true });
    const status = async () => (await place.json<{ status: string }>(['workflows', 'show', key])).status;
    await expect.poll(status, { interval: 300 }).toBe('done');
    expect(await place.json(['hpc', 'slurm', 'allocations'])).toMatchObject({
      allocations: [{ one_worker_per_node: true, num_nodes: 2 }],
    });
  });

  it('give a warning when scheduled allocations cannot run them', async () => {
    await started(1);
    await place.json(['resource-requirements', 'add', 'other', '--nodes', '3']);
    expect(await place.json(['resource-requirements', 'list', '-f', 'num_nodes=3'])).toMatchObject({
      resource_requirements: [{ name: 'other', num_cpus: 1 }],
    });
    const warning = 'ready jobs need 2 nodes, but these allocations have only 1: ';
    expect((await place.torc(...schedule, '--dry-run')).stderr).toContain(warning);
    const [command] = /hpc slurm modify-config .*/.exec((await place.torc(...schedule)).stderr) ?? [];
    await place.json(command?.split(' ') ?? []);
    expect((await place.torc(...schedule, '--dry-run')).stderr).not.toContain('ready jobs need');
    expect((await place.torc(...schedule, '--dry-run', '-S')).stderr).toContain('with -S each worker has only one');
  });

  it('are not for torc run: inside an allocation of several nodes it says that it uses one of them', async () => {
    const one = place.file('one.json', '{"name": "w", "jobs": [{"name": "a", "command": "true"}]}');
    const warning =
      'the allocation has 2 nodes, and jobs run only on this one; to use all of them, start a worker on each: ';
    const run = (env: Record<string, string>) =>
      torc(['--dir', place.dir, 'run', one], {
        cwd: place.path,
        env: { SLURM_JOB_ID: '7', SLURM_JOB_NUM_NODES: '2', ...env },
      });
    expect(await run({})).toMatchObject({ code: 0, stderr: expect.stringContaining(warning) });
    // srun has started one on each
    const onEach = await run({ SLURM_STEP_ID: '0', SLURM_STEP_NUM_NODES: '2' });
    expect(onEach.code).toBe(0);
    expect(onEach.stderr).not.toContain('nodes');
  });

  it('whose results name the Slurm job in which a person ran them, which is no allocation of torc', async () => {
    const inside = { SLURM_JOB_ID: '7', SLURM_CLUSTER_NAME: 'fake' };
    expect((await place.torcWith(inside, 'run', place.file('two.txt', 'true\n'))).code).toBe(0);
    const shown = { slurm_job_id: '7' };
    expect(await place.json(['results', 'list', '-f', 'slurm_job_id=7'])).toMatchObject({ results: [shown] });
    expect(await place.json(['jobs', 'list', '-f', 'slurm_job_id=7'])).toMatchObject({ jobs: [shown] });
    expect(await place.json(['compute-nodes', 'list'])).toMatchObject({
      compute_nodes: [{ ...shown, allocation_key: null, cluster: null, is_active: false }],
    });
  });

  it('run where SLURM_JOB_ID is something that a person made up', async () => {
    expect((await place.torcWith({ SLURM_JOB_ID: 'local' }, 'run', place.file('two.txt', 'true\n'))).code).toBe(0);
    expect(await place.json(['results', 'list'])).toMatchObject({ results: [{ slurm_job_id: null }] });
  });

  it('stay ready on one machine, with the reason', async () => {
    const ended = await place.torc('run', place.file('spec.json', spec));
    expect(ended).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('2 jobs need 2 nodes; no worker so far had more than 1 node: torc '),
    });
    const [command] = /jobs list .*/.exec(ended.stderr) ?? [];
    const { jobs } = await place.json<{ jobs: object[] }>(command?.split(' ') ?? []);
    expect(jobs).toMatchObject(Array(2).fill({ num_nodes: 2 }));
    expect((await place.torc('jobs', 'show', '1')).stdout).toContain(
      'needs 2 nodes; no worker so far had more than 1 node',
    );
  });
});
