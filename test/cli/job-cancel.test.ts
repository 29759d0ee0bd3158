/** Cancels: of a running job, with a real worker and a real process; of several, some of which have ended. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newPlace, type Place } from './place.ts';

let place: Place;
beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}

it('ends the process of that job alone; a restart runs it again', async () => {
  const jobs = [
    { name: 'long', command: 'test -e again && exit 0; echo $$ > pid.new; mv pid.new pid; exec sleep 600' },
    { name: 'behind', command: 'true', depends_on: ['long'] },
    { name: 'other', command: 'until test -e go; do sleep 0.1; done' },
  ];
  const run = place.start('run', place.file('w.json', JSON.stringify({ name: 'w', jobs })), '-m', '2');
  await expect.poll(() => existsSync(join(place.path, 'pid'))).toBe(true);
  const pid = Number(readFileSync(join(place.path, 'pid'), 'utf8'));
  const planned = await place.json<object>(['jobs', 'cancel', '1', '--dry-run']);
  expect(planned).toMatchObject({ num_stopping: 1, changes: [{ job_name: 'long', old_status: 'submitted' }] });
  expect(isRunning(pid)).toBe(true);
  expect(await place.json(['jobs', 'cancel', '1'])).toMatchObject({ num_stopping: 1, dry_run: false });
  await expect.poll(() => isRunning(pid)).toBe(false);
  place.file('go', '');
  expect((await run.ended).code).toBe(1);
  const statuses = async () =>
    (await place.json<{ jobs: { status: string }[] }>(['jobs', 'list'])).jobs.map(({ status }) => status).join(' ');
  expect(await statuses()).toBe('canceled canceled done');
  place.file('again', '');
  await place.torc('workflows', 'restart', '1');
  expect((await place.torc('jobs', 'run', '1')).code).toBe(0);
  expect(await statuses()).toBe('done done done');
});

it('of several jobs, and of several workflows, leaves out those that have ended and says so', async () => {
  const jobs = [
    { name: 'quick', command: 'true' },
    { name: 'held', command: 'true', hold: true },
  ];
  const spec = place.file('w.json', JSON.stringify({ name: 'w', jobs }));
  for (const key of ['1', '2']) {
    expect(await place.torc('workflows', 'create', spec)).toMatchObject({ code: 0 });
    expect(await place.torc('workflows', 'start', key)).toMatchObject({ code: 0 });
  }
  expect(await place.torc('jobs', 'mark-done', '1')).toMatchObject({ code: 0 });
  const all = await place.torc('jobs', 'hold', '1');
  expect(all).toMatchObject({ code: 4, stderr: expect.stringContaining('quick (job 1) is done') });
  const some = await place.torc('jobs', 'cancel', '1', '2');
  expect(some).toMatchObject({ code: 0, stderr: '' });
  expect(some.stdout.replaceAll(/ +/g, ' ')).toMatch(
    /2 blocked canceled held selected\n\nunchanged:\njob_key status job_name reason\n1 done quick it has ended\n\ncanceled 1 job of workflow 1\n$/,
  );
  const workflows = await place.torc('cancel', '1-2');
  expect(workflows).toMatchObject({ code: 0, stderr: '' });
  expect(workflows.stdout).toMatch(
    /^canceled workflow 2: .*\nworkflow 1 is unchanged: run 1 of workflow 1 has ended \(failed\): there is nothing to cancel\n$/,
  );
  const again = await place.torc('cancel', '1', '2');
  expect(again).toMatchObject({
    code: 4,
    stderr: expect.stringMatching(/workflow 1 has ended .*; run 1 of workflow 2 has ended/),
  });
});
