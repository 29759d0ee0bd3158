/** Pools: jobs with labels run on the workers that have them, in allocations of a fake Slurm and on this machine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eachTestWithSlurm, type Place } from './place.ts';

let place: Place;
eachTestWithSlurm({ run: true }, (made) => {
  ({ place } = made);
});

const stored = (spec: object): string => place.file('w.json', JSON.stringify(spec));

/** The labels of the worker that ran each job. */
async function poolsOfJobs(): Promise<Record<string, string>> {
  const { results } = await place.json<{ results: Record<string, string>[] }>(['results', 'list']);
  const { compute_nodes: nodes } = await place.json<{ compute_nodes: Record<string, string>[] }>([
    'compute-nodes',
    'list',
  ]);
  const labelsOf = new Map(nodes.map((node) => [node.compute_node_key, String(node.labels)]));
  return Object.fromEntries(results.map((row) => [row.job_name, labelsOf.get(row.compute_node_key) ?? '']));
}

it('a chain of jobs of three types runs on three pools, in order', async () => {
  const note = (name: string) => `echo ${name} >> order.txt`;
  const spec = stored({
    name: 'three pools',
    compute_node_wait_for_new_jobs_seconds: 600,
    slurm_schedulers: [
      { name: 'big', account: 'x', walltime: '00:10:00' },
      { name: 'h100', account: 'x', walltime: '00:10:00', labels: ['gpu'] },
    ],
    jobs: [
      { name: 'fetch', command: note('fetch'), labels: ['local'] },
      { name: 'train', command: note('train'), labels: ['gpu'], depends_on: ['fetch'] },
      { name: 'plot', command: note('plot'), labels: ['slurm', 'big'], depends_on: ['train'] },
    ],
  });
  await place.torc('workflows', 'create', spec);
  expect(await place.torc('workflows', 'start', '1')).toMatchObject({ code: 0, stderr: '' });
  const big = await place.torc('hpc', 'slurm', 'schedule-nodes', '-n', '1', '-s', '1');
  expect(big.stderr).toContain('1 waiting job for workers of Slurm config h100: torc ');
  const [command = ''] = /hpc slurm schedule-nodes -s 2 -n 1/.exec(big.stderr) ?? [];
  expect(await place.torc(...command.split(' '))).toMatchObject({ code: 0 });
  const listed = async () => {
    const filter = ['compute-nodes', 'list', '-f', 'is_active=true', '-f', 'labels=slurm'];
    return (await place.json<{ compute_nodes: { labels: string }[] }>(filter)).compute_nodes.map(
      ({ labels }) => labels,
    );
  };
  await expect
    .poll(async () => (await listed()).toSorted(), { interval: 200 })
    .toEqual(['big,fake,slurm', 'fake,gpu,h100,slurm']);
  // both wait, and neither takes what is for a local worker
  expect(await place.json(['jobs', 'show', '1'])).toMatchObject({
    job: { status: 'ready', labels: 'local' },
    why: 'No worker has the label "local".',
  });
  expect((await place.torc('jobs', 'show', '1')).stdout).toMatch(/: +torc .*jobs run 1$/m);

  expect(await place.torc('jobs', 'run', '1')).toMatchObject({ code: 0 });
  expect(readFileSync(join(place.path, 'order.txt'), 'utf8')).toBe('fetch\ntrain\nplot\n');
  expect(await poolsOfJobs()).toEqual({ fetch: 'local', train: 'fake,gpu,h100,slurm', plot: 'big,fake,slurm' });
});

it('jobs whose labels no worker has are left with the command that runs them, and move to other pools', async () => {
  const jobs = ['a', 'b', 'c', 'd'].map((name) => ({
    name,
    command: 'true',
    ...(name === 'a' ? {} : { labels: ['x', 'y'] }),
  }));
  const run = await place.torc('run', stored({ name: 'w', compute_node_wait_for_new_jobs_seconds: 1, jobs }));
  expect(run.code).toBe(1);
  expect(run.stderr).toMatch(/^3 jobs need a worker with the labels "x", "y": torc .*jobs run 1 --label x --label y$/m);

  const moved = await place.json<{ jobs: object[] }>(['jobs', 'modify', '2', '3', '1', '--labels', 'site-b']);
  expect(moved.jobs).toEqual([
    { job_key: '2', job_name: 'b', changes: [{ field: 'labels', old_value: 'x,y', new_value: 'site-b' }] },
    { job_key: '3', job_name: 'c', changes: [{ field: 'labels', old_value: 'x,y', new_value: 'site-b' }] },
    { job_key: '1', job_name: 'a', changes: [{ field: 'labels', old_value: null, new_value: 'site-b' }] },
  ]);
  const again = await place.torc('jobs', 'modify', '3', '4', '--labels', 'z', '--dry-run');
  expect(again.stdout).toMatch(/^4 +d +labels +x,y +z$/m);
  expect(again.stdout).toContain('dry run: 2 jobs would be changed');
  expect((await place.torc('jobs', 'modify', '3', '--labels', '')).stdout).toMatch(/^labels +site-b +-$/m);
  const unknown = await place.torc('jobs', 'modify', '3', '--limits', 'matlab', '--dry-run');
  expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('job "c" names the limit "matlab"') });
  const table = await place.torc('jobs', 'list', '-f', 'status=ready', '--columns', 'labels,name');
  expect(table.stdout).toMatch(/^labels +name\nsite-b +b\n- +c\nx,y +d\n$/);

  // it takes neither the job without labels nor the one with others
  expect((await place.torc('jobs', 'run', '1', '--label', 'site-b')).stdout).toContain('2');
  const left = await place.json<{ jobs: { name: string }[] }>(['jobs', 'list', '-f', 'status=ready']);
  expect(left.jobs.map(({ name }) => name)).toEqual(['c', 'd']);
  expect(await place.torc('jobs', 'run', '1', '--label', 'x,y', '--also-unlabelled')).toMatchObject({ code: 0 });
  expect(await poolsOfJobs()).toEqual({ a: 'local', b: 'local,site-b', c: 'local,x,y', d: 'local,x,y' });
});

it('Slurm configs have labels for their workers, and commands warn of jobs that none of them has', async () => {
  const spec = {
    name: 'w',
    jobs: [
      { name: 'a', command: 'true', labels: ['gpu', 'fast'] },
      { name: 'b', command: 'true' },
    ],
  };
  await place.torc('workflows', 'create', stored(spec));
  const config = ['hpc', 'slurm', 'add-config', '-a', 'x'];
  expect(await place.json([...config, '--label', 'gpu', '--label', 'big'])).toMatchObject({ labels: ['gpu', 'big'] });
  const started = await place.torc('workflows', 'start', '1');
  expect(started.stderr).toMatch(
    /^1 waiting job with labels that no Slurm config gives its workers, "fast", "gpu"; default lacks "fast": torc /m,
  );
  expect(started.stderr).toMatch(
    /^1 waiting job without labels, while the workers of every Slurm config take only jobs with labels: torc /m,
  );
  await place.json(['hpc', 'slurm', 'modify-config', '--label', 'gpu,fast', '--also-unlabelled']);
  expect(await place.json(['hpc', 'slurm', 'list-configs', '-f', 'labels=fast'])).toMatchObject({
    slurm_configs: [{ labels: 'fast,gpu', also_unlabelled: true }],
  });
  expect((await place.torc('hpc', 'slurm', 'schedule-nodes', '-n', '1', '--dry-run')).stderr).not.toContain(
    'waiting job',
  );
  await place.json(['hpc', 'slurm', 'modify-config', '--label', '', '--also-unlabelled', 'false']);
  expect(await place.json(['hpc', 'slurm', 'list-configs'])).toMatchObject({
    slurm_configs: [{ labels: null, also_unlabelled: false }],
  });
  for (const [label, message] of [
    ['slurm', 'every worker has the label "local" or "slurm" by itself: "slurm" cannot be given'],
    ['a b', '"a b" is not a label'],
    ['gpu,,fast', 'a label is empty'],
  ] as const) {
    const refused = await place.torc('jobs', 'run', '1', '--label', label);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
  }
});
