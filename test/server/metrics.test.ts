/** `GET /metrics`: both formats as strict parsers want them, the numbers of the database, and a token that opens nothing else. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Serving, serve } from '../../src/server/serve.ts';
import { createWorkflow, freshService, rows, TestWorker } from '../support/service.ts';

const planRequest = (workflow_key: string) => ({ workflow_key, expected_state: null, skip: 0, dry_run: false });
const board = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'docs', 'grafana-board.json');

let fresh: Awaited<ReturnType<typeof freshService>>;
let serving: Serving;

beforeEach(async () => {
  fresh = await freshService();
  serving = await serve(fresh.service);
});
afterEach(async () => {
  await serving.close();
  await fresh.close();
});

interface Answer {
  status: number;
  type: string;
  text: string;
}

function get(path: string, token: string, accept = 'text/plain', method = 'GET'): Promise<Answer> {
  const port = Number(serving.file.addresses[0]?.split(':').at(-1));
  const headers = { authorization: `Bearer ${token}`, accept };
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method, headers, rejectUnauthorized: false };
    const outgoing = request(options, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8').on('data', (piece) => (text += piece));
      incoming.on('end', () =>
        resolve({ status: incoming.statusCode ?? 0, type: incoming.headers['content-type'] ?? '', text }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

const scrape = (accept?: string) => get('/metrics', serving.file.token, accept);

/** Values by sample; throws for what a strict parser refuses. */
function parsed(text: string, isOpenMetrics = false): Map<string, number> {
  expect(text.endsWith(isOpenMetrics ? '\n# EOF\n' : '\n')).toBe(true);
  const types = new Map<string, string>();
  const values = new Map<string, number>();
  let family = '';
  for (const line of text.trimEnd().split('\n')) {
    if (line === '# EOF' && isOpenMetrics) continue;
    const type = /^# TYPE ([a-z_]+) (gauge|counter|summary|histogram)$/.exec(line);
    if (type !== null) {
      family = type[1] ?? '';
      expect(types.has(family), `${family} has one type`).toBe(false);
      types.set(family, type[2] ?? '');
      continue;
    }
    if (/^# HELP [a-z_]+ [A-Z].*\.$/.test(line)) continue;
    const sample = /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? (-?[0-9.e+-]+)$/.exec(line);
    if (sample === null) throw new Error(`no sample: ${line}`);
    const [, name = '', labels = '', value] = sample;
    const suffix = name.slice(family.length);
    const suffixes = {
      gauge: [''],
      counter: [isOpenMetrics ? '_total' : ''],
      summary: ['_sum', '_count'],
      histogram: ['_bucket', '_sum', '_count'],
    };
    expect(suffixes[types.get(family) as 'gauge'], line).toContain(suffix);
    expect(values.has(name + labels), `${line} is there once`).toBe(false);
    values.set(name + labels, Number(value));
  }
  return values;
}

describe('metrics', () => {
  it('have the numbers of the database, and what happened, in both formats', async () => {
    const key = await createWorkflow(fresh.service, [{ name: 'a', cpus: 2 }, { name: 'b' }, { name: 'c' }], [[0, 2]], {
      name: 'a "name" \\ of\ntwo lines',
    });
    await createWorkflow(fresh.service, [{ name: 'x' }], [], { start: false });
    const worker = await TestWorker.join(fresh.service, key, { cpus: 4 });
    const { jobs } = await worker.exchange();
    await worker.finish(jobs[1]?.attempt ?? 0, 3);
    for (const [accept, isOpenMetrics] of [
      ['text/plain', false],
      ['application/openmetrics-text;version=1.0.0,text/plain;q=0.5', true],
    ] as const) {
      const { status, type, text } = await scrape(accept);
      expect([status, type]).toEqual([
        200,
        isOpenMetrics
          ? 'application/openmetrics-text; version=1.0.0; charset=utf-8'
          : 'text/plain; version=0.0.4; charset=utf-8',
      ]);
      const values = parsed(text, isOpenMetrics);
      const of = (workflow: string) => `workflow_key="${key}",workflow="${workflow}"`;
      const workflow = of('a \\"name\\" \\\\ of\\ntwo lines');
      const expected = {
        'torc_workflows{status="running"}': 1,
        'torc_workflows{status="uninitialized"}': 1,
        'torc_workflows{status="done"}': 0,
        'torc_jobs{status="done"}': 1,
        'torc_jobs{status="blocked"}': 1,
        'torc_jobs{status="uninitialized"}': 1,
        [`torc_workflow_jobs{${workflow},status="done"}`]: 1,
        torc_failed_jobs: 1,
        'torc_workers{state="heard"}': 1,
        torc_worker_cpus: 4,
        torc_worker_cpus_used: 2,
        torc_running_attempts: 1,
        torc_claims_total: 2,
        'torc_claim_seconds_bucket{le="+Inf"}': 1,
        torc_claim_seconds_count: 1,
        'torc_attempts_ended_total{cause="exit_code"}': 1,
        torc_attempt_runtime_seconds_count: 1,
        torc_attempt_runtime_seconds_sum: 0.004,
        torc_runs_ended_total: 0,
        'torc_allocations{status="running"}': 0,
      };
      for (const [name, value] of Object.entries(expected)) expect(values.get(name), name).toBe(value);
      expect([...values.keys()].filter((name) => name.startsWith('torc_workflow_jobs{')).length).toBe(3);
    }
    const status = async (name: string) => (await rows(fresh.service, 'jobs', key, { status: name })).length;
    const { text } = await scrape();
    for (const name of ['done', 'blocked', 'submitted_pending', 'ready']) {
      const ofWorkflow = [...parsed(text)].find(
        ([sample]) => sample.startsWith('torc_workflow_jobs') && sample.includes(`"${name}"`),
      );
      expect(ofWorkflow?.[1] ?? 0, name).toBe(await status(name));
    }
  });

  it('count only what workers were given as claims, and how long these requests took', async () => {
    const key = await createWorkflow(fresh.service, [{ name: 'a' }, { name: 'b' }, { name: 'c' }]);
    const claims = async () => {
      const values = parsed((await scrape()).text);
      return [values.get('torc_claims_total'), values.get('torc_claim_seconds_count')];
    };
    expect(await claims()).toEqual([0, 0]);
    // attempts without a claim, as those that a rerun inherits
    await fresh.service.call('jobs_mark_done', { ...planRequest(key), job_keys: ['1'] });
    expect(await rows(fresh.service, 'results', key)).toHaveLength(1);
    expect(await claims()).toEqual([0, 0]);
    const worker = await TestWorker.join(fresh.service, key);
    const { jobs } = await worker.exchange();
    expect(await claims()).toEqual([jobs.length, 1]);
    // a request without jobs is no claim
    await worker.finish(jobs[0]?.attempt ?? 0);
    expect(await claims()).toEqual([2, 1]);
    const values = [...parsed((await scrape()).text)].filter(([name]) => name.startsWith('torc_claim_seconds_bucket'));
    expect(values.map(([, value]) => value)).toEqual(values.map(([, value]) => value).toSorted((a, b) => a - b));
  });

  it('are all there that the Grafana board shows', async () => {
    await fresh.service.call('workflow_pause', {
      workflow_key: await createWorkflow(fresh.service, [{ name: 'a' }]),
      paused: true,
    });
    const worker = await TestWorker.join(fresh.service, await createWorkflow(fresh.service, [{ name: 'b' }]));
    const { jobs } = await worker.exchange();
    await worker.finish(jobs[0]?.attempt ?? 0);
    let names = new Set<string>();
    // the delay of the event loop is measured from the first scrape on
    await expect
      .poll(async () => {
        names = new Set([...parsed((await scrape()).text).keys()].map((sample) => sample.replace(/\{.*/, '')));
        return [...names];
      })
      .toContain('torc_event_loop_delay_max_seconds');
    const { panels, templating, schemaVersion, title } = JSON.parse(readFileSync(board, 'utf8'));
    expect([schemaVersion > 30, title]).toEqual([true, 'torc']);
    const ids = panels.map(({ id }: { id: number }) => id);
    expect(new Set(ids).size).toBe(panels.length);
    const used = new Set<string>();
    for (const { gridPos, targets, type, datasource } of panels) {
      expect(['stat', 'timeseries']).toContain(type);
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      expect(datasource.uid).toMatch(/^\$\{datasource\}$/);
      for (const { expr } of targets) for (const [name] of expr.matchAll(/\b(?:torc|process)_[a-z_]+/g)) used.add(name);
    }
    for (const { query } of templating.list) for (const [name] of query.matchAll(/\btorc_[a-z_]+/g)) used.add(name);
    expect(used.size).toBeGreaterThan(20);
    expect([...used].filter((name) => !names.has(name))).toEqual([]);
  });

  it('are opened by their own token, which opens nothing else and can be replaced', async () => {
    const file = join(fresh.directory, 'metrics-token');
    expect((await get('/metrics', '')).status).toBe(401);
    expect((await get('/metrics', 'x')).status).toBe(401);
    writeFileSync(file, '\n', { mode: 0o600 });
    expect((await get('/metrics', '')).status).toBe(401);
    writeFileSync(file, 'one\n', { mode: 0o600 });
    expect((await get('/metrics', 'one')).status).toBe(200);
    expect((await get('/metrics', 'one ')).status).toBe(200);
    expect((await get('/metrics', 'on')).status).toBe(401);
    for (const [path, method] of [
      ['/events', 'GET'],
      ['/v1/server_info', 'POST'],
      ['/metrics', 'POST'],
      ['/metricsx', 'GET'],
    ] as const) {
      expect((await get(path, 'one', 'text/plain', method)).status, path).toBe(401);
    }
    writeFileSync(file, 'two\n', { mode: 0o600 });
    expect((await get('/metrics', 'one')).status).toBe(401);
    rmSync(file);
    expect((await get('/metrics', 'two')).status).toBe(401);
    const { text } = await scrape();
    expect(parsed(text).get('torc_requests_total{endpoint="unknown",code="401"}')).toBe(10);
  });

  it('name at most 50 workflows one by one', async () => {
    for (let made = 0; made < 52; made++) await createWorkflow(fresh.service, [{ name: 'a' }]);
    const values = parsed((await scrape()).text);
    const named = [...values.keys()].filter((name) => name.startsWith('torc_workflow_jobs{'));
    expect(named).toHaveLength(50);
    expect(named.some((name) => name.includes('workflow_key="52"'))).toBe(true);
    expect(values.get('torc_jobs{status="ready"}')).toBe(52);
  });
});
