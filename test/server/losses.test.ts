/** What is lost comes back by itself, how a run ends, and what restart and cancel do then. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Reply, Request } from '../../src/api/contract.ts';
import { gatherEvidence } from '../../src/server/evidence/gather.ts';
import type { Service } from '../../src/server/service.ts';
import { Timekeeper } from '../../src/server/time/timekeeper.ts';
import { applyEvidence } from '../../src/storage/evidence/apply.ts';
import { accounted, FakeClock, type FakeMachine, fakeMachine, queued } from '../support/fake-machine.ts';
import { brokenInvariants } from '../support/invariants.ts';
import {
  createWorkflow,
  finished,
  freshService,
  rows,
  rule,
  statuses,
  type TestAction,
  TestWorker,
} from '../support/service.ts';

let clock: FakeClock;
let service: Service;
let machine: FakeMachine;
let close: () => Promise<void>;

beforeEach(async () => {
  clock = new FakeClock();
  ({ service, close } = await freshService(clock));
  machine = fakeMachine(clock);
  service.machine = machine;
});

afterEach(async () => {
  expect(brokenInvariants(service.db)).toEqual([]);
  await close();
});

const walltime = { status: 'terminated', return_code: null, cause: 'walltime', exit_code: null } as const;
const interrupted = { ...walltime, cause: 'canceled' } as const;

const plan = { dry_run: false, expected_state: null, skip: 0 };

async function restart(key: string, options: Partial<Request<'workflow_restart'>> = {}) {
  return service.call('workflow_restart', {
    workflow_key: key,
    ...plan,
    ignore_missing_data: false,
    only_uninitialized: false,
    keep_running: false,
    force: false,
    assume_stopped: false,
    working_directory: '/',
    ...options,
  });
}

const shown = (key: string): Promise<Reply<'workflow_show'>> => service.call('workflow_show', { workflow_key: key });
const setMaxLosses = (key: string, max_losses: number) =>
  service.call('workflow_modify', { workflow_key: key, changes: { max_losses } });
const cancel = (key: string) => service.call('workflow_cancel', { workflow_key: key, dry_run: false });

let numStarts = 0;

/** A worker joins, gets the only job, and its allocation ends. */
async function terminate(key: string, end: typeof walltime | typeof interrupted = walltime): Promise<void> {
  numStarts += 1;
  const slurm = end === walltime ? { slurmJobId: '7', hostname: 'c1', restartCount: numStarts } : null;
  const worker = await TestWorker.join(service, key, { cpus: 1 }, slurm);
  await worker.exchange();
  const [attempt] = worker.held as [number];
  worker.held = [];
  await worker.exchange({ finished: [{ ...finished(attempt), ...end }], draining: true });
  await worker.exchange({ leaving: true, draining: true });
}

async function look(): Promise<void> {
  const gathering = gatherEvidence(service, { workflowKey: null, isAsked: true });
  await clock.advance(6_000);
  const evidence = await gathering;
  await service.write((tx) => applyEvidence(tx, evidence));
}

/** A local worker has taken what it can and is killed together with its jobs. */
async function killed(key: string): Promise<TestWorker> {
  const worker = await TestWorker.join(service, key, { cpus: 2 }, null, {
    hostname: machine.hostname,
    boot_id: machine.bootId,
  });
  await worker.exchange();
  return worker;
}

describe('an attempt that was lost', () => {
  it('makes its job ready again in the same run, up to the limit, and no longer', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    for (const losses of [1, 2, 3]) {
      await terminate(key);
      expect(await statuses(service, key), `after ${losses}`).toEqual({ a: 'ready' });
      expect(await shown(key)).toMatchObject({ run_id: 1, status: 'waiting', ended_at: null });
    }
    await terminate(key);
    expect(await statuses(service, key)).toEqual({ a: 'terminated' });
    expect(await shown(key)).toMatchObject({ status: 'failed', ended_at: expect.any(String) });
    const results = await rows(service, 'results', key);
    expect(results.map(({ attempt_id, status, cause }) => [attempt_id, status, cause])).toEqual(
      [1, 2, 3, 4].map((n) => [n, 'terminated', 'walltime']),
    );
    // the next run counts from the beginning
    await restart(key);
    await terminate(key);
    expect(await statuses(service, key)).toEqual({ a: 'ready' });
  });

  it('never comes back with a limit of 0', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    await setMaxLosses(key, 0);
    await terminate(key);
    expect(await statuses(service, key)).toEqual({ a: 'terminated' });
  });

  it('uses no retry and is no failure', async () => {
    const key = await createWorkflow(service, [{ name: 'a', failureHandler: 0 }, { name: 'b' }], [[0, 1]], {
      failureHandlers: [[rule({ match_all_exit_codes: true, max_retries: 1 })]],
    });
    await terminate(key);
    expect(await rows(service, 'jobs', key)).toMatchObject([
      { status: 'ready', num_retries: 0, outcome: null },
      { status: 'blocked' },
    ]);
  });

  it('does not count when the job continues from a checkpoint, or when a person stopped a local worker', async () => {
    const key = await createWorkflow(service, [{ name: 'a', supportsTermination: true }]);
    await setMaxLosses(key, 0);
    for (let n = 0; n < 5; n++) await terminate(key);
    expect(await statuses(service, key)).toEqual({ a: 'ready' });
    const other = await createWorkflow(service, [{ name: 'b' }]);
    await setMaxLosses(other, 0);
    for (let n = 0; n < 5; n++) await terminate(other, interrupted);
    expect(await statuses(service, other)).toEqual({ b: 'ready' });
  });

  it('with a killed local worker comes back after two looks, and not while its process lives', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    const worker = await killed(key);
    machine.leftoverProcesses.set(worker.workerId, [99]);
    await look();
    await look();
    expect(await statuses(service, key)).toEqual({ a: 'submitted_pending' });
    machine.leftoverProcesses.clear();
    await look();
    expect(await rows(service, 'jobs', key)).toMatchObject([{ status: 'submitted_pending', orphaned: true }]);
    expect(await shown(key)).toMatchObject({ status: 'running', ended_at: null });
    await look();
    expect(await statuses(service, key)).toEqual({ a: 'ready' });
    expect(await shown(key)).toMatchObject({ status: 'waiting', ended_at: null });
  });
});

const completion: TestAction = { trigger: 'on_workflow_complete' };
const firings = (): number => service.db.get<{ n: number }>('SELECT count(*) AS n FROM action_firings')?.n ?? 0;
const ends = async (key: string): Promise<unknown[]> =>
  (await rows(service, 'events', key, { type: 'workflow_ended' })).map(({ data }) => data);

/** An allocation `x` that is Slurm job 7. */
async function allocate(key: string): Promise<string> {
  const nothing = { partition: null, qos: null, ntasks_per_node: null, mem: null, tmp: null, gres: null, extra: null };
  const config = { name: 'c', account: 'a', walltime_seconds: 60, num_nodes: 1, ...nothing };
  const { slurm_config_key } = await service.call('slurm_config_add', { workflow_key: key, ...config });
  const place = { num_nodes: 1, one_worker_per_node: false, script_path: '/s', output_directory: '/out' };
  const allocations = [{ name: 'x', ...place }];
  const reply = await service.call('allocations_record', { workflow_key: key, slurm_config_key, allocations });
  const allocation_key = reply.allocation_keys[0] as string;
  await service.call('allocation_confirm', { allocation_key, slurm_job_id: '7', cluster: 'lab', error: null });
  return allocation_key;
}

describe('memory that ran out', () => {
  /** The jobs `big` and `small` of one worker of Slurm job 7, whose allocation ended like this. */
  async function outOfMemory(state: string, rules?: ReturnType<typeof rule>[]): Promise<string> {
    const failureHandler = rules === undefined ? undefined : 0;
    const jobs = ['big', 'small'].map((name) => ({ name, memory: 1000, failureHandler }));
    const failureHandlers = rules === undefined ? [] : [rules];
    const key = await createWorkflow(service, jobs, [], { actions: [completion], failureHandlers });
    const slurm = { slurmJobId: '7', hostname: 'c1', restartCount: 0, allocationKey: await allocate(key) };
    const worker = await TestWorker.join(service, key, { cpus: 2 }, slurm);
    await worker.exchange();
    const [big = 0, small = 0] = worker.held;
    const sample = (attempt: number, peak: number) => ({
      attempt,
      memory_bytes: 1,
      peak_memory_bytes: peak,
      cpu_ms: 5,
    });
    const started = worker.held.map((attempt) => ({ attempt, age_ms: 0, pid: 1 }));
    await worker.exchange({ samples: [sample(big, 9_000), sample(small, 900)], draining: true, started });
    machine.slurm.queue = [queued('7', 'x', state)];
    machine.slurm.accounts = [accounted('7', 'x', state)];
    await clock.advance(200_000);
    return key;
  }

  it('leaves the job that used it for a person, and brings its neighbours back', async () => {
    const key = await outOfMemory('OUT_OF_MEMORY');
    await look();
    expect(await statuses(service, key)).toEqual({ big: 'submitted', small: 'submitted' });
    await clock.advance(20_000);
    await look();
    expect(await statuses(service, key)).toEqual({ big: 'submitted', small: 'ready' });
    expect(await shown(key)).toMatchObject({ status: 'waiting', ended_at: null });
    const worker = await TestWorker.join(service, key);
    await worker.exchange();
    expect(firings()).toBe(0);
    const { leave } = await worker.finish(worker.held[0] as number);
    expect(leave).toBe(true);
    // the run can not go on without a person
    expect(await shown(key)).toMatchObject({ status: 'failed', ended_at: expect.any(String) });
    expect(await ends(key)).toEqual([{ run_id: 1, status: 'failed' }]);
    expect(firings()).toBe(1);
    const planned = await restart(key, { dry_run: true });
    expect(planned.changes).toMatchObject([
      { job_name: 'big', old_status: 'submitted', new_status: 'ready', reason: 'lost: out of memory' },
    ]);
    await restart(key);
    expect(await statuses(service, key)).toEqual({ big: 'ready', small: 'done' });
  });

  it('is followed by another attempt where a rule raises its memory; its neighbour comes back as it was', async () => {
    const scale = { memory: { factor: 2 } };
    const key = await outOfMemory('OUT_OF_MEMORY', [rule({ exit_codes: [], causes: ['oom'], max_retries: 1, scale })]);
    await look();
    expect(await statuses(service, key)).toEqual({ big: 'ready', small: 'submitted' });
    await clock.advance(20_000);
    await look();
    const jobs = await rows(service, 'jobs', key);
    expect(jobs.map(({ name, status, memory_bytes }) => [name, status, memory_bytes])).toEqual([
      ['big', 'ready', 1024 ** 2],
      ['small', 'ready', 1000],
    ]);
    expect(await rows(service, 'results', key)).toMatchObject([
      { job_name: 'big', status: 'lost', cause: 'oom', scaled: { old_value: 1000, new_value: 1024 ** 2 } },
      { job_name: 'small', status: 'lost', cause: 'oom', scaled: null },
    ]);
  });

  it('leaves it for a person where its rule does not raise its memory', async () => {
    const scale = { runtime: { factor: 2 } };
    const key = await outOfMemory('OUT_OF_MEMORY', [rule({ exit_codes: [], causes: ['oom'], scale })]);
    await look();
    await clock.advance(20_000);
    await look();
    expect(await statuses(service, key)).toEqual({ big: 'submitted', small: 'ready' });
  });

  it('is found by the second look when accounting lags behind', async () => {
    const key = await outOfMemory('FAILED');
    await look();
    expect(await statuses(service, key)).toEqual({ big: 'submitted', small: 'submitted' });
    machine.slurm.queue = [queued('7', 'x', 'OUT_OF_MEMORY')];
    machine.slurm.accounts = [accounted('7', 'x', 'OUT_OF_MEMORY')];
    await clock.advance(20_000);
    await look();
    expect(await statuses(service, key)).toEqual({ big: 'submitted', small: 'ready' });
  });

  it('a cause that stays unknown is a counted loss', async () => {
    const key = await outOfMemory('FAILED');
    await setMaxLosses(key, 1);
    await look();
    await clock.advance(20_000);
    await look();
    expect(await statuses(service, key)).toEqual({ big: 'ready', small: 'ready' });
    expect(await rows(service, 'results', key)).toMatchObject([
      { status: 'lost', cause: 'worker_lost', return_code: null },
      { status: 'lost', cause: 'worker_lost', return_code: null },
    ]);
  });
});

describe('a job that supports termination', () => {
  const job = { name: 'a', supportsTermination: true, runtime: 3600 };

  it('starts although its stated runtime is longer than what is left, also for the first time', async () => {
    const key = await createWorkflow(service, [job, { ...job, name: 'b', supportsTermination: false }]);
    const worker = await TestWorker.join(service, key);
    // less than the lead and a minute
    void worker.exchange({ time_left_ms: 80_000 });
    await service.write(() => null);
    expect(await statuses(service, key)).toEqual({ a: 'ready', b: 'ready' });
    const { jobs } = await worker.exchange({ time_left_ms: 100_000 });
    expect(jobs).toMatchObject([{ job_name: 'a', runtime_limit_ms: 3_600_000, runtime_ms: 90_000 }]);
    await worker.exchange({ held: [], returned: worker.held });
    worker.held = [];
    await service.call('workflow_modify', { workflow_key: key, changes: { sigterm_lead_seconds: 50 } });
    void worker.exchange({ time_left_ms: 100_000 });
    await service.write(() => null);
    expect(await statuses(service, key)).toEqual({ a: 'ready', b: 'ready' });
  });

  it('starts in an allocation of a minute, even with a waiting worker', async () => {
    const key = await createWorkflow(service, [{ name: 'first' }, job], [[0, 1]]);
    const other = await TestWorker.join(service, key);
    await other.exchange();
    const worker = await TestWorker.join(service, key, {}, null, { walltime_seconds: 60 });
    const waiting = worker.exchange({ time_left_ms: 50_000 });
    await service.write(() => null);
    await other.finish(other.held[0] as number, 0, { draining: true });
    expect((await waiting).jobs).toMatchObject([{ job_name: 'a', runtime_ms: 36_000 }]);
  });

  it('is one again from the moment that it is modified', async () => {
    const key = await createWorkflow(service, [job]);
    const worker = await TestWorker.join(service, key);
    const [{ job_key }] = (await rows(service, 'jobs', key)) as [{ job_key: string }];
    const isTaken = async (changes: Request<'job_modify'>['changes']) => {
      await service.call('job_modify', { job_key, dry_run: false, changes });
      void worker.exchange({ time_left_ms: 600_000 });
      await service.write(() => null);
      return (await statuses(service, key)).a !== 'ready';
    };
    expect(await isTaken({ supports_termination: false })).toBe(false);
    expect(await isTaken({ runtime_ms: 7_200_000 })).toBe(false);
    expect(await isTaken({ supports_termination: true })).toBe(true);
  });

  it('stays one when the requirements that it shares are modified', async () => {
    const key = await createWorkflow(service, [job]);
    const [{ resource_requirements_key }] = (await rows(service, 'resource_requirements', key)) as [
      { resource_requirements_key: string },
    ];
    const changes = { runtime_ms: 7_200_000 };
    await service.call('resource_requirements_modify', { resource_requirements_key, dry_run: false, changes });
    const worker = await TestWorker.join(service, key);
    const { jobs } = await worker.exchange({ time_left_ms: 600_000 });
    expect(jobs).toMatchObject([{ runtime_limit_ms: 7_200_000, runtime_ms: 90_000 }]);
  });
});

describe('an idle worker', () => {
  it('stays while another one may have lost its jobs, and not for ever', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    const silent = await TestWorker.join(service, key, { cpus: 1 });
    await silent.exchange();
    const idle = await TestWorker.join(service, key, { cpus: 1 });
    const poll = async () => {
      const reply = idle.exchange();
      await clock.advance(30_000);
      return (await reply).hold_ms;
    };
    expect(await poll()).toBeUndefined();
    await poll();
    expect(await poll()).toBeGreaterThan(20_000);
    await clock.advance(900_000);
    expect(await poll()).toBeUndefined();
  });
});

describe('a run that has ended', () => {
  it('is not canceled: nothing changes, and the error says so', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }], [], { actions: [completion] });
    const worker = await TestWorker.join(service, key);
    await worker.exchange();
    await worker.finish(worker.held[0] as number);
    const message = `run 1 of workflow ${key} has ended (done): there is nothing to cancel`;
    await expect(cancel(key)).rejects.toMatchObject({ code: 'conflict', message });
    expect(await shown(key)).toMatchObject({ status: 'done' });
    expect(await ends(key)).toHaveLength(1);
  });

  it('with nothing left to run is not restarted: no run begins, and nothing fires', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }], [], {
      actions: [completion, { trigger: 'on_workflow_start' }],
    });
    const worker = await TestWorker.join(service, key);
    await worker.exchange();
    await worker.finish(worker.held[0] as number);
    const before = firings();
    expect(await restart(key)).toMatchObject({ begins_run: false, run_id: 1, num_ready: 0, num_changes: 0 });
    expect(await shown(key)).toMatchObject({ run_id: 1, status: 'done' });
    expect(firings()).toBe(before);
  });
});

describe('a run that waits for workers', () => {
  it('is not restarted when nothing changes', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }]);
    await terminate(key);
    expect(await shown(key)).toMatchObject({ status: 'waiting' });
    expect(await restart(key)).toMatchObject({ begins_run: false, run_id: 1, num_ready: 2 });
    expect(await shown(key)).toMatchObject({ status: 'waiting', run_id: 1 });
  });

  it('is closed by a restart, for which nothing fires', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }], [], { actions: [completion] });
    await terminate(key);
    const [b] = await rows(service, 'jobs', key, { name: 'b' });
    await service.call('jobs_reset', { workflow_key: key, ...plan, which: [b?.job_key as string] });
    expect(await restart(key)).toMatchObject({ begins_run: true, run_id: 2 });
    expect(await ends(key)).toEqual([{ run_id: 1, status: 'restarted' }]);
    expect(firings()).toBe(0);
    const worker = await TestWorker.join(service, key);
    await worker.exchange();
    for (const attempt of [...worker.held]) await worker.finish(attempt);
    expect(await ends(key)).toEqual([
      { run_id: 1, status: 'restarted' },
      { run_id: 2, status: 'done' },
    ]);
    expect(firings()).toBe(1);
  });
});

describe('a restart that stops what runs and is given up', () => {
  it('lets jobs go on, and brings back those that had stopped', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }, { name: 'c' }]);
    await setMaxLosses(key, 0);
    const worker = await TestWorker.join(service, key, { cpus: 3 });
    await worker.exchange();
    const [a = 0, b = 0] = worker.held;
    await service.call('workflow_stop_running', { workflow_key: key, stop: true });
    worker.held = worker.held.filter((attempt) => attempt !== a);
    await worker.exchange({ finished: [{ ...finished(a), ...interrupted }] });
    expect(await statuses(service, key)).toMatchObject({ a: 'terminated' });
    const reply = await service.call('workflow_stop_running', { workflow_key: key, stop: false });
    expect(reply).toMatchObject({ num_going_on: 2, num_back: 1 });
    expect(await statuses(service, key)).toMatchObject({ a: 'ready' });
    // this one had been told already
    worker.held = worker.held.filter((attempt) => attempt !== b);
    const { stop } = await worker.exchange({ finished: [{ ...finished(b), ...interrupted }], draining: true });
    expect(stop).toEqual([]);
    expect(await statuses(service, key)).toEqual({ a: 'ready', b: 'ready', c: 'submitted_pending' });
  });

  it('lets jobs go on by itself when it was killed: nobody repeats its request', async () => {
    const timekeeper = new Timekeeper(service);
    timekeeper.start();
    const key = await createWorkflow(service, [{ name: 'a' }]);
    const worker = await TestWorker.join(service, key);
    await worker.exchange();
    const [a = 0] = worker.held;
    const ask = (stop: boolean) => service.call('workflow_stop_running', { workflow_key: key, stop });
    await ask(true);
    worker.held = [];
    await worker.exchange({ finished: [{ ...finished(a), ...interrupted }], draining: true });
    await clock.advance(200_000);
    await ask(true);
    await clock.advance(200_000);
    expect(await statuses(service, key)).toEqual({ a: 'terminated' });
    await clock.advance(101_000);
    expect(await statuses(service, key)).toEqual({ a: 'ready' });
    await ask(true);
    await ask(false);
    expect(service.db.all('SELECT kind FROM due')).toEqual([]);
    timekeeper.close();
  });

  it('gives up with --force those whose worker does not respond', async () => {
    const key = await createWorkflow(service, [{ name: 'a' }]);
    await (await TestWorker.join(service, key)).exchange();
    await service.call('workflow_stop_running', { workflow_key: key, stop: true });
    await expect(restart(key, { force: true })).rejects.toMatchObject({ code: 'conflict' });
    await clock.advance(50_000);
    expect(await restart(key, { force: true })).toMatchObject({ begins_run: true });
    expect(await statuses(service, key)).toEqual({ a: 'ready' });
  });
});
