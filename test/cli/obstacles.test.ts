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

it('a runtime above the walltime is told when the workflow is made, started and scheduled, and of the job', async () => {
  const warning = '1 job may run for 5h 00m, but the longest allocation, of Slurm config "batch", lasts 20m 00s: torc ';
  const file = spec({ runtime: 'PT5H', walltime: '00:20:00' });
  for (const words of [
    ['create', file],
    ['start', '1', '--dry-run'],
    ['start', '1'],
  ]) {
    const said = await place.torc('workflows', ...words);
    expect(said).toMatchObject({ code: 0 });
    expect(said.stderr).toContain(warning);
    expect(said.stderr).toContain('modify-config 1 -w 05:34:00');
  }
  const scheduled = await place.torc(...schedule, '--dry-run');
  expect(scheduled.stderr).toContain('1 job may run for 5h 00m, but these allocations last 20m 00s');
  const { why } = await place.json<{ why: string }>(['jobs', 'show', '1']);
  expect(why).toContain('It may run for 5h 00m, but the longest allocation');
  const status = await place.torc('workflows', 'show-status', '1');
  expect(status.stdout).toContain('1 job may run for 5h 00m');

  await place.torc('hpc', 'slurm', 'modify-config', '1', '-w', '05:34:00');
  expect((await place.torc(...schedule, '--dry-run')).stderr).not.toContain('may run for');
});

it('warnings of commands with JSON output are JSON lines on stderr', async () => {
  const file = spec({ runtime: 'PT5H', walltime: '00:20:00' });
  for (const words of [
    ['workflows', 'create', file],
    ['workflows', 'start', '1'],
    [...schedule, '--dry-run'],
  ]) {
    const { code, stdout, stderr } = await place.torc('-F', 'json', ...words);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toBeTypeOf('object');
    const lines = stderr.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toContainEqual({
      warning: expect.stringContaining('1 job may run for 5h 00m, but'),
    });
  }
  const quiet = await place.torc('-F', 'json', '-c', 'error', ...schedule, '--dry-run');
  expect(quiet).toMatchObject({ code: 0, stderr: '' });
});

it('a walltime above the time limit of the partition is told when nodes are scheduled', async () => {
  await place.torc('workflows', 'create', spec({ walltime: '02:00:00' }));
  await place.torc('workflows', 'start', '1');
  slurm.behave({
    command: 'sinfo',
    stdout: 'short|up|30:00|4|2|2000|idle|(null)|n[1-4]\nmain*|up|1:00:00|4|2|2000|idle|(null)|n[1-4]\n',
  });
  const said = await place.torc(...schedule, '--dry-run');
  expect(said.stderr).toContain('partition main allows 1h 00m, but these allocations ask for 2h 00m');
  slurm.behave({
    command: 'sinfo',
    exitCode: 1,
    stderr: 'slurm_load_partitions: Unable to contact slurm controller\n',
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
