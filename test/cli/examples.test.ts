/** Examples that show what happens around jobs, run by the program as their first lines say. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { eachTestWithSlurm, type Place } from './place.ts';

const folder = join(import.meta.dirname, '../../examples');

let slurm: FakeSlurm;
let place: Place;
eachTestWithSlurm({ run: true }, (made) => {
  ({ place, slurm } = made);
});

const run = (file: string) => place.json<object>(['run', join(folder, file, 'workflow.yaml'), '-o', 'out']);
const written = (...path: string[]): string => readFileSync(join(place.path, ...path), 'utf8');

it('failure-handlers fails a few times and recovers', async () => {
  expect(await run('failure-handlers')).toMatchObject({ status: 'done', num_done: 4, num_failed: 0 });
  const { results } = await place.json<{ results: { job_name: string; return_code: number }[] }>(['results', 'list']);
  const codesOf = (name: string) => results.filter((row) => row.job_name === name).map((row) => row.return_code);
  expect(codesOf('download')).toEqual([75, 75, 0]);
  expect(codesOf('solve')).toEqual([42, 42, 42, 0]);
  expect((await place.torc('jobs', 'logs', '3', '--attempt', '2')).stdout).toContain(
    'attempt 1 ended with 42\nno solution with step 2\n',
  );
  expect(written('failure_handlers/solution.txt')).toBe('3.000 with step 0.5\n');
});

it('actions runs its commands around the jobs', async () => {
  expect(await run('actions')).toMatchObject({ status: 'done', num_done: 3, num_failed_actions: 0 });
  expect(written('actions/log.txt').trimEnd().split('\n').toSorted()).toEqual([
    'run 1 of workflow 1 begins',
    'the squares add up to 434',
  ]);
  expect(written('actions/end.txt')).not.toBe('');
});

it('resource-monitor writes a time series', async () => {
  expect(await run('resource-monitor')).toMatchObject({ status: 'done', num_done: 1 });
  const series = join('out', 'resource_monitor', '0000');
  expect(readdirSync(join(place.path, series))).toEqual(['job_1_run_1_attempt_1.csv']);
  const [header, ...rows] = written(series, 'job_1_run_1_attempt_1.csv').trimEnd().split('\n');
  expect(header).toBe('seconds,memory_bytes,cpu_seconds');
  const memory = rows.map((row) => Number(row.split(',')[1]));
  expect(memory.at(-1)).toBeGreaterThan(memory[0] as number);
});

it('staged-slurm brings its own workers for each stage', async () => {
  const file = place.file('staged.yaml', readFileSync(join(folder, 'staged-slurm/workflow.yaml'), 'utf8'));
  const { workflow_key: key } = await place.json<{ workflow_key: string }>(['workflows', 'create', file]);
  expect(await place.torc('workflows', 'start', key)).toMatchObject({ code: 0 });
  const status = async () => (await place.json<{ status: string }>(['workflows', 'show', key])).status;
  await expect.poll(status, { interval: 500 }).toBe('done');
  expect(slurm.jobs().map(({ directives }) => directives.account)).toEqual(Array(3).fill('my_account'));
  expect(Number(written('staged_slurm/pi.txt'))).toBeCloseTo(Math.PI, 1);
});
