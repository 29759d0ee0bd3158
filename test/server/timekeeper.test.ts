/** Delayed retries and the timekeeper: due work happens at its time, whatever clocks and servers do. */
import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ExchangeReply } from '../../src/api/contract.ts';
import { openService } from '../../src/server/open.ts';
import { Ownership } from '../../src/server/owner/ownership.ts';
import type { Service } from '../../src/server/service.ts';
import { Timekeeper } from '../../src/server/time/timekeeper.ts';
import { Database } from '../../src/storage/database/database.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { brokenInvariants } from '../support/invariants.ts';
import {
  createWorkflow,
  finished,
  rows,
  rule,
  statuses,
  type TestJob,
  TestWorker,
  temporaryDirectory,
} from '../support/service.ts';

let clock: FakeClock;
let directory: string;
let service: Service;
let timekeeper: Timekeeper | null;

async function open(): Promise<void> {
  service = await openService(directory, clock, 'test');
}
function serve(): void {
  timekeeper = new Timekeeper(service);
  timekeeper.start();
}
/** The server ends, and the next one opens the same directory. */
async function away(forMs: number): Promise<void> {
  timekeeper?.close();
  timekeeper = null;
  await service.close();
  clock.stall(forMs);
  await open();
}

beforeEach(async () => {
  clock = new FakeClock();
  directory = temporaryDirectory();
  timekeeper = null;
  await open();
  serve();
});
afterEach(async () => {
  expect(brokenInvariants(service.db)).toEqual([]);
  timekeeper?.close();
  await service.close();
  rmSync(directory, { recursive: true, force: true });
});

const delayed = rule({ exit_codes: [75], max_retries: 5, retry_delay_ms: 30_000, retry_backoff: 2 });

/** a with the rules, b downstream of it, and others; a has just failed once, and its worker waits for work. */
async function waiting(
  rules = [delayed],
  others: TestJob[] = [],
): Promise<{ key: string; worker: TestWorker; next: Promise<ExchangeReply> }> {
  const jobs = [{ name: 'a', failureHandler: 0, priority: 1 }, { name: 'b' }, ...others];
  const key = await createWorkflow(service, jobs, [[0, 1]], { failureHandlers: [rules] });
  const worker = await TestWorker.join(service, key);
  await worker.exchange();
  const { leave } = await worker.finish(worker.held[0] as number, 75);
  expect(leave).toBe(false);
  return { key, worker, next: worker.exchange() };
}

/** a with a delayed retry, which a worker has; nothing else is due. */
async function claimed(): Promise<{ key: string; worker: TestWorker }> {
  const jobs = [{ name: 'a', failureHandler: 0 }];
  const key = await createWorkflow(service, jobs, [], { failureHandlers: [[delayed]] });
  const worker = await TestWorker.join(service, key);
  await worker.exchange();
  // the owner of time has looked and found nothing
  await clock.advance(1);
  return { key, worker };
}

const workflow = async (key: string) => (await rows(service, 'workflows', key))[0];
const statusOf = async (key: string, name = 'a') => (await statuses(service, key))[name];
const numDue = () => service.db.all('SELECT * FROM due').length;
const request = (key: string) => ({ workflow_key: key, dry_run: false, expected_state: null, skip: 0 });
const restart = {
  ignore_missing_data: false,
  only_uninitialized: false,
  keep_running: false,
  force: false,
  assume_stopped: false,
  working_directory: '/',
};

describe('a retry with a delay', () => {
  it('waits, which is shown, and is ready at its time', async () => {
    const { key } = await waiting();
    expect(await statuses(service, key)).toEqual({ a: 'blocked', b: 'blocked' });
    const [event] = await rows(service, 'events', key, { type: 'job_retried' });
    expect(event?.data).toMatchObject({ delay_seconds: 30, not_before: '2026-01-01T00:00:30.000Z' });
    await clock.advance(10_000);
    expect(await statusOf(key)).toBe('blocked');
    await clock.advance(20_000);
    expect(await statusOf(key)).toBe('ready');
    expect(numDue()).toBe(0);
  });

  it('goes to a worker whose request waits', async () => {
    const { next } = await waiting([rule({ exit_codes: [75], retry_delay_ms: 10_000 })]);
    await clock.advance(10_000);
    expect((await next).jobs).toMatchObject([{ job_name: 'a', attempt_id: 2, run_id: 1 }]);
  });

  it('waits longer each time', async () => {
    const { key, worker } = await waiting();
    for (const delayMs of [30_000, 60_000, 120_000]) {
      await clock.advance(delayMs - 1);
      expect(await statusOf(key)).toBe('blocked');
      await clock.advance(1);
      expect(await statusOf(key)).toBe('ready');
      await worker.exchange();
      await worker.finish(worker.held[0] as number, 75);
    }
  });

  it('is refused when it ends where no date is', async () => {
    const failureHandlers = [[rule({ retry_delay_ms: 8_000_000_000_000_000 })]];
    const stored = createWorkflow(service, [{ name: 'a', failureHandler: 0 }], [], { failureHandlers });
    await expect(stored).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('retry_delay_ms') });
  });

  it('keeps the run from ending, whatever else has failed', async () => {
    const { key, worker } = await waiting([delayed], [{ name: 'c' }]);
    await worker.finish(worker.held[0] as number, 1);
    expect(await workflow(key)).toMatchObject({ status: 'running', ended_at: null });
    expect(await rows(service, 'events', key, { type: 'workflow_ended' })).toEqual([]);
    await clock.advance(30_000);
    await worker.exchange();
    await worker.finish(worker.held[0] as number, 0);
    const { leave } = await worker.finish(worker.held[0] as number, 0);
    expect(leave).toBe(true);
    expect(await workflow(key)).toMatchObject({ status: 'failed', ended_at: expect.any(String) });
  });
});

describe('a worker with nothing else to do', () => {
  it('learns when the job can run, from the answer to its report and whenever it asks again', async () => {
    service.random = () => 0.5;
    const jobs = [{ name: 'a', failureHandler: 0 }];
    const key = await createWorkflow(service, jobs, [], { failureHandlers: [[delayed]] });
    const worker = await TestWorker.join(service, key);
    await worker.exchange();
    expect(await worker.finish(worker.held[0] as number, 75)).toMatchObject({ hold_ms: 30_000, leave: false });
    const next = worker.exchange();
    await clock.advance(25_000);
    expect(await next).toMatchObject({ hold_ms: 5_000, jobs: [] });
    const last = worker.exchange();
    await clock.advance(5_000);
    expect(await last).not.toHaveProperty('hold_ms');
  });
});

describe('the hold of a retry is dropped', () => {
  it('by a cancel, which ends the run', async () => {
    const { key } = await waiting();
    await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    expect(await statuses(service, key)).toEqual({ a: 'canceled', b: 'canceled' });
    expect(await workflow(key)).toMatchObject({ status: 'canceled', ended_at: expect.any(String) });
    expect(numDue()).toBe(0);
  });

  it('by a restart: its job is ready at once', async () => {
    const { key } = await waiting();
    await service.call('workflow_restart', { ...request(key), ...restart });
    expect(await statusOf(key)).toBe('submitted_pending');
    expect(numDue()).toBe(0);
  });

  it('by a restart that makes it wait for its upstream instead', async () => {
    const jobs = [
      { name: 'u', reads: [0] },
      { name: 'a', failureHandler: 0 },
    ];
    const userData = [{ name: 'input', data: '1', is_ephemeral: false }];
    const key = await createWorkflow(service, jobs, [[0, 1]], { failureHandlers: [[delayed]], userData });
    const worker = await TestWorker.join(service, key);
    await worker.exchange();
    await worker.finish(worker.held[0] as number);
    await worker.finish(worker.held[0] as number, 75);
    const [input] = await rows(service, 'user_data', key);
    await service.call('user_data_modify', { user_data_key: String(input?.user_data_key), changes: { data: '2' } });
    await service.call('workflow_restart', { ...request(key), ...restart });
    expect(await statuses(service, key)).toEqual({ u: 'ready', a: 'blocked' });
    await worker.exchange();
    await worker.finish(worker.held[0] as number);
    expect(await statusOf(key)).toBe('submitted_pending');
  });

  it('but not by a restart of only new jobs', async () => {
    const { key } = await waiting();
    const [b] = await rows(service, 'jobs', key, { name: 'b' });
    await service.call('jobs_reset', { ...request(key), which: [b?.job_key as string] });
    await service.call('workflow_restart', { ...request(key), ...restart, only_uninitialized: true });
    expect(await statusOf(key)).toBe('blocked');
    expect(await workflow(key)).toMatchObject({ run_id: 2, ended_at: null });
    await clock.advance(30_000);
    expect(await statusOf(key)).toBe('ready');
  });

  it('which keeps the recovery script of what waits, delayed or not', async () => {
    for (const retry_delay_ms of [30_000, 0]) {
      const { key, worker } = await waiting([rule({ recovery_script: './fix', retry_delay_ms, max_retries: 1 })]);
      worker.held = [];
      const returned = service.db.all<{ attempt_key: number }>(
        'SELECT attempt_key FROM attempts WHERE is_live = 1 AND workflow_key = ?',
        Number(key),
      );
      await worker.exchange({ returned: returned.map((row) => row.attempt_key), draining: true, leaving: true });
      await service.call('workflow_restart', { ...request(key), ...restart, only_uninitialized: true });
      await clock.advance(30_000);
      const next = await TestWorker.join(service, key);
      expect((await next.exchange()).jobs).toMatchObject([{ job_name: 'a', recovery: { script: './fix' } }]);
    }
  });

  it('by a reset and a disable, which end the run as well', async () => {
    for (const [change, status] of [
      ['reset', 'uninitialized'],
      ['disable', 'disabled'],
    ] as const) {
      const { key } = await waiting();
      const jobs = (await rows(service, 'jobs', key)).map((job) => String(job.job_key));
      if (change === 'reset') await service.call('jobs_reset', { ...request(key), which: jobs });
      else await service.call('jobs_disable', { ...request(key), job_keys: jobs });
      expect(await statuses(service, key)).toEqual({ a: status, b: status });
      expect(numDue()).toBe(0);
      expect(await workflow(key)).toMatchObject({ ended_at: expect.any(String) });
    }
  });

  it('with its workflow', async () => {
    const { key } = await waiting();
    await service.call('workflow_delete', { workflow_key: key, dry_run: false });
    expect(numDue()).toBe(0);
    expect(service.db.all('SELECT * FROM holds')).toEqual([]);
  });
});

describe('the timekeeper', () => {
  it('does what fell due while no server ran, also in a process that does not serve', async () => {
    const { key } = await waiting();
    await away(31_000);
    expect(await statusOf(key)).toBe('ready');
  });

  it('continues with what is still in the future after a restart of the server', async () => {
    const { key } = await waiting();
    await away(10_000);
    serve();
    expect(await statusOf(key)).toBe('blocked');
    await clock.advance(20_000);
    expect(await statusOf(key)).toBe('ready');
  });

  it.each([-7_200_000, 7_200_000])('measures durations whatever the wall clock does: set by %i ms', async (byMs) => {
    const { key } = await waiting();
    await clock.advance(1_000);
    clock.set(byMs);
    // a look, which happens at least once a minute
    const another = await waiting();
    await clock.advance(28_999);
    expect(await statusOf(key)).toBe('blocked');
    await clock.advance(1);
    expect(await statusOf(key)).toBe('ready');
    expect(await statusOf(another.key)).toBe('blocked');
    await clock.advance(1_000);
    expect(await statusOf(another.key)).toBe('ready');
  });

  it('is at most a minute late when nothing triggers a look after the clock was set back', async () => {
    const { key } = await waiting([rule({ exit_codes: [75], retry_delay_ms: 100_000 })]);
    clock.set(-86_400_000);
    await clock.advance(100_000);
    expect(await statusOf(key)).toBe('ready');
  });

  it('restarts a delay when the clock was set back while no server ran, and never makes it longer', async () => {
    const { key } = await waiting();
    clock.set(-86_400_000);
    await away(1_000);
    serve();
    await clock.advance(29_999);
    expect(await statusOf(key)).toBe('blocked');
    await clock.advance(1);
    expect(await statusOf(key)).toBe('ready');
  });

  it('retries work that fails, which does not block other work', async () => {
    const { key } = await waiting();
    const other = await waiting();
    service.db.run(
      `CREATE TRIGGER stubborn BEFORE DELETE ON holds WHEN old.workflow_key = ${key} BEGIN SELECT RAISE(ABORT, 'no'); END`,
    );
    await clock.advance(30_000);
    expect(await statusOf(key)).toBe('blocked');
    expect(await statusOf(other.key)).toBe('ready');
    expect(brokenInvariants(service.db)).toEqual([]);
    service.db.run('DROP TRIGGER stubborn');
    await clock.advance(60_000);
    expect(await statusOf(key)).toBe('ready');
  });

  it('keeps nobody from reading when there is no room to write what fell due', async () => {
    const { key } = await waiting();
    timekeeper?.close();
    await service.close();
    clock.stall(31_000);
    const { run } = Database.prototype;
    let takesDue = false;
    const planted = vi.spyOn(Database.prototype, 'run').mockImplementation(function (this: Database, sql, ...values) {
      takesDue ||= sql.startsWith('DELETE FROM due');
      if (sql !== 'COMMIT' || !takesDue) return run.call(this, sql, ...values);
      run.call(this, 'ROLLBACK');
      throw Object.assign(new Error('planted'), { code: 'SQLITE_FULL' });
    });
    await open();
    expect(await statusOf(key)).toBe('blocked');
    planted.mockRestore();
    serve();
    await clock.advance(1);
    expect(await statusOf(key)).toBe('ready');
  });

  it('learns of rows whose transaction was stored and could not be confirmed', async () => {
    const { worker, key } = await claimed();
    const isKept = vi.spyOn(Ownership.prototype, 'isKept').mockImplementation(() => {
      throw new Error('the directory does not answer');
    });
    await expect(worker.finish(worker.held[0] as number, 75)).rejects.toMatchObject({ code: 'unreachable' });
    isKept.mockRestore();
    expect(await statusOf(key)).toBe('blocked');
    await clock.advance(30_000);
    expect(await statusOf(key)).toBe('ready');
  });

  it('learns of rows that were stored although COMMIT failed with an I/O error', async () => {
    const { worker, key } = await claimed();
    const report = finished(worker.held[0] as number, 75);
    worker.held = [];
    const { run } = service.db;
    const planted = vi.spyOn(service.db, 'run').mockImplementation((sql, ...values) => {
      const result = run.call(service.db, sql, ...values);
      if (sql === 'COMMIT') throw Object.assign(new Error('planted'), { code: 'SQLITE_IOERR_FSYNC' });
      return result;
    });
    await expect(worker.exchange({ finished: [report] })).rejects.toMatchObject({ code: 'no_space' });
    planted.mockRestore();
    expect((await worker.exchange({ finished: [report] })).reports).toMatchObject([{ answer: 'repeated' }]);
    expect(await statusOf(key)).toBe('blocked');
    await clock.advance(30_000);
    expect(await statusOf(key)).toBe('ready');
  });

  it('does more than fits into one transaction', async () => {
    const jobs = Array.from({ length: 450 }, (_, n) => ({ name: `j${n}`, failureHandler: 0 }));
    const key = await createWorkflow(service, jobs, [], { failureHandlers: [[delayed]] });
    const worker = await TestWorker.join(service, key, { cpus: 450 });
    await worker.exchange();
    const reports = worker.held.map((attempt) => finished(attempt, 75));
    worker.held = [];
    await worker.exchange({ finished: reports });
    expect(numDue()).toBe(450);
    await clock.advance(30_000);
    expect(numDue()).toBe(0);
    expect(new Set(Object.values(await statuses(service, key)))).toEqual(new Set(['ready']));
  });
});
