/** How the processes of jobs are started besides their commands: what a specification states, and who gets to see it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compareWorkflow } from '../../src/cli/documents/compare-workflow.ts';
import { exportLines } from '../../src/cli/documents/export-document.ts';
import { createWorkflow } from '../../src/cli/documents/send-workflow.ts';
import { expandChildren } from '../../src/model/expand/children.ts';
import { expandValue } from '../../src/model/expand/read.ts';
import type { Service } from '../../src/server/service.ts';
import { finished, freshService, statuses, TestWorker } from '../support/service.ts';
import { loadWorkflow } from '../support/specification.ts';

let service: Service;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ service, close } = await freshService());
});
afterEach(() => close());

const place = { workingDirectory: '/w', outputDirectory: '/w/output' };
const read = (spec: object) => expandValue({ name: 'w', ...spec }, { file: 'spec' }).workflow;
const create = async (spec: object) => (await createWorkflow(service, read(spec), () => {}, place)).workflow_key;

async function started(spec: object): Promise<{ key: string; worker: TestWorker }> {
  const key = await create(spec);
  await service.call('workflow_start', { workflow_key: key, dry_run: false, ignore_missing_data: true });
  const worker = await TestWorker.join(service, key, { cpus: 8 });
  return { key, worker };
}

const spec = {
  args: 'v1',
  env: { THREADS: 4, MODE: 'production', API_KEY: 'xyzzy' },
  jobs: [
    { name: 'a_{i}', command: 'x', parameters: { i: '1:2' }, env: { SEED: 's{i:02d}', MODE: 'test' } },
    { name: 'b', command: 'y', env: { DB_PASSWORD: 'plugh', TORC_JOB_KEY: '7' } },
    { name: 'c', command: 'z' },
  ],
};
const shared = { THREADS: '4', MODE: 'production', API_KEY: 'xyzzy' };

describe('environment variables', () => {
  it('reach the worker: those of the workflow, over them those of the job', async () => {
    const { worker } = await started(spec);
    const given = (await worker.exchange()).jobs;
    expect(given.map(({ job_name, env }) => [job_name, env])).toEqual([
      ['a_1', { ...shared, SEED: 's01', MODE: 'test' }],
      ['a_2', { ...shared, SEED: 's02', MODE: 'test' }],
      ['b', { ...shared, DB_PASSWORD: 'plugh' }],
      ['c', shared],
    ]);
  });

  it('cost nothing where there are none', async () => {
    const { worker } = await started({ jobs: [{ name: 'a', command: 'x' }] });
    const [given] = (await worker.exchange()).jobs;
    expect(given).not.toHaveProperty('env');
    expect(service.db.all('SELECT * FROM job_launch')).toEqual([]);
  });

  it('are in exports and copies, and their secrets in nothing else that is shown', async () => {
    const key = await create(spec);
    const shown = await service.call('workflow_show', { workflow_key: key });
    expect(shown.env).toEqual({ ...shared, API_KEY: '(hidden)' });
    const job = await service.call('job_show', { job_key: '3' });
    expect(job.env).toEqual({ ...shared, API_KEY: '(hidden)', DB_PASSWORD: '(hidden)' });
    let text = '';
    const secrets = new Set<string>();
    for await (const piece of exportLines(service, shown, { results: false, events: false, secrets })) text += piece;
    expect([...secrets].sort()).toEqual(['API_KEY', 'DB_PASSWORD']);
    let hidden = '';
    const parts = { results: false, events: false, hidesSecrets: true };
    for await (const piece of exportLines(service, shown, parts)) hidden += piece;
    expect(hidden).toContain('"DB_PASSWORD":"(hidden)"');
    expect(hidden).not.toMatch(/xyzzy|plugh/);
    const again = loadWorkflow(text, { file: 'export.json' }).workflow;
    expect([again.env, ...[...again.jobs].map(({ launch }) => launch?.env)]).toEqual([
      shared,
      { SEED: 's01', MODE: 'test' },
      { SEED: 's02', MODE: 'test' },
      { DB_PASSWORD: 'plugh' },
      undefined,
    ]);
    const copy = { workflow_key: key, how: 'clone', name: null, dry_run: false } as const;
    await service.call('workflow_copy', copy);
    expect((await service.call('workflow_show', { workflow_key: '2' })).env).toEqual(shown.env);
    expect((await service.call('job_show', { job_key: '7' })).env).toEqual(job.env);
    const page = { sort_by: null, reverse: false, limit: 100, skip: 0, filters: [] };
    for (const list of ['workflows', 'jobs', 'events'] as const) {
      expect(JSON.stringify(await service.call('list', { list, workflow_key: key, ...page }))).not.toMatch(
        /xyzzy|plugh/,
      );
    }
  });

  it('go with a job that is deleted, and come with one that is added', async () => {
    const { key, worker } = await started({ jobs: [{ name: 'a', command: 'x', env: { A: '1' } }] });
    const [parent] = (await worker.exchange()).jobs;
    const jobs = expandChildren([{ name: 'child', command: 'y', env: { B: 2 } }], { file: 'children' });
    await service.call('jobs_add_children', {
      ...{ attempt_key: String(parent?.attempt), jobs, before: [], now: true, dry_run: false },
    });
    const [child] = (await worker.exchange()).jobs;
    expect([child?.job_name, child?.env]).toEqual(['child', { B: '2' }]);
    expect(await statuses(service, key)).toMatchObject({ child: 'submitted_pending' });
    expect(service.db.all('SELECT launch FROM job_launch ORDER BY job_key')).toEqual([
      { launch: '{"env":{"A":"1"}}' },
      { launch: '{"env":{"B":"2"}}' },
    ]);
  });

  it('that are others are taken over by a resume without running a job again, and events name them alone', async () => {
    const { key, worker } = await started(spec);
    for (const { attempt } of (await worker.exchange()).jobs) {
      await worker.finish(attempt);
    }
    const jobs = spec.jobs.map((job) => (job.name === 'b' ? { ...job, env: { DB_PASSWORD: 'other' } } : job));
    const changed = read({ ...spec, env: { THREADS: 4, MODE: 'slow' }, jobs });
    const { takeOver, differences } = await compareWorkflow(service, key, changed);
    expect(differences).toMatchObject({ changed: [], added: [], removed: [] });
    const reply = await service.call('workflow_restart', {
      ...{ workflow_key: key, dry_run: false, expected_state: null, skip: 0, ignore_missing_data: true },
      ...{ only_uninitialized: false, keep_running: false, force: false, assume_stopped: false },
      ...{ working_directory: '/w', resume: { take_over: takeOver } },
    });
    expect(JSON.stringify(reply)).toContain('env.MODE');
    expect((await service.call('workflow_show', { workflow_key: key })).env).toEqual({ THREADS: '4', MODE: 'slow' });
    expect(Object.values(await statuses(service, key))).toEqual(['done', 'done', 'done', 'done']);
    const events = service.db.all<{ data: string | null }>('SELECT data FROM events');
    expect(JSON.stringify(events)).toContain('env.API_KEY');
    expect(JSON.stringify(events)).not.toMatch(/xyzzy|plugh|slow|other"/);
    expect(service.db.all('SELECT launch FROM job_launch WHERE job_key = 3')).toEqual([
      { launch: '{"env":{"DB_PASSWORD":"other"}}' },
    ]);
  });
});

describe('pin and execution of a workflow', () => {
  const given = async (worker: TestWorker, request: Parameters<TestWorker['exchange']>[0] = {}) =>
    (await worker.exchange(request)).jobs.map(({ job_name, pin, execution }) => [job_name, pin, execution]);

  it('are those of each job that does not state them, also when they change', async () => {
    const own = { name: 'own', command: 'x', pin: false, execution: 'direct' };
    const { worker } = await started({ pin: true, execution: 'slurm', jobs: [own, { name: 'other', command: 'x' }] });
    expect(await given(worker)).toEqual([
      ['own', false, 'direct'],
      ['other', true, 'slurm'],
    ]);
    const shown = await service.call('workflow_show', { workflow_key: '1' });
    expect([shown.pin, shown.execution]).toEqual([true, 'slurm']);
    const changes = { pin: false, execution: 'direct' } as const;
    expect((await service.call('workflow_modify', { workflow_key: '1', changes })).changes).toEqual([
      { field: 'pin', old_value: true, new_value: false },
      { field: 'execution', old_value: 'slurm', new_value: 'direct' },
    ]);
    expect(await given(worker, { returned: worker.held.splice(0) })).toEqual([
      ['own', false, 'direct'],
      ['other', undefined, undefined],
    ]);
  });

  it('an attempt that was a step shows its id', async () => {
    const { key, worker } = await started({ jobs: [{ name: 'a', command: 'x' }] });
    await worker.exchange({ draining: true });
    const inSlurm = await TestWorker.join(service, key, { cpus: 8 }, null, { slurm_job_id: '77' });
    const [job] = (await inSlurm.exchange()).jobs;
    inSlurm.held = [];
    await inSlurm.exchange({ finished: [{ ...finished(job?.attempt ?? 0), slurm_step: '3' }] });
    const { attempts } = await service.call('job_show', { job_key: '1' });
    expect(attempts).toMatchObject([{ slurm_job_id: '77', slurm_step_id: '77.3' }]);
  });
});

describe('stdio of a job', () => {
  it('says where its output is: as stated while it runs, as reported when it has ended', async () => {
    const modes = ['per-job', 'no-stdout', 'no-stderr', 'none', 'files', 'on-failure'] as const;
    const cpus = { pin: true, cpu_placement: 'spread', warm: 'w' } as const;
    const jobs = modes.map((stdio) => ({
      ...{ name: stdio, command: 'x', stdio, cwd: 'd', stdin: 'f', container: 'i', ...cpus },
    }));
    const { worker } = await started({ stdio: 'combined', jobs: [...jobs, { name: 'other', command: 'x' }] });
    const hello = { output_directory: '/out', working_directory: '/w' };
    const writer = await TestWorker.join(service, '1', { cpus: 8 }, null, hello);
    await worker.exchange({ draining: true });
    const given = (await writer.exchange()).jobs;
    expect(given.map((job) => [job.stdio, job.cwd, job.stdin, job.container, job.pin, job.cpu_placement])).toEqual([
      ...modes.map((mode) => [mode, 'd', 'f', 'i', true, 'spread']),
      Array(6).fill(undefined),
    ]);
    const places = async () => {
      const found = [];
      for (const { job_key } of given) {
        const [attempt] = (await service.call('job_show', { job_key })).attempts;
        const end = (path: string | null | undefined) => path?.split('.').at(-1) ?? null;
        found.push([attempt?.log_kind, end(attempt?.stdout_path), end(attempt?.stderr_path)]);
      }
      return found;
    };
    const kept = [
      ['files', 'out', null],
      ['files', null, 'err'],
      ['files', 'out', null],
      ['none', null, null],
      ['files', 'out', 'err'],
      ['files', 'out', 'err'],
    ];
    expect(await places()).toEqual([...kept, ['unknown', null, null]]);
    const first = await service.call('job_show', { job_key: '1' });
    expect(first.launch).toEqual({ stdio: 'per-job', cwd: 'd', stdin: 'f', container: 'i', ...cpus });
    const kinds = ['per-job', 'no-stdout', 'no-stderr', 'none', 'files', 'removed'] as const;
    for (const [i, { attempt }] of given.slice(0, 6).entries()) {
      writer.held = writer.held.filter((held) => held !== attempt);
      await writer.exchange({ finished: [{ ...finished(attempt), log: { kind: kinds[i] ?? 'files' } }] });
    }
    // what the job states meanwhile does not move the output of an attempt that has ended
    service.db.run('UPDATE job_launch SET launch = \'{"stdio":"no-stderr"}\'');
    expect(await places()).toEqual([...kept.slice(0, 5), ['removed', null, null], ['unknown', null, null]]);
  });

  it('and memory that is no limit are in exports', async () => {
    const launch = {
      stdio: 'none',
      cwd: 'd',
      stdin: 'f',
      container: 'i',
      pin: false,
      cpu_placement: 'compact',
      execution: 'slurm',
      warm: './serve',
    };
    const key = await create({
      execution_config: { limit_resources: false, stdio: { mode: 'combined', delete_on_success: true } },
      resource_requirements: [{ name: 'r', num_cpus: 1, memory: '8g' }],
      jobs: [{ name: 'a', command: 'x', resource_requirements: 'r', ...launch }],
    });
    const shown = await service.call('workflow_show', { workflow_key: key });
    let text = '';
    for await (const piece of exportLines(service, shown, { results: false, events: false })) text += piece;
    const again = loadWorkflow(text, { file: 'export.json' }).workflow;
    expect(again.stdio).toBe('per-job-on-failure');
    expect(again.requirements[0]).toMatchObject({ memoryBytes: 8 * 1024 ** 3, isMemoryStated: false });
    expect([...again.jobs][0]?.launch).toEqual(launch);
  });
});

describe('a job with another image, directory or input', () => {
  it('is another job when its workflow is created again; one with another stdio is not', async () => {
    const job = { name: 'a', command: 'x', cwd: 'd', stdin: 'f', container: 'i', stdio: 'none' };
    const key = await create({ args: 'v1', jobs: [job] });
    const changed = async (change: object) => {
      const { differences } = await compareWorkflow(service, key, read({ args: 'v1', jobs: [{ ...job, ...change }] }));
      return differences.changed.map(({ parts }) => parts);
    };
    for (const change of [{ cwd: 'e' }, { stdin: 'g' }, { container: 'j' }]) {
      expect(await changed(change), JSON.stringify(change)).toEqual([['command']]);
    }
    expect(await changed({ stdio: 'files' })).toEqual([]);
    expect(await changed({})).toEqual([]);
  });
});

describe('changed variables of a workflow', () => {
  it('are for jobs that start from then on; null removes one, and events do not have the values', async () => {
    const { key, worker } = await started({ ...spec, jobs: [{ name: 'a', command: 'x' }] });
    const change = (env: Record<string, string | null>) =>
      service.call('workflow_modify', { workflow_key: key, changes: { env } });
    expect((await change({ MODE: null, NEW: 'frobozz', API_KEY: 'xyzzy' })).changes).toEqual([
      { field: 'env.MODE', old_value: 'a value', new_value: null },
      { field: 'env.NEW', old_value: null, new_value: 'a value' },
    ]);
    const [job] = (await worker.exchange()).jobs;
    expect(job?.env).toEqual({ THREADS: '4', NEW: 'frobozz', API_KEY: 'xyzzy' });
    expect(JSON.stringify(service.db.all('SELECT data FROM events'))).not.toMatch(/frobozz|xyzzy/);
    await expect(change({ BIG: 'x'.repeat(70_000) })).rejects.toThrow('workflow 1 then has 7');
    await change({ THREADS: null, NEW: null, API_KEY: null });
    expect(service.db.all('SELECT env FROM workflows')).toEqual([{ env: null }]);
  });
});

describe('a specification with wrong variables', () => {
  it('is refused with the place', () => {
    const wrong = { name: 'w', env: { 'a-b': 1, L: [1] }, jobs: [{ name: 'a', command: 'x', env: { N: 'a\0' } }] };
    expect(() => loadWorkflow(JSON.stringify(wrong, null, 1), { file: 'w.json' })).toThrow(
      /w\.json:4:10: env\["a-b"\]: the name of an environment variable is a letter or "_"[\s\S]*w\.json:5:8: env\.L: found a list[\s\S]*w\.json:\d+:\d+: jobs\[0\]\.env\.N: contains a NUL/,
    );
    const huge = { name: 'w', jobs: [{ name: 'a', command: 'x', env: { N: 'x'.repeat(70_000) } }] };
    expect(() => loadWorkflow(JSON.stringify(huge), { file: 'w.json' })).toThrow('has 70003 bytes of variables');
  });
});
