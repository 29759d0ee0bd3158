/** Jobs that never run however long they wait: every command that sees them says why. */
import { expect, it } from 'vitest';
import type { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { eachTestWithSlurm, type Place } from './place.ts';

let slurm: FakeSlurm;
let place: Place;
eachTestWithSlurm({ run: true }, (made) => {
  ({ place, slurm } = made);
});

interface Spec {
  runtime?: string;
  cpus?: number;
  walltime?: string;
}

/** A file with a job that asks for this. */
function spec({ runtime, cpus = 1, walltime }: Spec): string {
  const needs = { name: 'needs', num_cpus: cpus, memory: '1m', ...(runtime === undefined ? {} : { runtime }) };
  return place.file(
    'w.json',
    JSON.stringify({
      name: 'w',
      jobs: [{ name: 'a', command: 'true', resource_requirements: 'needs' }],
      resource_requirements: [needs],
      ...(walltime === undefined ? {} : { slurm_schedulers: [{ name: 'batch', account: 'x', walltime }] }),
    }),
  );
}

const schedule = ['hpc', 'slurm', 'schedule-nodes', '-n', '1'] as const;

it('a runtime above the walltime is told when the workflow is made and started, and of the job; no node is asked for', async () => {
  const file = spec({ runtime: 'PT5H', walltime: '00:20:00' });
  const made = await place.torc('workflows', 'create', file);
  const clause = 'it may run for 5h 00m, and allocations of Slurm config "batch" last 20m 00s';
  expect(made.stderr).toContain(`w.json:1:21: job a cannot run in any allocation: ${clause}: torc --dir `);
  expect(made.stderr).toContain(' -k 1 hpc slurm modify-config batch -w 05:34:00\n');
  const warning = '1 job may run for 5h 00m, but the longest allocation, of Slurm config "batch", lasts 20m 00s: torc ';
  for (const words of [
    ['start', '1', '--dry-run'],
    ['start', '1'],
  ]) {
    const said = await place.torc('workflows', ...words);
    expect(said).toMatchObject({ code: 0 });
    expect(said.stderr).toContain(warning);
    expect(said.stderr).toContain('modify-config 1 -w 05:34:00');
  }
  for (const words of [schedule, [...schedule, '--dry-run']]) {
    const { code, stdout, stderr } = await place.torc(...words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(`the waiting job cannot run in these allocations: ${clause}`);
    expect(stderr).toContain(' hpc slurm modify-config 1 -w 05:34:00. Nothing was submitted; --force does it anyway');
  }
  expect(slurm.jobs()).toEqual([]);
  const scheduled = await place.torc(...schedule, '--dry-run', '--force');
  expect(scheduled.code).toBe(0);
  expect(scheduled.stderr).toContain('1 job may run for 5h 00m, but these allocations last 20m 00s');
  const { why } = await place.json<{ why: string }>(['jobs', 'show', '1']);
  expect(why).toContain('It may run for 5h 00m, but the longest allocation');
  const status = await place.torc('workflows', 'show-status', '1');
  expect(status.stdout).toContain('1 job may run for 5h 00m');

  await place.torc('hpc', 'slurm', 'modify-config', '1', '-w', '05:34:00');
  expect((await place.torc(...schedule, '--dry-run')).stderr).not.toContain('may run for');
});

it('a job larger than every node of the partition is refused by submit with its line, before anything is stored', async () => {
  const file = spec({ cpus: 64, walltime: '01:00:00' });
  const submit = ['submit', file, '-n', '1'];
  for (const words of [submit, [...submit, '--dry-run'], ['submit', file, '--autoscale']]) {
    const { code, stdout, stderr } = await place.torc(...words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(
      'w.json:1:21: job a cannot run in any allocation: it asks for 64 CPUs, and the most there is 2 CPUs (Slurm config "batch")',
    );
    expect(stderr).toContain(' hpc slurm site show shows what there is. Nothing was stored or submitted');
  }
  expect(await place.json(['workflows', 'list'])).toEqual({ workflows: [] });
  // by the profile that is stored now
  expect((await place.torc('workflows', 'create', file)).stderr).toContain('w.json:1:21: job a cannot run');
  expect((await place.torc('workflows', 'create', file, '--dry-run')).stderr).toContain(
    'w.json:1:21: job a cannot run',
  );
  expect((await place.torc('workflows', 'create', spec({ cpus: 64 }))).stderr).toContain(
    'it asks for 64 CPUs, and the most there is 2 CPUs on cluster fake: torc --dir ',
  );
  expect(await place.torc(...submit, '--force')).toMatchObject({ code: 0 });
  expect(slurm.jobs()).toHaveLength(1);
});

it('allocations that can run some of the jobs are submitted, with a warning about the others', async () => {
  const jobs = [
    { name: 'small', command: 'true', resource_requirements: 'small' },
    { name: 'large', command: 'true', resource_requirements: 'large' },
  ];
  const needs = [
    { name: 'small', num_cpus: 1, memory: '1m' },
    { name: 'large', num_cpus: 1, memory: '3g' },
  ];
  const slurm_schedulers = [{ name: 'batch', account: 'x', mem: '1g' }];
  const file = place.file(
    'w.json',
    JSON.stringify({ name: 'w', jobs, resource_requirements: needs, slurm_schedulers }),
  );
  await place.torc('workflows', 'create', file);
  await place.torc('workflows', 'start', '1');
  const said = await place.torc(...schedule, '--dry-run');
  expect(said.code).toBe(0);
  const clause = 'it asks for 3G of memory, and the most there is 1G of memory (Slurm config "batch")';
  expect(said.stderr).toContain(`1 job cannot run in these allocations: ${clause}: torc --dir `);
});

it('warnings of commands with JSON output are JSON lines on stderr', async () => {
  const file = spec({ runtime: 'PT5H', walltime: '00:20:00' });
  for (const words of [
    ['workflows', 'create', file],
    ['workflows', 'start', '1'],
    [...schedule, '--dry-run', '--force'],
  ]) {
    const { code, stdout, stderr } = await place.torc('-F', 'json', ...words);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toBeTypeOf('object');
    const lines = stderr.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toContainEqual({
      warning: expect.stringContaining('may run for 5h 00m, '),
    });
  }
  const quiet = await place.torc('-F', 'json', '-c', 'error', ...schedule, '--dry-run', '--force');
  expect(quiet).toMatchObject({ code: 0, stderr: '' });
});

it('a walltime above the time limit of the partition is told when nodes are scheduled', async () => {
  slurm.configure({ run: true, maxTime: '1:00:00' });
  await place.torc('workflows', 'create', spec({ walltime: '02:00:00' }));
  await place.torc('workflows', 'start', '1');
  const said = await place.torc(...schedule, '--dry-run');
  expect(said.stderr).toContain('partition main allows 1h 00m, but these allocations ask for 2h 00m');
});

it('without an answer of Slurm about its partitions nodes are scheduled without these checks', async () => {
  await place.torc('workflows', 'create', spec({ walltime: '02:00:00', cpus: 64 }));
  await place.torc('workflows', 'start', '1');
  slurm.behave({
    command: 'scontrol',
    exitCode: 1,
    stderr: 'slurm_load_ctl_conf error: Unable to contact slurm controller (connect failure)\n',
  });
  expect(await place.torc(...schedule, '--dry-run')).toMatchObject({ code: 0, stderr: '' });
});

it('a runtime equal to the walltime runs in a fresh allocation', async () => {
  await place.torc('workflows', 'create', spec({ runtime: 'PT10M', walltime: '00:10:00' }));
  expect(await place.torc('workflows', 'start', '1')).toMatchObject({ code: 0, stderr: '' });
  const said = await place.torc(...schedule);
  expect(said.stderr).not.toContain('may run for');
  await expect.poll(async () => (await place.json<{ status: string }>(['workflows', 'show', '1'])).status).toBe('done');
});

it('a job that is larger than every worker is told at the end of a run and wherever the workflow is shown', async () => {
  const text = '1 job needs 6400 CPUs; no worker so far had more than';
  const run = await place.torc('run', spec({ cpus: 6400 }));
  expect(run.code).toBe(1);
  expect(run.stderr).toContain(text);
  expect((await place.torc('workflows', 'show-status', '1')).stdout).toContain(text);
  expect(await place.json(['workflows', 'show-status', '1'])).toMatchObject({
    obstacles: [{ num_jobs: 1, reason: { code: 'larger_than_any_worker', needed: { num_cpus: 6400 } } }],
  });
  const { why } = await place.json<{ why: string }>(['jobs', 'show', '1']);
  expect(why).toContain('It needs 6400 CPUs; no worker so far had more than');
});
