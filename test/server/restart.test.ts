/** Restart, reset and disable over a real database: what changes, what stays, what is refused. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Request } from '../../src/api/contract.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, finished, freshService, rows, statuses, TestWorker } from '../support/service.ts';

type Fresh = Awaited<ReturnType<typeof freshService>>;

let fresh: Fresh;
beforeEach(async () => {
  fresh = await freshService();
});
afterEach(async () => {
  expect(brokenInvariants(fresh.service.db)).toEqual([]);
  await fresh.close();
});

type RestartOptions = Partial<Omit<Request<'workflow_restart'>, 'workflow_key'>>;

function restart(key: string, options: RestartOptions = {}) {
  return fresh.service.call('workflow_restart', {
    workflow_key: key,
    dry_run: false,
    expected_state: null,
    skip: 0,
    ignore_missing_data: false,
    only_uninitialized: false,
    keep_running: false,
    force: false,
    assume_stopped: false,
    working_directory: '/',
    ...options,
  });
}

function reset(key: string, which: Request<'jobs_reset'>['which'], options: Partial<Request<'jobs_reset'>> = {}) {
  const request = { workflow_key: key, dry_run: false, expected_state: null, skip: 0, which };
  return fresh.service.call('jobs_reset', { ...request, ...options });
}

const jobsOf = async (key: string) => rows(fresh.service, 'jobs', key);
const keyOf = async (key: string, name: string): Promise<string> =>
  String((await jobsOf(key)).find((job) => job.name === name)?.job_key);

/** The whole database as text, for comparison. */
function dump(): string {
  const { db } = fresh.service;
  const tables = db.all(`SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`);
  return JSON.stringify(tables.map(({ name }) => [name, db.all(`SELECT * FROM "${name}"`)]));
}

/** a -> b, c -> d; b fails, so d is canceled. */
async function failedDiamond(): Promise<{ key: string; worker: TestWorker }> {
  const key = await createWorkflow(
    fresh.service,
    ['a', 'b', 'c', 'd'].map((name) => ({ name })),
    [
      [0, 1],
      [0, 2],
      [1, 3],
      [2, 3],
    ],
  );
  const worker = await TestWorker.join(fresh.service, key);
  await worker.exchange();
  await worker.finish(worker.held[0] as number);
  const [b, c] = worker.held as [number, number];
  worker.held = [];
  await worker.exchange({ finished: [finished(b, 1), finished(c)] });
  return { key, worker };
}

describe('restart', () => {
  it('a failed job stays done, jobs that it canceled stay canceled, and the plan says what would help', async () => {
    const { key } = await failedDiamond();
    const before = dump();
    const planned = await restart(key, { dry_run: true });
    expect(dump()).toBe(before);
    const applied = await restart(key);
    expect({ ...applied, dry_run: true }).toEqual(planned);
    expect(applied.changes).toEqual([]);
    expect(applied).toMatchObject({ begins_run: false, run_id: 1 });
    const b = await keyOf(key, 'b');
    expect(applied.kept).toEqual([
      expect.objectContaining({
        job_name: 'b',
        reason: `failed with return code 1: torc jobs reset-status ${b}`,
      }),
      expect.objectContaining({
        job_name: 'd',
        reason: `b failed with return code 1: torc jobs reset-status ${b}`,
      }),
    ]);
    expect(await statuses(fresh.service, key)).toEqual({ a: 'done', b: 'done', c: 'done', d: 'canceled' });
  });

  it('after a reset of the failed jobs, exactly these and all downstream jobs run again; results of run 1 stay', async () => {
    const { key } = await failedDiamond();
    const results = await rows(fresh.service, 'results', key);
    const before = dump();
    const plan = await reset(key, 'failed', { dry_run: true });
    const rehearsed = await restart(key, { dry_run: true, only_uninitialized: true, after_reset: 'failed' });
    expect(dump()).toBe(before);
    await expect(restart(key, { after_reset: 'failed' })).rejects.toMatchObject({ code: 'usage' });
    expect(await reset(key, 'failed')).toEqual({ ...plan, dry_run: false });
    expect(plan.changes.map(({ job_name, new_status, reason }) => [job_name, new_status, reason])).toEqual([
      ['b', 'uninitialized', 'return code 1'],
      ['d', 'uninitialized', `downstream of b (job ${await keyOf(key, 'b')})`],
    ]);
    const applied = await restart(key, { only_uninitialized: true });
    expect(rehearsed).toEqual({ ...applied, dry_run: true });
    expect(applied.changes.map(({ job_name, new_status }) => [job_name, new_status])).toEqual([
      ['b', 'ready'],
      ['d', 'blocked'],
    ]);
    expect(await rows(fresh.service, 'results', key)).toEqual(results);
    const worker = await TestWorker.join(fresh.service, key);
    await worker.exchange();
    await worker.finish(worker.held[0] as number);
    await worker.finish(worker.held[0] as number);
    expect(new Set(Object.values(await statuses(fresh.service, key)))).toEqual(new Set(['done']));
    const ofB = (await rows(fresh.service, 'results', key)).filter((result) => result.job_name === 'b');
    expect(ofB.map(({ run_id, attempt_id, return_code }) => [run_id, attempt_id, return_code])).toEqual([
      [1, 1, 1],
      [2, 1, 0],
    ]);
  });

  it('refuses while a worker runs jobs, naming them; keeps them on request, with their run', async () => {
    const key = await createWorkflow(fresh.service, [{ name: 'long job' }, { name: 'stopped' }]);
    await fresh.service.call('workflow_modify', { workflow_key: key, changes: { max_losses: 0 } });
    const worker = await TestWorker.join(fresh.service, key);
    await worker.exchange();
    const [long, stopped] = worker.held as [number, number];
    worker.held = [long];
    const end = { ...finished(stopped), status: 'terminated' as const, return_code: null, cause: 'walltime' as const };
    await worker.exchange({ finished: [end], draining: true, started: [{ attempt: long, age_ms: 0, pid: 7 }] });
    await expect(restart(key)).rejects.toMatchObject({ code: 'conflict', message: expect.stringMatching(/long job/) });
    const plan = await restart(key, { keep_running: true });
    expect(plan.changes.map(({ job_name, reason }) => [job_name, reason])).toEqual([
      ['stopped', 'was stopped: walltime'],
    ]);
    expect(plan).toMatchObject({ run_id: 2, num_running: 1, num_ready: 1 });
    await worker.finish(long, 0, { draining: true });
    const [result] = (await rows(fresh.service, 'results', key)).filter((row) => row.job_name === 'long job');
    expect(result).toMatchObject({ run_id: 1, return_code: 0 });
  });

  it('the future output of a running job is not missing', async () => {
    const key = await createWorkflow(
      fresh.service,
      [{ name: 'writes', writes: [0] }, { name: 'reads', reads: [0] }, { name: 'beside' }],
      [[0, 1]],
      { userData: [{ name: 'u', data: null, is_ephemeral: false }] },
    );
    const worker = await TestWorker.join(fresh.service, key);
    await worker.exchange();
    const [, beside] = worker.held as [number, number];
    await worker.finish(beside, 1, { draining: true });
    await reset(key, 'failed');
    const options = { dry_run: true, only_uninitialized: true };
    expect((await restart(key, options)).changes).toMatchObject([{ job_name: 'beside', new_status: 'ready' }]);
    expect(await restart(key, { keep_running: true })).toMatchObject({ num_running: 1, num_blocked: 1, num_ready: 1 });
    await reset(key, [await keyOf(key, 'beside')]);
    const disable = { workflow_key: key, dry_run: false, expected_state: null, skip: 0 };
    await worker.finish(worker.held[0] as number, 1, { draining: true });
    await fresh.service.call('jobs_disable', { ...disable, job_keys: [await keyOf(key, 'writes')] });
    await expect(restart(key)).rejects.toMatchObject({ message: 'missing: user data u, needed by reads' });
    expect((await restart(key, options)).changes).toMatchObject([{ job_name: 'beside', new_status: 'ready' }]);
  });

  it('a kept job that returns unstarted waits again when an upstream job runs again', async () => {
    const jobs = [{ name: 'a' }, { name: 'b', cancelOnFailure: false }];
    const key = await createWorkflow(fresh.service, jobs, [[0, 1]]);
    const worker = await TestWorker.join(fresh.service, key);
    const [a] = (await worker.exchange()).jobs;
    const end = {
      ...finished(a?.attempt ?? 0),
      status: 'terminated' as const,
      return_code: null,
      cause: 'canceled' as const,
    };
    worker.held = [];
    const [b] = (await worker.exchange({ finished: [{ ...end, status: 'canceled' as const }] })).jobs;
    expect(b?.job_name).toBe('b');
    await restart(key, { keep_running: true });
    expect(await statuses(fresh.service, key)).toEqual({ a: 'ready', b: 'submitted_pending' });
    worker.held = [];
    await worker.exchange({ returned: [b?.attempt ?? 0], draining: true });
    expect(await statuses(fresh.service, key)).toEqual({ a: 'ready', b: 'blocked' });
  });

  it('a kept job that returns after an upstream job has failed is canceled, and so is what waits for it', async () => {
    const jobs = ['a', 'b', 'c'].map((name) => ({ name }));
    const key = await createWorkflow(fresh.service, jobs, [
      [0, 1],
      [1, 2],
    ]);
    const worker = await TestWorker.join(fresh.service, key);
    const other = await TestWorker.join(fresh.service, key);
    const [a] = (await worker.exchange()).jobs;
    await worker.finish(a?.attempt ?? 0, 0, { draining: true });
    const [b] = (await other.exchange()).jobs;
    const changed = { job_keys: [await keyOf(key, 'a')], dry_run: false, changes: { command: 'another' } };
    await fresh.service.call('jobs_modify', changed);
    await restart(key, { keep_running: true });
    expect(await statuses(fresh.service, key)).toEqual({ a: 'ready', b: 'submitted_pending', c: 'blocked' });
    const [again] = (await worker.exchange()).jobs;
    await worker.finish(again?.attempt ?? 0, 1, { draining: true });
    expect(await statuses(fresh.service, key)).toEqual({ a: 'done', b: 'submitted_pending', c: 'blocked' });
    other.held = [];
    await other.exchange({ returned: [b?.attempt ?? 0], draining: true });
    expect(await statuses(fresh.service, key)).toEqual({ a: 'done', b: 'canceled', c: 'canceled' });
    const causes = (await jobsOf(key)).map(({ failed_upstream_key }) => failed_upstream_key);
    expect(causes).toEqual([null, again?.job_key, again?.job_key]);
  });

  it('a job that is being canceled cannot be kept: its end would cancel the new run', async () => {
    const key = await createWorkflow(fresh.service, [{ name: 'a' }, { name: 'b' }], [[0, 1]]);
    const worker = await TestWorker.join(fresh.service, key);
    await worker.exchange();
    const [attempt] = worker.held as [number];
    await fresh.service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    await expect(restart(key, { keep_running: true })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(/being stopped and cannot be kept: a \(job/),
    });
    expect(await statuses(fresh.service, key)).toEqual({ a: 'submitted_pending', b: 'canceled' });
    // nor while its worker is silent
    await fresh.service.write((tx) => tx.db.run('UPDATE compute_nodes SET contact_lost_at = 1'));
    await expect(restart(key, { keep_running: true })).rejects.toMatchObject({
      message: expect.stringMatching(/cannot be kept: a \(job/),
      hint: expect.stringMatching(/--force/),
    });
    worker.held = [];
    await worker.exchange({ returned: [attempt], draining: true });
    expect(await restart(key, { keep_running: true })).toMatchObject({ num_ready: 1, num_blocked: 1, num_running: 0 });
  });

  it('a late report of an attempt that was given up changes nothing and is kept as an event', async () => {
    const key = await createWorkflow(fresh.service, [{ name: 'a' }]);
    const worker = await TestWorker.join(fresh.service, key);
    await worker.exchange();
    const [attempt] = worker.held as [number];
    const silent = 'UPDATE compute_nodes SET contact_lost_at = 1';
    await fresh.service.write((tx) => tx.db.run(silent));
    await expect(restart(key)).rejects.toMatchObject({ message: expect.stringMatching(/contact .* is lost/) });
    const { changes } = await restart(key, { force: true });
    expect(changes).toMatchObject([{ old_status: 'submitted_pending', new_status: 'ready', reason: 'given up' }]);
    worker.held = [];
    const { reports } = await worker.exchange({ finished: [finished(attempt, 3)], draining: true });
    expect(reports).toMatchObject([{ answer: 'superseded' }]);
    expect(await statuses(fresh.service, key)).toEqual({ a: 'ready' });
    expect(await rows(fresh.service, 'events', key, { type: 'report_superseded' })).toHaveLength(1);
  });

  it('brings a canceled workflow back', async () => {
    const key = await createWorkflow(fresh.service, [{ name: 'a' }, { name: 'b' }], [[0, 1]]);
    await fresh.service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    expect(await statuses(fresh.service, key)).toEqual({ a: 'canceled', b: 'canceled' });
    await restart(key);
    expect(await statuses(fresh.service, key)).toEqual({ a: 'ready', b: 'blocked' });
    expect((await fresh.service.call('workflow_show', { workflow_key: key })).status).toBe('ready');
  });

  it('a cancel in progress does not touch the new run', async () => {
    const key = await createWorkflow(fresh.service, [{ name: 'a' }, { name: 'b' }], [[0, 1]]);
    const canceling = fresh.service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    await restart(key);
    await canceling;
    expect(await statuses(fresh.service, key)).toEqual({ a: 'ready', b: 'blocked' });
    expect((await fresh.service.call('workflow_show', { workflow_key: key })).status).toBe('ready');
  });

  it('starts a workflow that was never started', async () => {
    const key = await createWorkflow(fresh.service, [{ name: 'a' }], [], { start: false });
    expect(await restart(key)).toMatchObject({ run_id: 1, num_ready: 1 });
  });

  it('first stops running jobs; until then no job is claimed and workers wait', async () => {
    const key = await createWorkflow(fresh.service, [{ name: 'a' }, { name: 'b' }]);
    const worker = await TestWorker.join(fresh.service, key, { maxJobs: 1 });
    await worker.exchange();
    const [attempt] = worker.held as [number];
    const stop = await fresh.service.call('workflow_stop_running', { workflow_key: key, stop: true });
    expect(stop).toMatchObject({ num_stopping: 1, running: [{ job_name: 'a' }] });
    const told = await worker.exchange({ started: [{ attempt, age_ms: 0, pid: 1 }] });
    expect(told.stop).toEqual([{ attempt, reason: 'restart' }]);
    worker.held = [];
    const end = { ...finished(attempt), status: 'terminated' as const, return_code: null, cause: 'canceled' as const };
    const reply = await worker.exchange({ finished: [end] });
    expect(reply).toMatchObject({ jobs: [], leave: false });
    const after = await fresh.service.call('workflow_stop_running', { workflow_key: key, stop: true });
    expect(after.running).toEqual([]);
    await restart(key);
    const { jobs } = await worker.exchange();
    expect(jobs).toHaveLength(1);
  });
});

describe('a mark', () => {
  it('brings back what a failure canceled, and what went on without that waits for it', async () => {
    const jobs = [{ name: 'a' }, { name: 'b' }, { name: 'c', cancelOnFailure: false, cpus: 8 }];
    const edges: [number, number][] = [
      [0, 1],
      [1, 2],
    ];
    const key = await createWorkflow(fresh.service, jobs, edges);
    const worker = await TestWorker.join(fresh.service, key, { cpus: 1 });
    await worker.exchange();
    await worker.finish(worker.held[0] as number, 1, { draining: true });
    expect(await statuses(fresh.service, key)).toEqual({ a: 'done', b: 'canceled', c: 'ready' });
    const request = { workflow_key: key, expected_state: null, skip: 0, job_keys: [await keyOf(key, 'a')] };
    const planned = await fresh.service.call('jobs_mark_done', { ...request, dry_run: true });
    expect(await fresh.service.call('jobs_mark_done', { ...request, dry_run: false })).toEqual({
      ...planned,
      dry_run: false,
    });
    expect(planned.changes.map((change) => [change.job_name, change.new_status])).toEqual([
      ['a', 'done'],
      ['b', 'ready'],
      ['c', 'blocked'],
    ]);
    expect(await statuses(fresh.service, key)).toEqual({ a: 'done', b: 'ready', c: 'blocked' });
  });
});

describe('reset and disable', () => {
  it('an unknown key changes nothing and is named', async () => {
    const { key } = await failedDiamond();
    const before = dump();
    await expect(reset(key, [await keyOf(key, 'a'), '999'])).rejects.toMatchObject({
      code: 'not_found',
      message: `workflow ${key} has no job 999`,
    });
    expect(dump()).toBe(before);
  });

  it('refuses a plan that was made from another state', async () => {
    const { key } = await failedDiamond();
    const { state } = await reset(key, 'all', { dry_run: true });
    await reset(key, 'failed');
    await expect(reset(key, 'all', { expected_state: state })).rejects.toMatchObject({ code: 'conflict' });
  });

  it('a running job is not reset', async () => {
    const key = await createWorkflow(fresh.service, [{ name: 'a' }, { name: 'b' }], [[0, 1]]);
    const worker = await TestWorker.join(fresh.service, key);
    await worker.exchange();
    await expect(reset(key, 'all')).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(/a \(job/),
    });
  });

  it('a disabled job counts as satisfied; jobs that waited for it become ready; a reset by name enables it again', async () => {
    const key = await createWorkflow(fresh.service, [{ name: 'a' }, { name: 'b' }], [[0, 1]]);
    const a = await keyOf(key, 'a');
    const request = { workflow_key: key, expected_state: null, skip: 0, job_keys: [a] };
    const plan = await fresh.service.call('jobs_disable', { ...request, dry_run: false });
    expect(plan.changes.map(({ job_name, new_status }) => [job_name, new_status])).toEqual([
      ['a', 'disabled'],
      ['b', 'ready'],
    ]);
    await reset(key, [a]);
    expect(await statuses(fresh.service, key)).toEqual({ a: 'uninitialized', b: 'uninitialized' });
  });
});

describe('a base directory that is gone', () => {
  /** A workflow whose jobs are done, with a base directory and, if named, a declared file. */
  async function based(directory: string, path: string | null): Promise<string> {
    const key = await createWorkflow(fresh.service, [{ name: 'a' }]);
    await fresh.service.call('workflow_modify', { workflow_key: key, changes: { base_directory: directory } });
    if (path !== null) await fresh.service.call('file_add', { workflow_key: key, name: 'f', path });
    const worker = await TestWorker.join(fresh.service, key);
    await worker.exchange();
    const [a] = worker.held as [number];
    await worker.exchange({ held: [], finished: [finished(a)] });
    return key;
  }

  it.each([
    ['that files are relative to', 'out'],
    ['that files are in', 'BASE/out'],
  ])('%s refuses a restart and changes nothing', async (_, path) => {
    const gone = join(fresh.directory, 'gone');
    const key = await based(gone, path.replace('BASE', gone));
    const before = dump();
    for (const options of [{}, { dry_run: true }, { ignore_missing_data: true }, { only_uninitialized: true }]) {
      await expect(restart(key, options)).rejects.toMatchObject({
        code: 'not_found',
        message: expect.stringContaining(`there is no directory ${gone} on ${hostname()}`),
        hint: `If its files have moved: torc workflows modify ${key} --base-directory DIR`,
      });
    }
    expect(dump()).toBe(before);
    mkdirSync(gone);
    expect(await restart(key)).toMatchObject({ base_directory: gone });
  });

  it('matters to no workflow without files there', async () => {
    const gone = join(fresh.directory, 'gone');
    for (const path of [null, '/elsewhere/out']) {
      const key = await based(gone, path);
      expect(await restart(key), path ?? 'no file').toMatchObject({ base_directory: gone });
    }
  });

  it('is told apart from one that cannot be read now', async () => {
    const loop = join(fresh.directory, 'loop');
    symlinkSync('loop', loop);
    const key = await based(loop, 'out');
    await expect(restart(key)).rejects.toMatchObject({
      code: 'unusable',
      message: expect.stringContaining(`cannot look into ${loop}`),
      hint: expect.stringContaining('Try again'),
    });
  });

  it('is named by a first run instead of the inputs in it', async () => {
    const gone = join(fresh.directory, 'gone');
    const key = await createWorkflow(fresh.service, [{ name: 'a' }], [], { start: false });
    await fresh.service.call('workflow_modify', { workflow_key: key, changes: { base_directory: gone } });
    await fresh.service.call('file_add', { workflow_key: key, name: 'f', path: 'in' });
    const reader = {
      ...{ name: 'reader', command: 'true', invocation_script: null, resource_requirements: null, scheduler: null },
      ...{ failure_handler: null, priority: 0, cancel_on_blocking_job_failure: true, supports_termination: false },
      ...{ depends_on: [], input_files: ['f'], output_files: [], input_user_data: [], output_user_data: [] },
    };
    await fresh.service.call('jobs_add', { workflow_key: key, jobs: [reader] });
    const start = (ignore_missing_data: boolean) =>
      fresh.service.call('workflow_start', { workflow_key: key, dry_run: false, ignore_missing_data });
    await expect(start(false)).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining(`there is no directory ${gone}`),
    });
    await start(true);
  });
});
