/** `torc dash` as a program: the link, what its page gets, what it does not, and its end. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { DashAnswers } from '../../src/api/dash.ts';
import { newPlace, type Place } from './place.ts';

let place: Place;
beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

interface Dash {
  child: ReturnType<Place['start']>;
  url: string;
  /** Asks as the page does. */
  call(name: string, request: object): Promise<{ status: number; value: unknown }>;
  get(path: string): Promise<Response>;
}

async function dashboard(...words: string[]): Promise<Dash> {
  const child = place.start('-F', 'json', 'dash', ...words);
  await expect.poll(child.stdout).toContain('\n');
  const { url } = JSON.parse(child.stdout()) as { url: string };
  const login = await fetch(url);
  expect(login.status).toBe(200);
  // else a browser asks for an icon of the whole host
  expect(await login.text()).toContain('<link rel="icon" href="data:,">');
  const cookie = String(login.headers.get('set-cookie')?.split(';')[0]);
  const { origin, pathname } = new URL(url);
  const base = `${origin}/${pathname.split('/')[1]}/`;
  return {
    child,
    url,
    get: (path) => fetch(`${base}${path}`, { headers: { cookie } }),
    async call(name, request) {
      const headers = { cookie, origin, 'content-type': 'application/json' };
      const answer = await fetch(`${base}v1/${name}`, { method: 'POST', headers, body: JSON.stringify(request) });
      return { status: answer.status, value: await answer.json() };
    },
  };
}

async function stop({ child }: Dash): Promise<void> {
  child.child.kill('SIGINT');
  expect(await child.ended).toMatchObject({ code: 0, stderr: '' });
}

it('shows workflows, jobs and logs by its own database, and serves others meanwhile', async () => {
  await place.create("printf 'caf\\303\\251 out\\n'; echo bad >&2; exit 3", 'true');
  await place.torc('workflows', 'start', '1');
  expect(await place.torc('jobs', 'run', '1')).toMatchObject({ code: 1 });
  const dash = await dashboard('1');
  const page = await dash.get('');
  expect(page.status).toBe(200);
  expect(await page.text()).toContain('<script type="module" src="page.js">');
  expect((await dash.get('page.js')).headers.get('content-type')).toContain('text/javascript');

  const { value } = await dash.call('workflow_page', { workflow_key: '1' });
  const { page: status, failures, next } = value as DashAnswers['workflow_page']['reply'];
  expect(status.workflow).toMatchObject({ workflow_key: '1', status: 'failed', num_failed: 1 });
  expect(failures).toMatchObject([
    { num_jobs: 1, how: 'failed with return code 3 (exit_code)', shown: [{ job_key: '1', stderr_tail: ['bad'] }] },
  ]);
  expect(next).toEqual([expect.stringMatching(/ rerun-failed 1 --dry-run$/)]);
  expect((await dash.call('job_page', { job_key: '1' })).value).toMatchObject({
    shown: { job: { name: 'job_1', outcome: 'failed' }, attempts: [{ return_code: 3 }] },
    reasons: [{ text: expect.stringContaining('3') }],
  });
  const log = { job_key: '1', run_id: 1, attempt_id: 1, stream: 'stdout', offset: null };
  expect((await dash.call('log', log)).value).toEqual({
    ...{ text: 'café out\n', offset: 0, next_offset: 10, has_ended: true, missing: null },
  });
  // an offset in the middle of the file goes on from there
  expect((await dash.call('log', { ...log, offset: 6 })).value).toMatchObject({ text: 'out\n', next_offset: 10 });
  expect((await dash.call('log', { ...log, attempt_id: 2 })).status).toBe(404);
  const list = { list: 'jobs', workflow_key: '1', sort_by: null, reverse: false, limit: 10, skip: 0 };
  const failed = { ...list, filters: [{ column: 'outcome', value: 'failed' }] };
  expect((await dash.call('list', failed)).value).toMatchObject({ records: [{ job_key: '1' }], more: false });

  // other commands find a server in it
  expect((await place.json<{ workflows: object[] }>(['workflows', 'list'])).workflows).toHaveLength(1);
  await stop(dash);
  // nothing of it is left
  expect(readdirSync(place.dir).filter((name) => name.startsWith('dash'))).toEqual([]);
});

it('says when jobs ran, what they used over time and what they asked for, and which nodes are needed', async () => {
  const resource_monitor = { enabled: true, granularity: 'time_series', sample_interval_seconds: 1 };
  const jobs = [
    { name: 'works', command: 'sleep 1.2', resource_requirements: 'large' },
    { name: 'waits', command: 'true', depends_on: ['works'] },
  ];
  const resource_requirements = [{ name: 'large', num_cpus: 1, memory: '1g', runtime: 'PT1H' }];
  const spec = { name: 'w', resource_monitor, resource_requirements, jobs };
  expect(await place.torc('create', place.file('w.json', JSON.stringify(spec)))).toMatchObject({ code: 0 });
  await place.torc('workflows', 'start', '1');
  const series = { job_key: '1', run_id: 1, attempt_id: 1 };
  const dash = await dashboard('--no-open');
  expect(await dash.call('series', series)).toMatchObject({ status: 404 });
  expect(await place.torc('jobs', 'run', '1')).toMatchObject({ code: 0 });

  const whole = { workflow_key: '1', run_id: null, from: null, to: null, num_bins: 200 };
  const page = { hostnames: null, max_workers: 10, skip_workers: 0, max_spans: 10 };
  const timeline = (await dash.call('timeline', { ...whole, ...page })).value;
  expect(timeline).toEqual(await place.json(['reports', 'timeline', '1']));
  expect((await dash.call('utilization', whole)).value).toMatchObject({ num_attempts: 2 });

  const recorded = (await dash.call('series', series)).value as DashAnswers['series']['reply'];
  expect(recorded.missing).toBeNull();
  expect(recorded.memory_bytes[0]).toBeGreaterThan(0);
  // a row that is still being written is left out, and what is no row
  const rows = ['seconds,memory_bytes,cpu_seconds', '1.000,4096,0.500', 'x,y', '3.000,8192,2.500', '4.0'];
  const table = 'torc_output/resource_monitor/0000/job_1_run_1_attempt_1.csv';
  place.file(table, rows.join('\n'));
  const read = { seconds: [1, 3], memory_bytes: [4096, 8192], cpus: [0.5, 1], missing: null, left_out: null };
  expect((await dash.call('series', series)).value).toEqual(read);
  place.file(table, `${rows.join('\n')}\n${`${'x'.repeat(1023)}\n`.repeat(48 * 1024)}`);
  const left_out = 'The table is larger than 48M: rows after 3.0 s are left out.';
  expect((await dash.call('series', series)).value).toMatchObject({ left_out });
  rmSync(join(place.path, 'torc_output', 'resource_monitor'), { recursive: true });
  expect((await dash.call('series', series)).value).toMatchObject({
    missing: expect.stringContaining('is not on this host'),
  });

  const { usage, typed } = (await dash.call('resources_page', { workflow_key: '1' }))
    .value as DashAnswers['resources_page']['reply'];
  expect({ usage }).toEqual(await place.json(['reports', 'resources', '1']));
  expect(typed).toMatch(/^torc --dir .* workflows correct-resources 1 --dry-run$/);
  const corrected = { command: 'correct-resources', key: '1', number: null };
  expect((await dash.call('plan', corrected)).value).toMatchObject({ is_possible: true });

  expect((await dash.call('nodes_page', { workflow_key: '1' })).value).toEqual({
    autoscaler: null,
    typed: { autoscale: expect.stringMatching(/^torc --dir .* workflows autoscale 1 --max 10 --dry-run$/) },
  });
  // without Slurm the command says what to do, and so does the page
  expect((await dash.call('node_plan', { workflow_key: '1' })).value).toEqual({
    typed: expect.stringMatching(/^torc --dir .* hpc slurm plan 1$/),
    text: expect.stringContaining('torc hpc slurm site refresh'),
    is_possible: false,
  });
  expect(await dash.call('node_plan', { workflow_key: '1 --help' })).toMatchObject({ status: 400 });
  await stop(dash);
});

it('forwards only what reads, never the credential, and uses the server that there is', async () => {
  await place.create('true');
  await place.torc('server', 'start', '--daemon');
  const dash = await dashboard('--no-open');
  const server = readFileSync(join(place.dir, 'server.json'), 'utf8');
  const { token } = JSON.parse(server) as { token: string };
  const first = { workflow_keys: null, user: null, limit: 10, state: null, wait_seconds: 0 };
  const { status, value } = await dash.call('status', first);
  expect(status).toBe(200);
  expect(value).toMatchObject({ is_served: true, workflows: [{ workflow_key: '1', status: 'uninitialized' }] });
  expect(JSON.stringify(value)).not.toContain(token);
  const changes: [string, object][] = [
    ['workflow_delete', { workflow_key: '1', dry_run: false }],
    ['workflow_start', { workflow_key: '1', dry_run: false }],
    ['server_stop', {}],
    ['server_rotate_token', { grace_minutes: 1 }],
    ['worker_hello', {}],
  ];
  for (const [name, request] of changes) expect(await dash.call(name, request), name).toMatchObject({ status: 404 });
  expect(
    await dash.call('log', { job_key: '1; rm', run_id: 1, attempt_id: 1, stream: '/etc', offset: 0 }),
  ).toMatchObject({
    status: 400,
  });
  expect(await dash.call('list', { list: 'jobs' })).toMatchObject({ status: 400 });

  // a waiting request is answered when something changes
  const { state } = value as { state: string };
  const waiting = dash.call('status', { ...first, state, wait_seconds: 25 });
  await place.torc('workflows', 'start', '1');
  expect((await waiting).value).toMatchObject({ workflows: [{ num_ready: 1 }] });
  expect((await place.json<{ workflows: object[] }>(['workflows', 'list'])).workflows).toHaveLength(1);
  await stop(dash);
});

it('changes things only by commands, each with its plan, and only by the plan that was seen', async () => {
  await place.create('[ -e fixed ] || exit 3', '[ -e fixed ] || exit 3');
  await place.torc('workflows', 'start', '1');
  expect(await place.torc('jobs', 'run', '1')).toMatchObject({ code: 1 });
  const dash = await dashboard('--no-open');
  const run = async () => (await place.json<{ run_id: number }>(['workflows', 'show', '1'])).run_id;
  const rerun = { command: 'rerun-failed', key: '1', number: null };
  const planned = (await dash.call('plan', rerun)).value as DashAnswers['plan']['reply'];
  expect(planned).toMatchObject({ is_possible: true, text: expect.stringContaining('run 2 would start with 2 jobs') });
  expect(planned.typed).toMatch(/^torc --dir .* rerun-failed 1$/);
  expect(await run()).toBe(1);

  // meanwhile somebody says that one of them is done
  expect(await place.torc('jobs', 'mark-done', '2', '--yes')).toMatchObject({ code: 0 });
  const stale = (await dash.call('apply', { ...rerun, state: planned.state })).value as DashAnswers['apply']['reply'];
  expect(stale).toMatchObject({ is_done: false, new_plan: { text: expect.stringContaining('1 job ready') } });
  expect(await run()).toBe(1);
  const { value } = await dash.call('apply', { ...rerun, state: stale.new_plan?.state });
  expect(value).toMatchObject({ is_done: true, new_plan: null, text: expect.stringContaining('started run 2') });
  expect(await run()).toBe(2);

  const pause = { command: 'pause', key: '1', number: null };
  expect((await dash.call('plan', pause)).value).toMatchObject({ is_possible: true });
  expect((await place.json<{ is_paused: boolean }>(['workflows', 'show', '1'])).is_paused).toBe(false);
  expect((await dash.call('apply', { ...pause, state: '' })).value).toMatchObject({ is_done: true });
  expect((await place.json<{ is_paused: boolean }>(['workflows', 'show', '1'])).is_paused).toBe(true);

  const mark = { command: 'jobs-mark-done', key: '1', number: null };
  const statusOf = async () => (await place.json<{ job: { status: string } }>(['jobs', 'show', '1'])).job.status;
  const seen = (await dash.call('plan', mark)).value as DashAnswers['plan']['reply'];
  expect(seen).toMatchObject({ is_possible: true, typed: expect.stringMatching(/ jobs mark-done 1$/) });
  expect((await dash.call('apply', { ...mark, state: planned.state })).value).toMatchObject({ new_plan: seen });
  expect(await statusOf()).toBe('ready');
  expect((await dash.call('apply', { ...mark, state: seen.state })).value).toMatchObject({ is_done: true });
  expect(await statusOf()).toBe('done');

  // what a command refuses is shown with its hint
  const refused = (await dash.call('plan', { command: 'start', key: '1', number: null })).value;
  expect(refused).toMatchObject({ is_possible: false, text: expect.stringMatching(/^error: /) });
  for (const wrong of [
    { ...rerun, key: '1 --run' },
    { ...rerun, key: '--run' },
    { ...rerun, command: 'delete' },
    { ...rerun, command: '__proto__' },
    { command: 'schedule-nodes', key: '1', number: 0 },
  ]) {
    expect(await dash.call('plan', wrong), JSON.stringify(wrong)).toMatchObject({ status: 400 });
    expect(await dash.call('apply', { ...wrong, state: '' })).toMatchObject({ status: 400 });
  }
  await stop(dash);
});

it('prints the link, how to reach it from elsewhere, and what is wrong', async () => {
  expect(await place.torc('dash', '--no-open')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('no torc database'),
  });
  await place.create('true');
  const child = place.start('dash', '--no-open');
  await expect.poll(child.stdout).toContain('ssh');
  expect(child.stdout()).toMatch(
    /^Open this link, which works once:\n\n {2}http:\/\/127\.0\.0\.1:(\d+)\/[0-9a-f]{24}\/login\/[\w-]{43}\n/,
  );
  expect(child.stdout()).toMatch(/\n {2}ssh -N -L (\d+):127\.0\.0\.1:\1 \S+@\S+\n/);
  const [, port = ''] = /127\.0\.0\.1:(\d+)/.exec(child.stdout()) ?? [];
  const second = await place.torc('dash', '--no-open', '--port', port);
  expect(second).toMatchObject({ code: 4, stdout: '', stderr: expect.stringContaining(`127.0.0.1:${port}`) });
  expect(await place.torc('dash', '9', '--no-open')).toMatchObject({ code: 3, stdout: '' });
  for (const wrong of ['0', '65536', '99999999', '80a']) {
    expect(await place.torc('dash', '--port', wrong), wrong).toMatchObject({ code: 2, stdout: '' });
  }
  // a new link once one is used
  const [url = ''] = /http\S+/.exec(child.stdout()) ?? [];
  expect((await fetch(url)).status).toBe(200);
  child.child.kill('SIGTERM');
  const { code, stderr } = await child.ended;
  expect(code).toBe(0);
  expect(stderr).toMatch(/The link for another one: http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{24}\/login\/[\w-]{43}\n/);
});
