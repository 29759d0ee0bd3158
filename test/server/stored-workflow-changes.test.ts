// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in commands are written like that
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AddedJob } from '../../src/api/contract.ts';
import type { JobStatus } from '../../src/model/status.ts';
import type { Service } from '../../src/server/service.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, freshService, rows, rule, statuses, type TestAction, TestWorker } from '../support/service.ts';

let service: Service;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ service, close } = await freshService());
});
afterEach(async () => {
  expect(brokenInvariants(service.db)).toEqual([]);
  await close();
});

function job(name: string, fields: Partial<AddedJob> = {}): AddedJob {
  return {
    name,
    command: 'true',
    invocation_script: null,
    resource_requirements: null,
    scheduler: null,
    failure_handler: null,
    priority: 0,
    cancel_on_blocking_job_failure: true,
    supports_termination: false,
    depends_on: [],
    input_files: [],
    output_files: [],
    input_user_data: [],
    output_user_data: [],
    ...fields,
  };
}

function add(workflowKey: string, ...jobs: AddedJob[]) {
  return service.call('jobs_add', { workflow_key: workflowKey, jobs });
}

async function keyOf(name: string): Promise<string> {
  return String((await rows(service, 'jobs', null, { name }))[0]?.job_key);
}

/** Runs the next ready job with this return code. */
async function finishNext(worker: TestWorker, returnCode = 0): Promise<string> {
  const [next] = (await worker.exchange()).jobs;
  await worker.finish(next?.attempt ?? 0, returnCode, { draining: true });
  return next?.job_name ?? '';
}

describe('added jobs', () => {
  it('wait for what they name, read and write, and run in that order', async () => {
    const key = await createWorkflow(service, [{ name: "a 'b'" }], [], { start: false });
    await service.call('file_add', { workflow_key: key, name: 'in "x"', path: 'x y.txt' });
    await service.call('user_data_add', { workflow_key: key, name: 'd', data: 1, is_ephemeral: false });
    const reader = job('reader', { command: 'cat ${files.input.in "x"} ${user_data.input.d}' });
    expect((await add(key, reader, job('last', { depends_on: ['reader', "a 'b'", 'reader'] }))).jobs).toMatchObject([
      { name: 'reader', status: 'uninitialized' },
      { name: 'last', status: 'uninitialized' },
    ]);
    // producers added after their consumer
    const { jobs } = await add(key, job('writer', { output_files: ['in "x"'], output_user_data: ['d'] }));
    expect(jobs).toMatchObject([{ name: 'writer' }]);
    expect(await rows(service, 'jobs', key, { name: 'reader' })).toMatchObject([
      { command: 'cat x y.txt ${user_data.input.d}', num_blockers: 1 },
    ]);
    await service.call('workflow_start', { workflow_key: key, dry_run: false });
    expect(brokenInvariants(service.db)).toEqual([]);
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    expect(await finishNext(worker)).toBe("a 'b'");
    expect(await statuses(service, key)).toEqual({
      "a 'b'": 'done',
      reader: 'blocked',
      last: 'blocked',
      writer: 'ready',
    });
  });

  it('are refused together when one of the request is invalid', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }], [[0, 1]], {
      start: false,
      slurmConfigs: ["it's"],
      failureHandlers: [[rule()]],
    });
    await service.call('file_add', { workflow_key: key, name: 'f', path: 'f' });
    await service.call('file_add', { workflow_key: key, name: 'g', path: 'g' });
    await add(key, job('w', { output_files: ['f'] }), job('r', { input_files: ['f', 'g'] }));
    const before = await rows(service, 'events', key);
    const wrong: [AddedJob, string][] = [
      [job('a'), 'already has the name "a"'],
      [job('n', { depends_on: ['nobody'] }), 'no job "nobody"'],
      [job('n', { depends_on: ['n'] }), 'depends on itself'],
      [job('n', { input_files: ['h'] }), 'no file "h"'],
      [job('n', { command: 'x ${files.inputs.f}' }), '${files.inputs.f}'],
      [job('n', { resource_requirements: 'huge' }), 'no resource requirements "huge"'],
      [job('n', { resource_requirements: 'R1x' }), 'did you mean "r1"?'],
      [job('n', { scheduler: "it' s" }), 'no Slurm config "it\' s"; did you mean "it\'s"?'],
      [job('n', { failure_handler: 'h2' }), 'no failure handler "h2"; did you mean "h0"?'],
      [job('n', { output_files: ['f'] }), 'already writes the file "f"'],
      [job('n', { input_files: ['g'], command: 'x > ${files.output.g}' }), 'both reads and writes'],
      [job('n', { output_files: ['g'], depends_on: ['r'] }), 'would wait for itself'],
    ];
    for (const [one, message] of wrong) {
      await expect(add(key, job('fine'), one), message).rejects.toThrow(message);
    }
    expect(await rows(service, 'events', key)).toEqual(before);
    expect(Object.keys(await statuses(service, key))).toEqual(['a', 'b', 'w', 'r']);
    // the same cycle, through jobs and a barrier in between
    await add(key, job('after r', { depends_on: ['r'] }));
    const circle = job('n', { output_files: ['g'], depends_on: ['after r'] });
    await expect(add(key, circle)).rejects.toThrow('would wait for itself');
  });

  it('of a running workflow are ready, blocked or canceled at once', async () => {
    const key = await createWorkflow(service, [{ name: 'ok' }, { name: 'bad' }, { name: 'slow', cpus: 4 }]);
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    await finishNext(worker);
    await finishNext(worker, 3);
    await service.call('file_add', { workflow_key: key, name: 'f', path: 'f' });
    const added = await add(
      key,
      job('behind nothing'),
      job('behind ok', { depends_on: ['ok'] }),
      job('behind bad', { depends_on: ['bad', 'slow'], output_files: ['f'] }),
      job('all the same', { depends_on: ['bad'], cancel_on_blocking_job_failure: false }),
      job('behind slow', { depends_on: ['slow', 'ok'] }),
      job('behind canceled', { depends_on: ['behind bad', 'slow'] }),
    );
    expect(added.jobs.map(({ status }) => status)).toEqual([
      'ready',
      'ready',
      'canceled',
      'ready',
      'blocked',
      'canceled',
    ]);
    expect(brokenInvariants(service.db)).toEqual([]);
    const names = new Set<string>();
    for (let i = 0; i < 3; i++) names.add(await finishNext(worker));
    expect(names).toEqual(new Set(['behind nothing', 'behind ok', 'all the same']));
    await expect(add(key, job('n', { depends_on: ['slow'] }), job('m', { output_files: ['f'] }))).rejects.toThrow(
      'already writes the file "f"',
    );
  });

  it('are retried by the rules of their failure handler', async () => {
    const key = await createWorkflow(service, [], [], { failureHandlers: [[rule({ max_retries: 1 })]], start: false });
    await add(key, job('again', { failure_handler: 'h0' }));
    await service.call('workflow_start', { workflow_key: key, dry_run: false });
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    await finishNext(worker, 3);
    expect(await rows(service, 'jobs', key)).toMatchObject([
      { status: 'ready', failure_handler: 'h0', num_retries: 1 },
    ]);
  });

  it('share a file by one name: a second name for its path is refused', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }], [], { start: false });
    await service.call('workflow_modify', { workflow_key: key, changes: { base_directory: '/w' } });
    const addFile = (name: string, path: string) => service.call('file_add', { workflow_key: key, name, path });
    await addFile('f', 'out/100%_x');
    for (const path of ['out/100%_x', './out//100%_x', '/w/out/100%_x/']) {
      await expect(addFile('g', path), path).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringContaining('already has a file with the path'),
      });
    }
    await addFile('g', '/v/out/100%_x');
    await addFile('h', 'out/100a_x');
  });

  it('continue a run that had ended, and cannot come before jobs that have started', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    await finishNext(worker);
    await service.call('file_add', { workflow_key: key, name: 'f', path: 'f' });
    await add(key, job('reader', { input_files: ['f'] }));
    await expect(add(key, job('writer', { output_files: ['f'] }))).rejects.toThrow('is already ready');
    expect(await rows(service, 'workflows', null)).toMatchObject([{ status: 'waiting', ended_at: null }]);
    expect(await finishNext(await TestWorker.join(service, key, { cpus: 1 }))).toBe('reader');
    expect(await rows(service, 'workflows', null)).toMatchObject([{ status: 'done' }]);
    // the end of a run is told once
    expect(await rows(service, 'events', key, { type: 'workflow_ended' })).toHaveLength(1);
    await add(key, job('last'));
    await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    await expect(add(key, job('late'))).rejects.toMatchObject({ code: 'conflict' });
  });
});

describe('deleted jobs', () => {
  it('include downstream jobs, also through barriers, only with cascade', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => ({ name }));
    // a, b -> barrier -> c, d -> e; f stands alone
    const edges: [number, number][] = [
      [0, -1],
      [1, -1],
      [-1, 2],
      [-1, 3],
      [3, 4],
    ];
    const key = await createWorkflow(service, names, edges, { numBarriers: 1, start: false });
    const remove = async (job_keys: string[], cascade: boolean, dry_run = false) =>
      (await service.call('jobs_delete', { job_keys, cascade, dry_run })).jobs.map(({ name }) => name);
    const [a, c, d, e] = await Promise.all(['a', 'c', 'd', 'e'].map(keyOf));
    await expect(remove([String(d)], false)).rejects.toThrow('1 other job depends on these jobs: 5 ("e")');
    await expect(remove([String(c), '999'], true)).rejects.toMatchObject({ code: 'not_found' });
    expect(await remove([String(d)], true, true)).toEqual(['d', 'e']);
    expect(Object.keys(await statuses(service, key))).toHaveLength(6);
    expect(await remove([String(e), String(d)], false)).toEqual(['d', 'e']);
    expect(brokenInvariants(service.db)).toEqual([]);
    expect(await remove([String(a)], true)).toEqual(['a', 'c']);
    expect(await statuses(service, key)).toEqual({ b: 'uninitialized', f: 'uninitialized' });
    expect(service.db.all('SELECT * FROM edges')).toEqual([]);
    expect(service.db.all('SELECT * FROM barriers')).toEqual([]);
    await service.call('workflow_start', { workflow_key: key, dry_run: false });
    await expect(remove([await keyOf('f')], true)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('are removed from actions; an action without jobs never fires', async () => {
    const names = ['a', 'b', 'off'].map((name) => ({ name }));
    const actions: TestAction[] = [
      { trigger: 'on_jobs_ready', jobs: [0] },
      { trigger: 'on_jobs_ready', jobs: [0, 1] },
      { trigger: 'on_jobs_complete', jobs: [0, 1, 2] },
      { trigger: 'on_workflow_start', jobs: [0] },
    ];
    const key = await createWorkflow(service, names, [], { start: false, actions });
    const off = { workflow_key: key, dry_run: false, expected_state: null, skip: 0, job_keys: [await keyOf('off')] };
    await service.call('jobs_disable', off);
    const job_keys = [await keyOf('a'), await keyOf('off')];
    await service.call('jobs_delete', { job_keys, cascade: false, dry_run: false });
    expect(await rows(service, 'actions', key)).toMatchObject([
      { num_jobs: 0, num_jobs_awaited: 0 },
      { num_jobs: 1, num_jobs_awaited: 1 },
      { num_jobs: 1, num_jobs_awaited: 1 },
      { num_jobs: 0, num_jobs_awaited: 0 },
    ]);
    expect(brokenInvariants(service.db)).toEqual([]);
    await service.call('workflow_start', { workflow_key: key, dry_run: false });
    await finishNext(await TestWorker.join(service, key));
    expect((await rows(service, 'actions', key)).map((action) => action.num_firings)).toEqual([0, 1, 1, 1]);
  });
});

describe('files and requirements', () => {
  it('are added once, assigned to all jobs or none, and deleted only while unused', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b', cpus: 2 }]);
    const need = { num_cpus: 3, memory_bytes: null, gpu_thousandths: 500, num_nodes: 1, runtime_ms: 5000 };
    const request = { workflow_key: key, name: "it's", ...need };
    const { resource_requirements_key } = await service.call('resource_requirements_add', request);
    await expect(service.call('resource_requirements_add', request)).rejects.toMatchObject({ code: 'conflict' });
    const assign = (job_keys: string[]) =>
      service.call('resource_requirements_assign', { resource_requirements_key, job_keys });
    await expect(assign([await keyOf('a'), '77'])).rejects.toMatchObject({ code: 'not_found' });
    expect(await rows(service, 'jobs', key, { name: 'a' })).toMatchObject([{ num_cpus: 1 }]);
    await assign([await keyOf('a'), await keyOf('b')]);
    expect(await rows(service, 'jobs', key)).toMatchObject([
      { name: 'a', num_cpus: 3, num_gpus: 0.5, runtime_seconds: 5, resource_requirements: "it's" },
      { name: 'b', num_cpus: 3 },
    ]);
    await service.call('job_modify', { job_key: await keyOf('a'), dry_run: false, changes: { num_cpus: 9 } });
    await assign([await keyOf('a')]);
    expect(await rows(service, 'jobs', key, { num_cpus: '3' })).toHaveLength(2);

    const { file_key } = await service.call('file_add', { workflow_key: key, name: 'f', path: '-p' });
    await expect(service.call('file_add', { workflow_key: key, name: 'f', path: 'q' })).rejects.toThrow('already');
    await add(key, job('reader', { input_files: ['f'], resource_requirements: "it's" }));
    await expect(service.call('file_delete', { file_key })).rejects.toThrow('"reader" (key 3) reads it');
    const other = await service.call('file_add', { workflow_key: key, name: 'g', path: 'g' });
    await service.call('file_delete', { file_key: other.file_key });
    expect(await rows(service, 'files', key)).toMatchObject([{ name: 'f', path: '-p' }]);
  });
});

describe('a changed workflow', () => {
  it('returns the fields that change and keeps the others', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }], [], { start: false });
    const changes = { name: 'new\n"name"', metadata: { a: [1] }, is_archived: true, expiration_buffer_seconds: 5 };
    const modify = () => service.call('workflow_modify', { workflow_key: key, changes });
    expect((await modify()).changes).toEqual([
      { field: 'name', old_value: 'test', new_value: 'new\n"name"' },
      { field: 'metadata', old_value: null, new_value: { a: [1] } },
      { field: 'is_archived', old_value: false, new_value: true },
      { field: 'expiration_buffer_seconds', old_value: 180, new_value: 5 },
    ]);
    expect((await modify()).changes).toEqual([]);
    expect(await rows(service, 'workflows', null)).toMatchObject([
      { name: 'new\n"name"', is_archived: true, metadata: { a: [1] }, description: null },
    ]);
  });
});

describe('attributes', () => {
  const change = (key: string, attributes: Record<string, string | null>) =>
    service.call('workflow_modify', { workflow_key: key, changes: { attributes } });
  const changeJob = (key: string, attributes: Record<string, string | null>, dry_run = false) =>
    service.call('job_modify', { job_key: key, dry_run, changes: { attributes } });

  it('are set, changed and removed one by one, also of a running job, and found by a filter', async () => {
    const [one, other] = [
      await createWorkflow(service, [{ name: 'a' }]),
      await createWorkflow(service, [], [], { start: false }),
    ];
    await change(one, { release_id: '123', note: 'Q4' });
    await change(other, { release_id: '124' });
    expect(await change(one, { note: null, release_id: '123', stage: 'x=y' })).toMatchObject({
      changes: [
        { field: 'attribute.note', old_value: 'Q4', new_value: null },
        { field: 'attribute.stage', old_value: null, new_value: 'x=y' },
      ],
    });
    const found = await rows(service, 'workflows', null, { 'attribute.release_id': '123' });
    expect(found).toMatchObject([{ workflow_key: one, attributes: { release_id: '123', stage: 'x=y' } }]);
    expect(await rows(service, 'workflows', null, { 'attribute.stage': '' })).toMatchObject([{ workflow_key: other }]);

    const { jobs } = await add(one, job('b', { attributes: { site: 'north', n: '2' } }), job('c'));
    const [b = '', c = ''] = jobs.map((added) => added.job_key);
    await (await TestWorker.join(service, one, { cpus: 3 })).exchange();
    expect(await statuses(service, one)).toMatchObject({ b: 'submitted_pending' });
    const planned = await changeJob(b, { site: null, n: '10' }, true);
    expect(await changeJob(b, { site: null, n: '10' })).toEqual({ ...planned, dry_run: false });
    await changeJob(c, { n: '9' });
    await expect(
      service.call('job_modify', { job_key: b, dry_run: false, changes: { priority: 1 } }),
    ).rejects.toThrow();
    const sorted = { sort_by: 'attribute.n', reverse: true, limit: 9, skip: 0 };
    const listed = await service.call('list', { list: 'jobs', workflow_key: one, filters: [], ...sorted });
    expect(listed.records.map(({ name, attributes }) => [name, attributes])).toEqual([
      ['c', { n: '9' }],
      ['b', { n: '10' }],
      ['a', null],
    ]);
    await changeJob(c, { n: null });
    expect((await rows(service, 'jobs', one, { 'attribute.n': '10' })).map(({ name }) => name)).toEqual(['b']);
    expect(service.db.all('SELECT * FROM job_attributes')).toHaveLength(1);

    await service.call('workflow_copy', { workflow_key: one, how: 'clone', dry_run: false, name: null });
    expect(await rows(service, 'workflows', null, { 'attribute.release_id': '123' })).toHaveLength(2);
    expect((await rows(service, 'jobs', '3', { 'attribute.n': '10' })).map(({ name }) => name)).toEqual(['b']);
    await service.call('workflow_delete', { workflow_key: '3', dry_run: false });
    expect(service.db.all('SELECT * FROM job_attributes')).toHaveLength(1);
  });

  it('have names that are safe in SQL, and limits', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }], [], { start: false });
    for (const name of ['a"b', "a'b", '1a', 'a b', '_a', '']) {
      await expect(rows(service, 'jobs', key, { [`attribute.${name}`]: 'x' }), name).rejects.toThrow(
        'an attribute name',
      );
      await expect(change(key, { [name]: 'x' }), name).rejects.toMatchObject({ code: 'usage' });
    }
    await expect(rows(service, 'events', key, { 'attribute.a': 'x' })).rejects.toThrow("no column 'attribute.a'");
    await expect(change(key, { a: 'x'.repeat(1001) })).rejects.toMatchObject({ code: 'usage' });
    const many = (from: number) => Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`a${from + i}`, 'x']));
    await change(key, many(0));
    await expect(change(key, many(60))).rejects.toThrow('there would be 120 attributes; at most 100 are allowed');
    await change(key, many(40));
    expect(Object.keys((await rows(service, 'workflows', null))[0]?.attributes as object)).toHaveLength(100);
  });
});

describe('an imported history', () => {
  it('triggers no action; what follows in that run does, and so does the next run', async () => {
    const actions: TestAction[] = [
      { trigger: 'on_workflow_start' },
      { trigger: 'on_workflow_complete' },
      { trigger: 'on_jobs_ready', jobs: [1] },
      { trigger: 'on_jobs_complete', jobs: [0] },
      { trigger: 'on_jobs_complete', jobs: [0, 1], persistent: true },
    ];
    const jobs = [{ name: 'done' }, { name: 'left' }];
    const make = async (job_statuses: JobStatus[], ended_at: string | null): Promise<string> => {
      const workflow_key = await createWorkflow(service, jobs, [], { start: false, actions });
      const finish = { workflow_key, run_id: 3, is_canceled: false, started_at: null, ended_at, job_statuses };
      await service.call('workflow_import_finish', finish);
      return workflow_key;
    };
    const firings = async (key: string) => (await rows(service, 'actions', key)).map((action) => action.num_firings);
    const awaited = async (key: string) =>
      (await rows(service, 'actions', key)).slice(2).map((action) => action.num_jobs_awaited);

    const whole = await make(['done', 'done'], '2026-01-01T00:00:00.000Z');
    const half = await make(['done', 'ready'], null);
    for (const key of [whole, half]) expect(await firings(key)).toEqual([0, 0, 0, 0, 0]);
    expect(await awaited(whole)).toEqual([0, 0, 0]);
    expect(await awaited(half)).toEqual([1, 0, 1]);
    expect(brokenInvariants(service.db)).toEqual([]);

    const restart = (workflow_key: string) =>
      service.call('workflow_restart', {
        ...{ workflow_key, dry_run: false, expected_state: null, skip: 0, ignore_missing_data: false },
        ...{ only_uninitialized: false, keep_running: false, force: false, assume_stopped: false },
        working_directory: '/',
      });
    await restart(half);
    await finishNext(await TestWorker.join(service, half, { cpus: 1 }));
    expect(await firings(half)).toEqual([1, 1, 1, 0, 1]);
    await service.call('jobs_reset', {
      ...{ workflow_key: whole, dry_run: false, expected_state: null, skip: 0 },
      which: [String((await rows(service, 'jobs', whole, { name: 'left' }))[0]?.job_key)],
    });
    expect(await firings(whole)).toEqual([0, 0, 0, 0, 0]);
    await restart(whole);
    expect(await firings(whole)).toEqual([1, 0, 1, 0, 0]);
    await finishNext(await TestWorker.join(service, whole, { cpus: 1 }));
    expect(await firings(whole)).toEqual([1, 1, 1, 0, 1]);
  });

  it('leaves correct counters for any statuses, and is refused by a workflow with a history of its own', async () => {
    const names = ['done', 'failed', 'behind', 'anyway', 'ran', 'off', 'wait', 'a', 'b'].map((name) => {
      return { name, cancelOnFailure: name !== 'anyway' };
    });
    // failed -> behind, anyway; done -> off; ran -> wait; done, ran -> barrier -> a, b
    const edges: [number, number][] = [
      [1, 2],
      [1, 3],
      [0, 5],
      [4, 6],
      [0, -1],
      [4, -1],
      [-1, 7],
      [-1, 8],
    ];
    const key = await createWorkflow(service, names, edges, { numBarriers: 1, start: false });
    const result = {
      ...({ status: 'done', cause: 'exit_code' } as const),
      ...{ run_id: 2, attempt_id: 1, start_time: null, end_time: null },
      ...{ exec_time_seconds: 1.5, peak_memory_bytes: null, average_memory_bytes: null, cpu_seconds: null },
      ...{ hostname: 'n1', slurm_job_id: '7', num_nodes: 2, num_cpus: 1, memory_bytes: 0, gpu_indices: [3] },
      ...{ exit_code: 4, signal: null, detail: null },
    };
    const history = (job_name: string) => ({
      workflow_key: key,
      events: [],
      results: [{ ...result, job_name, return_code: 4 }],
    });
    await service.call('workflow_import_history', history('failed'));
    await expect(service.call('workflow_import_history', history('nobody'))).rejects.toThrow('no job "nobody"');
    const finish = {
      ...{ workflow_key: key, run_id: 2, is_canceled: false, started_at: null, ended_at: null },
      job_statuses: [
        'done',
        'done',
        'canceled',
        'blocked',
        'submitted',
        'disabled',
        'ready',
        'blocked',
        'terminated',
      ] as JobStatus[],
    };
    await expect(service.call('workflow_import_finish', { ...finish, job_statuses: ['done'] })).rejects.toMatchObject({
      code: 'usage',
    });
    await service.call('workflow_import_finish', finish);
    expect(await statuses(service, key)).toEqual({
      ...{ done: 'done', failed: 'done', behind: 'canceled', anyway: 'uninitialized', ran: 'uninitialized' },
      ...{ off: 'disabled', wait: 'uninitialized', a: 'uninitialized', b: 'terminated' },
    });
    expect(await rows(service, 'jobs', key, { outcome: 'failed' })).toMatchObject([
      { return_code: 4, slurm_job_id: '7' },
    ]);
    expect(await rows(service, 'results', key)).toMatchObject([{ num_nodes: 2 }]);
    await expect(service.call('workflow_import_finish', finish)).rejects.toMatchObject({ code: 'conflict' });
  });
});
