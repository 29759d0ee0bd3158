/** Reports of a run in which jobs fail: as text, CSV, JSON and SVG. */
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newPlace, type Place } from './place.ts';

interface Span {
  job_name: string;
  outcome: string | null;
}
interface Bin {
  num_cpus: number;
  job_cpus: number;
}

const env = { API_TOKEN: 'tokenvalue17', PLACE: '<b>here</b>' };
const hostile = 'a <script>alert("x")</script> & b';

let place: Place;
beforeAll(async () => {
  place = newPlace();
  const fails = [1, 2].map((n) => ({ name: `fails_${n}`, command: `echo "error: no seed ${n}" >&2; exit 3` }));
  fails.push({ name: 'leaks', command: 'echo "fatal: password=hunter2secret was refused" >&2; exit 4' });
  const jobs = [{ name: hostile, command: 'sleep 0.2' }, ...fails, { name: 'good', command: 'true' }];
  await place.torc('run', place.file('w.json', JSON.stringify({ name: hostile, env, jobs })), '-o', 'out');
});
afterAll(() => place.remove());

const written = (name: string): string => readFileSync(join(place.path, name), 'utf8');

it('the timeline has each attempt of the list of results', async () => {
  const { spans, workers, bins } = await place.json<{ spans: Span[]; workers: object[]; bins: null }>([
    ...['reports', 'timeline', '1'],
  ]);
  const { results } = await place.json<{ results: Span[] }>(['results', 'list', '-k', '1']);
  const seen = (rows: Span[]) => rows.map(({ job_name, outcome }) => `${job_name} ${outcome}`).sort();
  expect(seen(spans)).toEqual(seen(results));
  expect(spans).toHaveLength(5);
  expect({ bins, numWorkers: workers.length }).toEqual({ bins: null, numWorkers: 1 });
  const { stdout } = await place.torc('reports', 'timeline', '1', '-F', 'csv');
  expect(stdout.trim().split('\n')).toHaveLength(1 + spans.length);
  const { stdout: binned } = await place.torc('reports', 'timeline', '1', '-F', 'csv', '--bins', '3');
  expect(binned).toMatch(/^compute_node_key,hostname,start,running,failed\n/);
});

it('text fits into 80 columns', async () => {
  for (const report of ['timeline', 'utilization', 'failures']) {
    const { stdout, stderr, code } = await place.torc('reports', report, '1');
    expect([code, stderr]).toEqual([0, '']);
    // a command names the directory of the test
    const lines = stdout.split('\n').filter((line) => !line.includes('--dir'));
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  }
  const { stdout } = await place.torc('reports', 'timeline', '1');
  expect(stdout).toMatch(/^5 attempts of 1 worker, /);
  expect(stdout).toMatch(/\| 5$/m);
  expect(stdout).toMatch(/^ {2}failed +\|[ 123]+\| 3$/m);
});

it('utilization is an average over time', async () => {
  const { bins, average } = await place.json<{ bins: Bin[]; average: Bin }>([
    'reports',
    'utilization',
    '1',
    '--bins',
    '5',
  ]);
  expect(bins).toHaveLength(5);
  for (const bin of bins) expect(bin.num_cpus).toBeGreaterThanOrEqual(bin.job_cpus);
  expect(average.job_cpus).toBeGreaterThan(0);
  const { stdout } = await place.torc('reports', 'utilization', '1', '--bins', '5');
  expect(stdout.trim().split('\n')).toHaveLength(2 + 5 + 1);
});

it('failures are grouped by their messages', async () => {
  const { stdout } = await place.torc('reports', 'failures', '1');
  expect(stdout).toMatch(/^ +2 +exit_code +3 +\d+ +error: no seed <n>$/m);
  const { stdout: csv } = await place.torc('-F', 'csv', 'reports', 'failures', '1');
  expect(csv).toMatch(/^2,exit_code,3,error: no seed <n>,/m);
});

it('pictures are files that show hostile names as text', async () => {
  for (const report of ['timeline', 'utilization', 'failures', 'resources']) {
    const { code, stderr, stdout } = await place.torc('reports', report, '1', '-o', `${report}.svg`);
    expect({ code, stderr, stdout }).toEqual({ code: 0, stderr: `wrote ${report}.svg\n`, stdout: '' });
    const svg = written(`${report}.svg`);
    expect(svg).toMatch(/^<svg xmlns=.*<\/svg>\n$/);
    expect(svg).not.toContain('<script');
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  }
  expect(written('timeline.svg')).toContain('a &lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; b');
  expect(written('timeline.svg').match(/<rect class="failed" [^>]*><title>/g)).toHaveLength(3);
  const { stdout } = await place.torc('reports', 'timeline', '1', '--format', 'svg', '--bins', '10');
  expect(stdout).toMatch(/<path class="given" /);
});

it('the extension of the file chooses the format', async () => {
  await place.torc('reports', 'timeline', '1', '-o', 't.csv');
  expect(written('t.csv')).toMatch(/^compute_node_key,/);
  await place.torc('reports', 'timeline', '1', '-o', 't.json');
  expect(JSON.parse(written('t.json'))).toMatchObject({ workflow_key: '1', num_spans: 5 });
});

it('wrong values are refused', async () => {
  const refused = async (code: number, message: RegExp, ...words: string[]) => {
    const ended = await place.torc('reports', ...words);
    expect([ended.code, ended.stdout]).toEqual([code, '']);
    expect(ended.stderr).toMatch(message);
  };
  await refused(2, /'yesterday' is not an instant/, 'timeline', '1', '--from', 'yesterday');
  await refused(2, /'png' is not a format/, 'failures', '1', '--format', 'png');
  await refused(2, /from 1 to 1000/, 'utilization', '1', '--bins', '0');
  await refused(3, /has no run 9/, 'timeline', '1', '--run', '9');
  const missing =
    /^error: cannot write missing\/t\.svg: there is no directory missing \(ENOENT\)\nhint: mkdir -p missing\n$/;
  await refused(2, missing, 'timeline', '1', '-o', 'missing/t.svg');
  await refused(
    2,
    /^error: cannot write out: it is a directory.*\nhint: /,
    'failures',
    '1',
    '--format',
    'csv',
    '-o',
    'out',
  );
});

it('a node without workers is named, with the list of those that have some', async () => {
  const ended = await place.torc('reports', 'timeline', '1', '--node', 'nope');
  expect(ended.code).toBe(0);
  expect(ended.stderr).toMatch(/^no worker of workflow 1 ran on nope then: .*torc.* compute-nodes list -k 1\n$/);
  const { stderr } = await place.torc('reports', 'timeline', '1', '--node', 'nope', '--node', hostname());
  expect(stderr).toBe('');
});

it('a workflow of which nothing has run says so', async () => {
  const key = await place.create('true');
  for (const report of ['timeline', 'utilization']) {
    expect((await place.torc('reports', report, key)).stdout).toBe('Nothing has run yet.\n');
    expect((await place.torc('reports', report, key, '--format', 'svg')).stdout).toContain('Nothing has run yet.');
  }
});

it('the page has no scripts, loads nothing, shows hostile names as text and no secrets', async () => {
  const { code, stdout, stderr } = await place.torc('reports', 'html', '1', '-o', 'r.html');
  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  expect(stderr).toMatch(/^wrote .*r\.html\n$/);
  const html = written('r.html');
  expect(html).toMatch(/^<!doctype html>/);
  expect(html).not.toContain('<script');
  expect(html).not.toContain('<b>here</b>');
  expect(html.match(/&lt;script&gt;alert/g)?.length).toBeGreaterThan(3);
  expect(
    html.match(/(?:\b(?:href|src)=|url\(|@import)[^>]{0,40}/g)?.filter((each) => !each.startsWith('href="#')),
  ).toEqual([]);
  expect(html).not.toMatch(/NaN|undefined|Infinity/);
  for (const secret of ['hunter2secret', 'tokenvalue17']) expect(html).not.toContain(secret);
  expect(html).toContain('fatal: password=***');
  await place.torc('reports', 'html', '1');
  expect(existsSync(join(place.path, 'torc-1-a_script_alert_x_script_b.html'))).toBe(true);
});

it('the page of a workflow that has not run', async () => {
  const key = await place.create('true');
  const { path, bytes } = await place.json<{ path: string; bytes: number }>(['reports', 'html', key]);
  expect(readFileSync(path).length).toBe(bytes);
  expect(readFileSync(path, 'utf8')).toContain('Nothing has run yet.');
});
