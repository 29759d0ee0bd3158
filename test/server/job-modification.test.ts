// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in commands are written like that
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Request } from '../../src/api/contract.ts';
import type { Service } from '../../src/server/service.ts';
import { createWorkflow, freshService, rows, TestWorker } from '../support/service.ts';

let service: Service;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ service, close } = await freshService());
});
afterEach(() => close());

async function modify(name: string, changes: Request<'job_modify'>['changes'], dryRun = false) {
  const [job] = await rows(service, 'jobs', null, { name });
  return await service.call('job_modify', { job_key: String(job?.job_key), dry_run: dryRun, changes });
}

function isCommandChanged(name: string): boolean {
  return service.db.get('SELECT is_command_changed AS is_it FROM jobs WHERE name = ?', name)?.is_it === 1;
}

describe('a changed job', () => {
  it('returns the fields that change, in a dry run without changing them', async () => {
    const key = await createWorkflow(service, [{ name: 'a', command: 'old' }, { name: 'b' }]);
    const changes = { command: "new 'x'\n$Y", priority: 0, supports_termination: true, num_cpus: 3 };
    const expected = [
      { field: 'command', old_value: 'old', new_value: "new 'x'\n$Y" },
      { field: 'supports_termination', old_value: false, new_value: true },
      { field: 'num_cpus', old_value: 1, new_value: 3 },
      { field: 'resource_requirements', old_value: 'r0', new_value: null },
    ];
    expect((await modify('a', changes, true)).changes).toEqual(expected);
    expect(await rows(service, 'jobs', key, { name: 'a' })).toMatchObject([{ command: 'old', num_cpus: 1 }]);
    expect((await modify('a', changes)).changes).toEqual(expected);
    expect((await modify('a', changes)).changes).toEqual([]);
    expect(await rows(service, 'jobs', key)).toMatchObject([
      { command: "new 'x'\n$Y", supports_termination: true, num_cpus: 3, resource_requirements: null },
      { name: 'b', num_cpus: 1, resource_requirements: 'r1' },
    ]);
    expect(await rows(service, 'events', key, { type: 'job_modified' })).toMatchObject([
      { data: { changes: expected } },
    ]);
  });

  it('is packed by its expected runtime, and stopped at its runtime', async () => {
    const key = await createWorkflow(service, [{ name: 'a', runtime: 3600 }]);
    const worker = await TestWorker.join(service, key);
    const left = { time_left_ms: 600_000 };
    expect((await worker.exchange(left)).jobs).toEqual([]);
    await expect(modify('a', { expected_runtime_ms: 3_600_001 })).rejects.toMatchObject({ code: 'usage' });
    const changes = [{ field: 'expected_runtime_seconds', old_value: null, new_value: 300 }];
    expect(await modify('a', { expected_runtime_ms: 300_000 })).toMatchObject({
      changes: expect.arrayContaining(changes),
    });
    expect((await worker.exchange(left)).jobs).toMatchObject([{ runtime_ms: 300_000, runtime_limit_ms: 3_600_000 }]);
    expect(await rows(service, 'jobs', key)).toMatchObject([{ runtime_seconds: 3600, expected_runtime_seconds: 300 }]);
  });

  it('is marked for a restart only when it was claimed and its command changes; a claim clears the mark', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b', priority: -1 }]);
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    const [a] = (await worker.exchange()).jobs;
    await modify('b', { command: 'other' });
    expect(isCommandChanged('b')).toBe(false);
    await expect(modify('a', { command: 'other' })).rejects.toMatchObject({ code: 'conflict' });
    worker.held = [];
    await worker.exchange({ returned: [a?.attempt ?? 0], draining: true });
    await modify('a', { priority: 3, name: 'a' });
    expect(isCommandChanged('a')).toBe(false);
    await modify('a', { invocation_script: 'env X=1' });
    expect(isCommandChanged('a')).toBe(true);
    await modify('a', { invocation_script: null });
    expect(isCommandChanged('a')).toBe(true);
    expect((await worker.exchange()).jobs).toMatchObject([{ job_name: 'a', command: 'true', invocation_script: null }]);
    expect(isCommandChanged('a')).toBe(false);
  });

  it('starts as it says from then on, and without that as the workflow says', async () => {
    await createWorkflow(service, [{ name: 'a' }, { name: 'b', priority: -1 }]);
    const changes = { env: { MODE: 'slow', OLD: 'x' }, stdio: 'none', cwd: 'runs/a' } as const;
    const expected = [
      { field: 'env.MODE', old_value: null, new_value: 'a value' },
      { field: 'env.OLD', old_value: null, new_value: 'a value' },
      { field: 'stdio', old_value: null, new_value: 'none' },
      { field: 'cwd', old_value: null, new_value: 'runs/a' },
    ];
    expect((await modify('a', changes, true)).changes).toEqual(expected);
    expect(await service.call('job_show', { job_key: '1' })).toMatchObject({ env: {}, launch: {} });
    expect((await modify('a', changes)).changes).toEqual(expected);
    expect((await modify('a', changes)).changes).toEqual([]);
    await modify('a', { env: { OLD: null, MODE: 'fast', MORE: '1' } });
    const worker = await TestWorker.join(service, '1', { cpus: 1 });
    const [a] = (await worker.exchange()).jobs;
    expect(a).toMatchObject({ job_name: 'a', env: { MODE: 'fast', MORE: '1' }, stdio: 'none', cwd: 'runs/a' });
    await expect(modify('a', { stdio: 'files' })).rejects.toMatchObject({ code: 'conflict' });
    worker.held = [];
    await worker.exchange({ returned: [a?.attempt ?? 0], draining: true });
    expect(isCommandChanged('a')).toBe(false);
    await modify('a', { env: { MODE: null, MORE: null }, stdio: null });
    expect(isCommandChanged('a')).toBe(false);
    await modify('a', { cwd: null });
    expect(isCommandChanged('a')).toBe(true);
    expect(service.db.all('SELECT launch FROM job_launch')).toEqual([]);
    const [again = {}] = (await worker.exchange()).jobs;
    expect(['env', 'stdio', 'cwd'].filter((field) => Object.hasOwn(again, field))).toEqual([]);
    const many = Object.fromEntries(Array.from({ length: 1001 }, (_, n) => [`V${n}`, '']));
    await expect(modify('b', { env: many })).rejects.toMatchObject({ code: 'usage', message: /job "b" then has 1001/ });
  });

  it('cannot take the name of another job, and must exist', async () => {
    await createWorkflow(service, [{ name: 'a' }, { name: "b's" }]);
    await expect(modify('a', { name: "b's" })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('"b\'s"'),
    });
    const request = { job_key: '99', dry_run: false, changes: { priority: 1 } };
    await expect(service.call('job_modify', request)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('can name only files and user data that it declares', async () => {
    const userData = ['in', 'out', 'other'].map((name) => ({ name, data: null, is_ephemeral: false }));
    await createWorkflow(service, [{ name: 'a', reads: [0], writes: [1] }], [], { userData });
    service.db.run(`INSERT INTO files (workflow_key, name, path) VALUES (1, 'f', '/data/f 1')`);
    service.db.run('INSERT INTO job_files (job_key, file_key, is_output) VALUES (1, 1, 0)');
    const { changes } = await modify('a', { command: 'x ${user_data.output.out} "${files.input.f}" ${HOME}' });
    expect(changes[0]?.new_value).toBe('x ${user_data.output.out} "/data/f 1" ${HOME}');
    for (const command of ['${user_data.input.other}', '${files.output.f}', '${files.input.g}', '${user_data.x}']) {
      await expect(modify('a', { command }), command).rejects.toMatchObject({ code: 'usage' });
    }
  });
});

describe('changed resources', () => {
  it('of one job become its own, take their place in claim order, and wake a waiting worker', async () => {
    const jobs = ['a', 'b', 'c'].map((name) => ({ name, cpus: 9, runtime: 60 }));
    const key = await createWorkflow(service, jobs, [], { sort: 'gpus_runtime_memory' });
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    const waiting = worker.exchange();
    await modify('b', { num_cpus: 1 });
    expect((await waiting).jobs.map((job) => job.job_name)).toEqual(['b']);
    await modify('a', { num_cpus: 1, runtime_ms: 120_000 });
    await modify('c', { num_cpus: 1, runtime_ms: 180_000, memory_bytes: 2048 });
    await modify('a', { runtime_ms: null });
    const ranks = service.db.all(
      `SELECT j.name, s.runtime_ms, s.is_runtime_stated AS stated FROM jobs j JOIN shapes s ON s.shape_key = j.shape_key
       ORDER BY s.sort_rank`,
    );
    // an unstated runtime counts as an hour
    expect(ranks).toEqual([
      { name: 'a', runtime_ms: 3_600_000, stated: 0 },
      { name: 'c', runtime_ms: 180_000, stated: 1 },
      { name: 'b', runtime_ms: 60_000, stated: 1 },
    ]);
    // a second change updates the requirements of its own, and adds none
    expect(service.db.get('SELECT count(*) AS n FROM resource_requirements')).toEqual({ n: 1 + 3 + 3 });
    const second = await TestWorker.join(service, key, { cpus: 2 });
    expect((await second.exchange()).jobs).toMatchObject([
      { job_name: 'a', runtime_limit_ms: null },
      { job_name: 'c', runtime_limit_ms: 180_000, memory_limit_bytes: 2048 },
    ]);
  });

  it('of named requirements reach every job that uses them; running attempts keep theirs', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }]);
    service.db.run('UPDATE jobs SET resource_requirements_key = 2');
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    await worker.exchange();
    const [needs] = await rows(service, 'resource_requirements', key, { name: 'r0' });
    const request = {
      resource_requirements_key: String(needs?.resource_requirements_key),
      dry_run: true,
      changes: { num_cpus: 2, memory_bytes: 4096, gpu_thousandths: 0 },
    };
    const plan = await service.call('resource_requirements_modify', request);
    expect(plan).toMatchObject({
      name: 'r0',
      num_jobs: 2,
      changes: [{ field: 'num_cpus' }, { field: 'memory_bytes' }],
    });
    expect(await rows(service, 'jobs', key, { num_cpus: '1' })).toHaveLength(2);
    const applied = await service.call('resource_requirements_modify', { ...request, dry_run: false });
    expect(applied).toEqual({ ...plan, dry_run: false });
    expect(await rows(service, 'jobs', key, { num_cpus: '2' })).toHaveLength(2);
    expect(service.db.get('SELECT num_cpus FROM attempts')).toEqual({ num_cpus: 1 });
    expect(await rows(service, 'events', key, { type: 'resource_requirements_modified' })).toHaveLength(1);
    const unnamed = { ...request, resource_requirements_key: '1' };
    await expect(service.call('resource_requirements_modify', unnamed)).rejects.toMatchObject({ code: 'not_found' });
  });
});
