/** Identity and resume with the built program, by the words of the rows S1 to S4, S6, S15, S39 and S40. */
import { existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newPlace, type Place } from './place.ts';

let place: Place;
beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

interface Job {
  name: string;
  command: string;
  [key: string]: unknown;
}

/** Each job writes its name when it starts; b needs a file to succeed. */
const jobs: readonly Job[] = [
  { name: 'a', command: 'echo a >> ran' },
  { name: 'b', command: 'echo b >> ran; test -e fixed' },
  { name: 'c', command: 'echo c >> ran', depends_on: ['b'] },
];

const spec = (list: readonly Job[] = jobs, more: object = {}): string =>
  place.file('spec.json', JSON.stringify({ name: 'p', args: 'v1', jobs: list, ...more }));
const run = (...args: string[]) => place.torc('run', 'spec.json', '-o', 'out', ...args);
const ran = (): string => readFileSync(join(place.path, 'ran'), 'utf8').trim().split('\n').sort().join('');
const workflows = async () =>
  (await place.json<{ workflows: Record<string, unknown>[] }>(['workflows', 'list'])).workflows;
const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 20));
};

it('the same args are the same workflow, other args are fresh, and what is done stays done', async () => {
  spec();
  const failed = await place.torc('-F', 'json', 'run', 'spec.json', '-o', 'out');
  expect([failed.code, JSON.parse(failed.stdout)]).toEqual([
    1,
    expect.objectContaining({
      ...{ workflow_key: '1', status: 'failed', num_jobs: 3, num_done: 2, num_failed: 1, num_canceled: 1 },
      elapsed_seconds: expect.any(Number),
      failed_jobs: [expect.objectContaining({ job_key: '2', job_name: 'b', return_code: 1 })],
    }),
  ]);
  const refused = await run();
  expect([refused.code, refused.stderr]).toEqual([
    4,
    expect.stringMatching(/workflow 1 .*status is failed\nhint: --resume/),
  ]);
  // another job: refused with the difference, and nothing is written
  spec([...jobs, { name: 'd', command: 'true' }]);
  const other = await run('--resume');
  expect([other.code, other.stderr]).toEqual([
    4,
    expect.stringContaining('1 added, 0 removed, 0 changed\n  added: "d"'),
  ]);
  // a change of how a job is carried out is taken over and told
  spec(jobs.map((job) => ({ ...job, priority: job.name === 'b' ? 7 : 0 })));
  const planned = await place.json<Record<string, unknown>>(['run', 'spec.json', '--resume', '--dry-run']);
  expect(planned).toMatchObject({ dry_run: true, run_id: 2, num_changes: 2, taken_over: { num_jobs: 1 } });
  expect(await workflows()).toMatchObject([{ run_id: 1, status: 'failed' }]);
  place.file('fixed', '');
  const resumed = await run('--resume');
  expect(resumed).toMatchObject({ code: 0, stderr: expect.stringContaining('priority of 1 job') });
  expect(await workflows()).toMatchObject([{ workflow_key: '1', run_id: 2, status: 'done' }]);
  expect(ran()).toBe('abbc');
  // done: no job starts
  const complete = await place.torc('-F', 'json', 'run', 'spec.json', '--resume');
  expect([complete.code, complete.stdout, JSON.parse(complete.stderr)]).toMatchObject([
    7,
    '',
    { error: { code: 'already_complete', message: expect.stringContaining('already complete: 3 jobs done') } },
  ]);
  expect(ran()).toBe('abbc');
  // other args: everything runs again
  expect(await run('--args', 'v2')).toMatchObject({ code: 0 });
  expect(ran()).toBe('aabbbcc');
  expect(await workflows()).toMatchObject([{ args: 'v1' }, { workflow_key: '2', args: 'v2', run_id: 1 }]);
});

it('a change of verbosity alone is still resumable, and is used', async () => {
  const templates = [{ name: 't', command: 'echo {loc}{v} >> ran; test -e fixed', key_args: ['loc'], op_args: ['v'] }];
  const withArgs = (args: object) => spec([{ name: 'a', template: 't', args } as unknown as Job], { templates });
  withArgs({ loc: 'us', v: 1 });
  expect((await run()).code).toBe(1);
  place.file('fixed', '');
  withArgs({ loc: 'de', v: 1 });
  expect(await run('--resume')).toMatchObject({ code: 4, stderr: expect.stringContaining('"a" (command)') });
  withArgs({ loc: 'us', v: 2 });
  expect(await run('--resume')).toMatchObject({ code: 0, stderr: expect.stringContaining('command of 1 job') });
  expect(ran()).toBe('us1us2');
});

it('two creators at the same time: one wins, the other is refused', async () => {
  spec();
  const both = await Promise.all(
    ['v3', 'v3'].map((args) => place.torc('workflows', 'create', 'spec.json', '--args', args)),
  );
  expect(both.map(({ code }) => code).sort()).toEqual([0, 4]);
  expect(await workflows()).toHaveLength(1);
  const usage = await place.torc('workflows', 'create', place.file('none.json', '{"name":"n","jobs":[]}'), '--resume');
  expect(usage).toMatchObject({ code: 2, stderr: expect.stringContaining('--args') });
});

/** One job that runs until there is a file, and another that fails at once. */
async function running(): Promise<{ pid: string; ended: Promise<{ code: number | null }> }> {
  const long = 'echo $$ >> pids; exec 9>alive.$$; until test -e go; do sleep 0.05; done';
  spec([
    { name: 'long', command: long },
    { name: 'bad', command: 'echo bad >> ran; test -e fixed' },
  ]);
  const { ended } = place.start('run', 'spec.json', '-o', 'out', '-m', '2');
  await until(() => existsSync(join(place.path, 'pids')) && existsSync(join(place.path, 'ran')));
  const failed = async () => (await place.json<{ jobs: { status: string }[] }>(['jobs', 'list', '--failed'])).jobs;
  while ((await failed()).length === 0);
  return { pid: pids()[0] ?? '', ended };
}

const pids = (): string[] => readFileSync(join(place.path, 'pids'), 'utf8').trim().split('\n');

it('hot: the running pid stays the same and runs once', async () => {
  const { ended } = await running();
  const refused = await run('--resume');
  expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining('--keep-running lets them continue')]);
  place.file('fixed', '');
  const hot = run('--resume', '--keep-running');
  await until(() => readFileSync(join(place.path, 'ran'), 'utf8') === 'bad\nbad\n');
  expect(pids()).toHaveLength(1);
  place.file('go', '');
  expect((await hot).code).toBe(0);
  await ended;
  expect(pids()).toHaveLength(1);
  expect(await workflows()).toMatchObject([{ run_id: 2, status: 'done', num_done: 2 }]);
});

it('cold: the old pid is gone before the new one starts', async () => {
  const { pid } = await running();
  place.file('fixed', '');
  const cold = run('--resume', '--stop-running', '--resume-timeout', '60');
  await until(() => pids().length === 2);
  expect(() => process.kill(Number(pid), 0)).toThrow('ESRCH');
  place.file('go', '');
  expect((await cold).code).toBe(0);
  expect(await workflows()).toMatchObject([{ run_id: 2, status: 'done', num_done: 2 }]);
});

it('S40: a resume of jobs whose worker is silent times out and names them; with --force-cleanup it goes on', async () => {
  spec([{ name: 'long', command: 'echo $$ >> pids; until test -e go; do sleep 0.05; done' }]);
  await place.torc('workflows', 'create', 'spec.json');
  await place.torc('workflows', 'start', '1');
  await place.torc('server', 'start', '--daemon');
  const worker = place.start('jobs', 'run', '1', '--worker', '-o', 'out');
  await until(() => existsSync(join(place.path, 'pids')) && pids().length === 1);
  // what only the person knows: nothing of it runs any more
  worker.child.kill('SIGSTOP');
  process.kill(Number(pids()[0]), 'SIGKILL');
  const cold = ['--resume', '--stop-running', '--resume-timeout', '0'];
  const stuck = await run(...cold);
  expect(stuck).toMatchObject({ code: 8, stderr: expect.stringContaining('1 job did not stop within 0 s: 1 (long)') });
  expect(stuck.stderr).toMatch(/run spec\.json --resume --stop-running --force-cleanup$/m);
  await place.torc('server', 'stop');
  letPass(46);
  place.file('go', '');
  const forced = await run(...cold, '--force-cleanup');
  expect(forced).toMatchObject({ code: 0, stderr: expect.stringContaining('treated 1 job of silent workers as dead') });
  expect(pids()).toHaveLength(2);
  expect(await workflows()).toMatchObject([{ run_id: 2, status: 'done', num_done: 1 }]);
  const { events } = await place.json<{ events: object[] }>(['events', 'list', '-f', 'type=jobs_given_up']);
  const jobs = [{ job_name: 'long', attempt_id: 1 }];
  expect(events).toMatchObject([{ who: userInfo().username, data: { num_jobs: 1, jobs } }]);
});

/** Workers were heard from longer ago; no server may be running. */
function letPass(seconds: number): void {
  const db = new Sqlite(join(place.dir, 'torc.db'));
  db.prepare('UPDATE compute_nodes SET last_heartbeat_at = last_heartbeat_at - ?').run(seconds * 1000);
  db.close();
}
