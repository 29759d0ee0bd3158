/** Runs that end before all their jobs have run: too many failures, or the timeout of the run. */
import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openService } from '../../src/server/open.ts';
import type { Service } from '../../src/server/service.ts';
import { Timekeeper } from '../../src/server/time/timekeeper.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, rows, rule, statuses, TestWorker, temporaryDirectory } from '../support/service.ts';

let clock: FakeClock;
let directory: string;
let service: Service;
let timekeeper: Timekeeper | null = null;

async function open(): Promise<void> {
  service = await openService(directory, clock, 'test');
  timekeeper = new Timekeeper(service);
  timekeeper.start();
}
async function close(): Promise<void> {
  expect(brokenInvariants(service.db)).toEqual([]);
  timekeeper?.close();
  await service.close();
}
beforeEach(async () => {
  clock = new FakeClock();
  directory = temporaryDirectory();
  await open();
});
afterEach(async () => {
  await close();
  rmSync(directory, { recursive: true, force: true });
});

const workflow = (key: string) => service.call('workflow_show', { workflow_key: key });
const modify = (key: string, changes: object) => service.call('workflow_modify', { workflow_key: key, changes });
const events = async (key: string, type: string) =>
  (await rows(service, 'events', key, { type })).map(({ data }) => data);
const numDue = () => service.db.get<{ n: number }>('SELECT count(*) AS n FROM due')?.n;

async function restart(key: string) {
  const plan = { dry_run: false, expected_state: null, skip: 0, ignore_missing_data: false, only_uninitialized: false };
  const choice = { keep_running: false, force: false, assume_stopped: false, working_directory: '/' };
  return await service.call('workflow_restart', { workflow_key: key, ...plan, ...choice });
}
async function whyOf(key: string, name: string) {
  const [job] = await rows(service, 'jobs', key, { name });
  return await service.call('job_show', { job_key: job?.job_key as string });
}
/** The attempts that a worker holds, by the names of their jobs. */
async function heldBy(worker: TestWorker): Promise<Map<string, number>> {
  const sql = 'SELECT j.name, a.attempt_key FROM attempts a JOIN jobs j USING (job_key) WHERE a.attempt_key = ?';
  return new Map(
    worker.held.map((attempt) => {
      const row = service.db.get<{ name: string; attempt_key: number }>(sql, attempt);
      return [row?.name ?? '', attempt];
    }),
  );
}

describe('a run with as many failures as it may have', () => {
  const names = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name }));

  it('starts nothing more in the same transaction, lets jobs finish, and cancels what waits with that reason', async () => {
    const key = await createWorkflow(service, names, [[1, 4]], { maxFailures: 1 });
    const worker = await TestWorker.join(service, key, { cpus: 2 });
    const other = await TestWorker.join(service, key, { cpus: 1 });
    await worker.exchange();
    const waiting = other.exchange();
    await clock.advance(1);
    const held = await heldBy(worker);
    expect([...held.keys()]).toEqual(['a', 'b']);
    // c was claimed by the other worker
    expect((await waiting).jobs).toHaveLength(1);
    expect((await worker.finish(held.get('a') as number, 3)).jobs).toEqual([]);
    expect(await statuses(service, key)).toMatchObject({ a: 'done', d: 'canceled', e: 'canceled' });
    expect(await workflow(key)).toMatchObject({ status: 'running', cut_off_by: 'max_failures', ended_at: null });
    expect((await whyOf(key, 'd')).reasons).toEqual([{ code: 'max_failures', max_failures: 1 }]);
    expect((await whyOf(key, 'e')).why).toBe('It never ran because its run had reached 1 failure (max_failures).');
    expect(await events(key, 'max_failures_reached')).toEqual([{ run_id: 1, num_failures: 1, max_failures: 1 }]);
    await worker.finish(held.get('b') as number, 0);
    await other.finish(other.held[0] as number, 0);
    expect(await workflow(key)).toMatchObject({ status: 'failed', num_done: 3, num_failed: 1, num_canceled: 2 });
    expect(await events(key, 'workflow_ended')).toEqual([{ run_id: 1, status: 'failed' }]);
  });

  it('counts final failures of one run alone: neither retries, nor losses, nor an earlier run', async () => {
    const jobs = [{ name: 'a', failureHandler: 0 }, ...names.slice(1)];
    const options = { maxFailures: 2, failureHandlers: [[rule({ max_retries: 1 })]] };
    const key = await createWorkflow(service, jobs, [], options);
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    await worker.exchange();
    for (const code of [1, 1]) await worker.finish(worker.held[0] as number, code);
    expect((await workflow(key)).cut_off_by).toBeNull();
    await worker.finish(worker.held[0] as number, 1);
    expect(await workflow(key)).toMatchObject({ cut_off_by: 'max_failures', num_failed: 2, num_canceled: 3 });
    expect(await restart(key)).toMatchObject({ begins_run: true, num_ready: 3 });
    const next = await TestWorker.join(service, key, { cpus: 1 });
    await next.exchange();
    await next.finish(next.held[0] as number, 1);
    expect(await workflow(key)).toMatchObject({ cut_off_by: null, num_failed: 3, status: 'running' });
  });

  it('neither retries a failure nor starts a job again that comes back', async () => {
    const jobs = [{ name: 'a', failureHandler: 0 }, { name: 'b' }, { name: 'c' }];
    const key = await createWorkflow(service, jobs, [], { maxFailures: 1, failureHandlers: [[rule()]] });
    const worker = await TestWorker.join(service, key, { cpus: 3 });
    await worker.exchange();
    const held = await heldBy(worker);
    await worker.finish(held.get('b') as number, 1);
    await worker.exchange({ returned: [held.get('c') as number] });
    await worker.finish(held.get('a') as number, 1);
    expect(await statuses(service, key)).toEqual({ a: 'done', b: 'done', c: 'canceled' });
    expect(await workflow(key)).toMatchObject({ status: 'failed', num_failed: 2 });
  });

  it('is canceled in pieces when much waits, without a job ready or blocked at the end', async () => {
    const many = Array.from({ length: 1_300 }, (_, n) => ({ name: `j${n}`, cancelOnFailure: n % 2 === 0 }));
    const edges = many.slice(2).map((_, n): [number, number] => [n + 1, n + 2]);
    const key = await createWorkflow(service, many, edges, { maxFailures: 1 });
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    await worker.exchange();
    await worker.finish(worker.held[0] as number, 1);
    await clock.advance(10);
    expect(await workflow(key)).toMatchObject({ status: 'failed', num_done: 1, num_canceled: 1_299 });
    expect(numDue()).toBe(0);
  });

  it('is not opened again by a mark: what a failure canceled waits for a restart', async () => {
    const jobs = [{ name: 'fails' }, { name: 'runs' }, { name: 'follows' }];
    const edges: [number, number][] = [
      [0, 2],
      [1, 2],
    ];
    const key = await createWorkflow(service, jobs, edges, { maxFailures: 1 });
    const worker = await TestWorker.join(service, key, { cpus: 2 });
    await worker.exchange();
    await worker.finish((await heldBy(worker)).get('fails') as number, 1);
    const [{ job_key } = { job_key: '' }] = await rows(service, 'jobs', key, { name: 'fails' });
    const request = { workflow_key: key, expected_state: null, skip: 0, job_keys: [String(job_key)], dry_run: false };
    await service.call('jobs_mark_done', request);
    expect(await statuses(service, key)).toMatchObject({ fails: 'done', follows: 'canceled' });
    await worker.finish(worker.held[0] as number, 0);
    await restart(key);
    expect(await statuses(service, key)).toEqual({ fails: 'done', runs: 'done', follows: 'ready' });
  });

  it('takes another limit while it runs', async () => {
    const key = await createWorkflow(service, names);
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    await worker.exchange();
    for (const code of [1, 0]) await worker.finish(worker.held[0] as number, code);
    await modify(key, { max_failures: 2 });
    expect((await workflow(key)).cut_off_by).toBeNull();
    await modify(key, { max_failures: 1 });
    expect(await workflow(key)).toMatchObject({ cut_off_by: 'max_failures', num_canceled: 2, status: 'running' });
  });
});

describe('the timeout of a run', () => {
  const jobs = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];

  it('counts from the start, pauses included: nothing new starts, running jobs finish, what is ready stays so', async () => {
    const key = await createWorkflow(service, jobs, [[0, 2]], { timeoutMs: 60_000 });
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    await worker.exchange();
    await service.call('workflow_pause', { workflow_key: key, paused: true });
    await clock.advance(30_000);
    await service.call('workflow_pause', { workflow_key: key, paused: false });
    await clock.advance(29_000);
    expect((await workflow(key)).cut_off_by).toBeNull();
    await clock.advance(1_001);
    expect(await workflow(key)).toMatchObject({ status: 'running', cut_off_by: 'timeout', ended_at: null });
    const { jobs: none, leave } = await worker.finish(worker.held[0] as number, 0);
    expect([none, leave]).toEqual([[], true]);
    expect(await statuses(service, key)).toEqual({ a: 'done', b: 'ready', c: 'ready' });
    expect(await workflow(key)).toMatchObject({ status: 'timeout', ended_at: expect.any(String) });
    expect(await events(key, 'workflow_timed_out')).toEqual([{ run_id: 1, timeout_seconds: 60 }]);
    expect(await events(key, 'workflow_ended')).toEqual([{ run_id: 1, status: 'timeout' }]);
    expect((await whyOf(key, 'b')).reasons[0]).toEqual({ code: 'workflow_timed_out' });
    expect(await restart(key)).toMatchObject({ begins_run: true, run_id: 2, num_ready: 2, num_changes: 0 });
    const next = await TestWorker.join(service, key);
    expect((await next.exchange()).jobs.map(({ job_name }) => job_name)).toEqual(['b', 'c']);
    expect((await workflow(key)).status).toBe('running');
  });

  it('ends a run that nobody works on, at once when a server returns late', async () => {
    const key = await createWorkflow(service, jobs, [], { timeoutMs: 60_000 });
    await close();
    clock.stall(3_600_000);
    await open();
    expect(await workflow(key)).toMatchObject({ status: 'timeout', num_ready: 3 });
    const worker = await TestWorker.join(service, key);
    expect(await worker.exchange()).toMatchObject({ jobs: [], leave: true });
  });

  it('moves with the clock of the host, ends with the run, and can be changed while it runs', async () => {
    const key = await createWorkflow(service, jobs.slice(0, 1), [], { timeoutMs: 60_000 });
    const worker = await TestWorker.join(service, key);
    await worker.exchange();
    clock.set(3_600_000);
    await clock.advance(59_000);
    expect((await workflow(key)).cut_off_by).toBeNull();
    await modify(key, { timeout_seconds: null });
    expect(numDue()).toBe(0);
    await modify(key, { timeout_seconds: 7_200 });
    expect(numDue()).toBe(1);
    await worker.finish(worker.held[0] as number, 0);
    expect(await workflow(key)).toMatchObject({ status: 'done', cut_off_by: null });
    expect(numDue()).toBe(0);
  });

  it('does not make a retry start, nor end a run twice', async () => {
    const failureHandlers = [[rule({ retry_delay_ms: 90_000 })]];
    const key = await createWorkflow(service, [{ name: 'a', failureHandler: 0 }], [], {
      timeoutMs: 60_000,
      failureHandlers,
    });
    const worker = await TestWorker.join(service, key);
    await worker.exchange();
    await worker.finish(worker.held[0] as number, 1);
    await clock.advance(61_000);
    // also where nothing but the retry is left
    expect(await workflow(key)).toMatchObject({ status: 'timeout', ended_at: expect.any(String) });
    await clock.advance(60_000);
    expect(await statuses(service, key)).toEqual({ a: 'ready' });
    expect(await events(key, 'workflow_ended')).toHaveLength(1);
  });
});

describe('a job that may not wait for ever', () => {
  it('waits from the moment it is ready, and fails alone, without an attempt', async () => {
    const jobs = [{ name: 'a' }, { name: 'b', maxWaitMs: 3_000 }, { name: 'c' }, { name: 'd', maxWaitMs: 3_000 }];
    const key = await createWorkflow(
      service,
      [...jobs, { name: 'e' }],
      [
        [0, 1],
        [3, 4],
      ],
    );
    const worker = await TestWorker.join(service, key, { cpus: 1 });
    await worker.exchange();
    await clock.advance(2_999);
    expect(await statuses(service, key)).toMatchObject({ b: 'blocked', d: 'ready' });
    await clock.advance(1);
    expect(await statuses(service, key)).toEqual({
      a: 'submitted_pending',
      b: 'blocked',
      c: 'ready',
      d: 'done',
      e: 'canceled',
    });
    const end = { return_code: 153, cause: 'max_wait', outcome: 'failed', attempt_id: 1, hostname: null };
    expect(await rows(service, 'jobs', key, { name: 'd' })).toMatchObject([end]);
    const result = { ...end, start_time: null, compute_node_key: null };
    expect(await rows(service, 'results', key)).toMatchObject([{ ...result, job_name: 'd' }]);
    const story = await whyOf(key, 'd');
    expect(story.why).toBe('It was ready for longer than its max_wait and never started.');
    expect(story.attempts).toMatchObject([{ hostname: null, cause: 'max_wait', stdout_path: null }]);
    // ten seconds after the start b is ready for the first time
    await clock.advance(7_000);
    await worker.finish(worker.held[0] as number, 0);
    expect((await rows(service, 'jobs', key, { name: 'b' }))[0]).toMatchObject({ status: 'submitted_pending' });
    await clock.advance(60_000);
    expect((await statuses(service, key)).b).toBe('submitted_pending');
  });

  it('fails when no server was there, counts for max_failures, and waits anew in the next run', async () => {
    const jobs = [{ name: 'a', maxWaitMs: 60_000 }, { name: 'b' }];
    const key = await createWorkflow(service, jobs, [], { maxFailures: 1 });
    await close();
    clock.stall(120_000);
    await open();
    expect(await statuses(service, key)).toEqual({ a: 'done', b: 'canceled' });
    expect(await workflow(key)).toMatchObject({ status: 'failed', cut_off_by: 'max_failures', num_failed: 1 });
    const plan = { workflow_key: key, dry_run: false, expected_state: null, skip: 0 };
    await service.call('jobs_reset', { ...plan, which: 'failed' });
    expect(await restart(key)).toMatchObject({ begins_run: true, num_ready: 2 });
    await clock.advance(59_000);
    expect((await statuses(service, key)).a).toBe('ready');
    await clock.advance(1_000);
    expect((await rows(service, 'results', key, { run_id: '2' }))[0]).toMatchObject({
      cause: 'max_wait',
      attempt_id: 1,
    });
  });

  it.each([3_600_000, -3_600_000])('waits as long when the clock of the host is set by %i ms', async (byMs) => {
    const key = await createWorkflow(service, [{ name: 'a', maxWaitMs: 120_000 }]);
    await clock.advance(10_000);
    clock.set(byMs);
    await clock.advance(105_000);
    expect(await statuses(service, key)).toEqual({ a: 'ready' });
    await clock.advance(10_000);
    expect(await statuses(service, key)).toEqual({ a: 'done' });
  });

  it('is one of many: they have one due row, and expire in pieces', async () => {
    const jobs = Array.from({ length: 450 }, (_, n) => ({ name: `j${n}`, maxWaitMs: 60_000 }));
    const key = await createWorkflow(service, jobs);
    expect(numDue()).toBe(1);
    await clock.advance(60_000);
    expect(await workflow(key)).toMatchObject({ status: 'failed', num_failed: 450 });
    expect(numDue()).toBe(0);
  });
});
