/** Jobs with a failure handler: which failures are retried, what is kept, what is reported. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ExchangeReply } from '../../src/api/contract.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, finished, freshService, rows, rule, statuses, TestWorker } from '../support/service.ts';

type Fresh = Awaited<ReturnType<typeof freshService>>;

let fresh: Fresh;
beforeEach(async () => {
  fresh = await freshService();
});
afterEach(async () => {
  expect(brokenInvariants(fresh.service.db)).toEqual([]);
  await fresh.close();
});

/** Job a with the rules, b downstream of it; a worker that holds the first attempt of a. */
/** Gives the next restart something to do; a stays as it is. */
async function resetB(key: string): Promise<void> {
  const [b] = await rows(fresh.service, 'jobs', key, { name: 'b' });
  const which = [b?.job_key as string];
  await fresh.service.call('jobs_reset', { workflow_key: key, dry_run: false, expected_state: null, skip: 0, which });
}

async function failing(
  rules: ReturnType<typeof rule>[],
): Promise<{ key: string; worker: TestWorker; first: ExchangeReply }> {
  const jobs = [{ name: 'a', failureHandler: 0 }, { name: 'b' }];
  const key = await createWorkflow(fresh.service, jobs, [[0, 1]], { failureHandlers: [rules] });
  const worker = await TestWorker.join(fresh.service, key);
  return { key, worker, first: await worker.exchange() };
}

const attemptsOf = async (key: string) =>
  (await rows(fresh.service, 'results', key)).map(({ job_name, run_id, attempt_id, return_code, cause }) => [
    job_name,
    run_id,
    attempt_id,
    return_code,
    cause,
  ]);
const held = (worker: TestWorker): number => worker.held[0] as number;

function restart(key: string, options: { keep_running?: boolean } = {}) {
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

describe('a failure that a rule matches', () => {
  it('is followed by another attempt at once; its result stays, and downstream jobs are not affected', async () => {
    const { key, worker } = await failing([rule({ exit_codes: [75], max_retries: 1 })]);
    const { jobs } = await worker.finish(held(worker), 75);
    expect(jobs).toMatchObject([{ job_name: 'a', attempt_id: 2, run_id: 1 }]);
    expect(jobs[0]).not.toHaveProperty('recovery');
    expect(await statuses(fresh.service, key)).toEqual({ a: 'submitted_pending', b: 'blocked' });
    await worker.finish(held(worker), 0);
    expect(await attemptsOf(key)).toEqual([
      ['a', 1, 1, 75, 'exit_code'],
      ['a', 1, 2, 0, 'success'],
    ]);
    expect((await statuses(fresh.service, key)).b).toBe('submitted_pending');
    const [event] = await rows(fresh.service, 'events', key, { type: 'job_retried' });
    expect(event?.data).toEqual({
      failure_handler: 'h0',
      rule: 1,
      attempt_id: 1,
      return_code: 75,
      cause: 'exit_code',
      retries_left: 0,
    });
  });

  it('is final when the retries of the rule are used up, and then cancels the downstream jobs', async () => {
    const { key, worker } = await failing([rule({ exit_codes: [75], max_retries: 2 })]);
    for (const left of [2, 1, 0]) {
      expect((await statuses(fresh.service, key)).b).toBe('blocked');
      const { jobs } = await worker.finish(held(worker), 75);
      expect(jobs).toHaveLength(left > 0 ? 1 : 0);
    }
    expect(await statuses(fresh.service, key)).toEqual({ a: 'done', b: 'canceled' });
    const [a] = await rows(fresh.service, 'jobs', key, { name: 'a' });
    expect(a).toMatchObject({ return_code: 75, attempt_id: 3, num_retries: 2, failure_handler: 'h0' });
  });

  it('is decided by the first rule that matches, even if a later one allows more', async () => {
    const { key, worker } = await failing([rule({ exit_codes: [1, 3], max_retries: 0 }), rule()]);
    await worker.finish(held(worker), 2);
    await worker.finish(held(worker), 3);
    expect(await statuses(fresh.service, key)).toEqual({ a: 'done', b: 'canceled' });
    expect(await attemptsOf(key)).toHaveLength(2);
  });

  it('may be a code of torc: missing output, out of memory, timed out', async () => {
    const { key, worker } = await failing([rule({ exit_codes: [1, 137, 152] })]);
    for (const [return_code, cause] of [
      [1, 'missing_output'],
      [137, 'oom'],
      [152, 'job_timeout'],
    ] as const) {
      const attempt = held(worker);
      worker.held = [];
      await worker.exchange({ finished: [{ ...finished(attempt, return_code), cause }] });
    }
    expect((await statuses(fresh.service, key)).a).toBe('submitted_pending');
  });
});

describe('a rule with causes', () => {
  const ends = async (worker: TestWorker, end: Partial<ReturnType<typeof finished>>) => {
    const attempt = held(worker);
    worker.held = [];
    return await worker.exchange({ finished: [{ ...finished(attempt, 1), ...end }] });
  };

  it('matches by cause, whatever the return code, and leaves other failures alone', async () => {
    const { key, worker } = await failing([rule({ exit_codes: [], causes: ['oom', 'signal'], max_retries: 2 })]);
    const retried = await ends(worker, { return_code: 137, cause: 'oom' });
    expect(retried.jobs).toMatchObject([{ attempt_id: 2 }]);
    const [event] = await rows(fresh.service, 'events', key, { type: 'job_retried' });
    expect(event?.data).toMatchObject({ return_code: 137, cause: 'oom', retries_left: 1 });
    // the same code, but it exited with it
    expect((await ends(worker, { return_code: 137, cause: 'exit_code' })).jobs).toEqual([]);
    expect(await statuses(fresh.service, key)).toEqual({ a: 'done', b: 'canceled' });
  });

  it('decides about a job whose allocation ended, with its script; used up, the job comes back as a loss', async () => {
    const { key, worker } = await failing([
      rule({ exit_codes: [], causes: ['walltime'], recovery_script: 'x', max_retries: 1 }),
    ]);
    const stopped = { status: 'terminated', return_code: null, cause: 'walltime', exit_code: null } as const;
    const { jobs } = await ends(worker, stopped);
    const recovery = { script: 'x', return_code: null, cause: 'walltime' };
    expect(jobs).toMatchObject([{ attempt_id: 2, recovery }]);
    expect((await rows(fresh.service, 'jobs', key, { name: 'a' }))[0]).toMatchObject({ num_retries: 1 });
    await ends(worker, stopped);
    expect(await rows(fresh.service, 'events', key, { type: 'job_retried' })).toHaveLength(1);
    const moves = await rows(fresh.service, 'events', key, { type: 'job_status', new_status: 'ready' });
    expect(moves.at(-1)?.data).toMatchObject({ cause: 'walltime', num_losses: 1 });
  });
});

describe('a job whose failures count as success', () => {
  it.each([
    ['exit_code', 3, 'forgiven', 'submitted_pending', 0],
    ['signal', 137, 'failed', 'canceled', 1],
    ['oom', 137, 'failed', 'canceled', 1],
    ['job_timeout', 152, 'failed', 'canceled', 1],
    ['missing_output', 1, 'failed', 'canceled', 1],
    ['spawn_error', 127, 'failed', 'canceled', 1],
  ] as const)('%s: only exit codes are forgiven', async (cause, return_code, outcome, b, num_failed) => {
    const jobs = [{ name: 'a', taskFailureIsSuccess: true }, { name: 'b' }];
    const key = await createWorkflow(fresh.service, jobs, [[0, 1]]);
    const worker = await TestWorker.join(fresh.service, key);
    await worker.exchange();
    const attempt = held(worker);
    worker.held = [];
    await worker.exchange({ finished: [{ ...finished(attempt, return_code), cause }] });
    expect((await statuses(fresh.service, key)).b).toBe(b);
    const end = { return_code, cause, outcome };
    expect(await rows(fresh.service, 'jobs', key, { name: 'a' })).toMatchObject([end]);
    expect(await rows(fresh.service, 'results', key, { job_name: 'a' })).toMatchObject([end]);
    expect(await fresh.service.call('workflow_show', { workflow_key: key })).toMatchObject({ num_failed });
  });

  it('comes back when it is lost with its worker', async () => {
    const key = await createWorkflow(fresh.service, [{ name: 'a', taskFailureIsSuccess: true }]);
    const worker = await TestWorker.join(fresh.service, key);
    await worker.exchange();
    const [attempt] = worker.held.splice(0) as [number];
    const lost = { status: 'terminated', return_code: null, cause: 'walltime', exit_code: null } as const;
    const { jobs } = await worker.exchange({ finished: [{ ...finished(attempt), ...lost }] });
    expect(jobs).toMatchObject([{ job_name: 'a', attempt_id: 2 }]);
  });
});

describe('not retried', () => {
  it('a code that no rule matches', async () => {
    const { key, worker } = await failing([rule({ exit_codes: [75] })]);
    await worker.finish(held(worker), 1);
    expect(await statuses(fresh.service, key)).toEqual({ a: 'done', b: 'canceled' });
  });

  it('a canceled job that failed by itself before it could be stopped', async () => {
    const { key, worker } = await failing([rule()]);
    await fresh.service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    await worker.finish(held(worker), 75);
    expect(await statuses(fresh.service, key)).toEqual({ a: 'done', b: 'canceled' });
  });

  it('a late or repeated report of an attempt that was retried', async () => {
    const { key, worker } = await failing([rule({ max_retries: 1 })]);
    const first = held(worker);
    await worker.finish(first, 75);
    const { reports } = await worker.exchange({ finished: [finished(first, 75)] });
    expect(reports).toMatchObject([{ answer: 'repeated' }]);
    expect(await attemptsOf(key)).toHaveLength(1);
    expect((await rows(fresh.service, 'jobs', key))[0]).toMatchObject({ status: 'submitted_pending', num_retries: 1 });
  });
});

describe('not counted as retries', () => {
  it('attempts that were stopped or handed back', async () => {
    const { key, worker } = await failing([rule({ max_retries: 1 })]);
    const returned = held(worker);
    worker.held = [];
    await worker.exchange({ returned: [returned] });
    await worker.finish(held(worker), 75);
    expect((await rows(fresh.service, 'jobs', key))[0]).toMatchObject({ attempt_id: 3, num_retries: 1 });
  });

  it('attempts before a reset and restart: all retries are available again', async () => {
    const { key, worker } = await failing([rule({ max_retries: 1 })]);
    await worker.finish(held(worker), 75);
    await worker.finish(held(worker), 75);
    const request = { workflow_key: key, dry_run: false, expected_state: null, skip: 0, which: 'failed' } as const;
    await fresh.service.call('jobs_reset', request);
    expect((await rows(fresh.service, 'jobs', key))[0]).toMatchObject({ num_retries: 0 });
    await restart(key);
    const next = await TestWorker.join(fresh.service, key);
    await next.exchange();
    await next.finish(held(next), 75);
    await next.finish(held(next), 0);
    expect((await attemptsOf(key)).filter(([, run]) => run === 2)).toEqual([
      ['a', 2, 1, 75, 'exit_code'],
      ['a', 2, 2, 0, 'success'],
    ]);
  });

  it('attempts before a restart that found the job ready', async () => {
    const { key, worker } = await failing([rule({ max_retries: 1, recovery_script: 'x' })]);
    await worker.finish(held(worker), 75, { draining: true });
    await resetB(key);
    await restart(key);
    expect((await rows(fresh.service, 'jobs', key))[0]).toMatchObject({ status: 'ready', num_retries: 0 });
    const { jobs } = await worker.exchange();
    expect(jobs).toMatchObject([{ run_id: 2, attempt_id: 1 }]);
    expect(jobs[0]).not.toHaveProperty('recovery');
  });
});

describe('a recovery script', () => {
  const keepRunning = { keep_running: true };

  it('is forgotten by the restart after one that kept its job running', async () => {
    const { key, worker } = await failing([rule({ recovery_script: 'x' })]);
    await worker.finish(held(worker), 75);
    await resetB(key);
    await restart(key, keepRunning);
    const terminated = { status: 'terminated', return_code: null, cause: 'walltime', exit_code: null } as const;
    const attempt = held(worker);
    worker.held = [];
    await worker.exchange({ finished: [{ ...finished(attempt), ...terminated }], draining: true });
    await resetB(key);
    await restart(key);
    const { jobs } = await (await TestWorker.join(fresh.service, key)).exchange();
    expect(jobs).toMatchObject([{ run_id: 3 }]);
    expect(jobs[0]).not.toHaveProperty('recovery');
  });

  const script = 'echo "$TORC_RETURN_CODE"\nrm -f \'a b\'';

  it('goes with each next attempt until one has ended by itself', async () => {
    const { worker, first } = await failing([
      rule({ exit_codes: [75], recovery_script: script }),
      rule({ exit_codes: [1] }),
    ]);
    expect(first.jobs[0]).not.toHaveProperty('recovery');
    const second = await worker.finish(held(worker), 75);
    const recovery = { script, run_id: 1, attempt_id: 1, return_code: 75 };
    expect(second.jobs).toMatchObject([{ attempt_id: 2, recovery }]);
    const attempt = held(worker);
    worker.held = [];
    const third = await worker.exchange({ returned: [attempt] });
    expect(third.jobs).toMatchObject([{ attempt_id: 3, recovery }]);
    const fourth = await worker.finish(held(worker), 1);
    expect(fourth.jobs).toMatchObject([{ attempt_id: 4 }]);
    expect(fourth.jobs[0]).not.toHaveProperty('recovery');
  });

  it('belongs to the rule that matched', async () => {
    const { worker } = await failing([
      rule({ exit_codes: [1], recovery_script: 'one' }),
      rule({ recovery_script: 'all' }),
    ]);
    expect((await worker.finish(held(worker), 9)).jobs[0]?.recovery).toMatchObject({ script: 'all', return_code: 9 });
    expect((await worker.finish(held(worker), 1)).jobs[0]?.recovery).toMatchObject({ script: 'one', attempt_id: 2 });
  });
});

it('a deleted workflow leaves no rows of its failure handlers', async () => {
  const { key, worker } = await failing([rule({ recovery_script: 'x' })]);
  await worker.finish(held(worker), 0);
  await worker.finish(held(worker), 0);
  await fresh.service.call('workflow_delete', { workflow_key: key, dry_run: false });
  expect(fresh.service.db.all('SELECT * FROM failure_handlers')).toEqual([]);
});
