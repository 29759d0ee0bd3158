import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ExchangeReply } from '../../src/api/contract.ts';
import type { Diagnosis } from '../../src/model/decide/diagnosis-fields.ts';
import { gatherEvidence } from '../../src/server/evidence/gather.ts';
import { Reconciler } from '../../src/server/evidence/reconcile.ts';
import { openService } from '../../src/server/open.ts';
import type { Service } from '../../src/server/service.ts';
import { applyEvidence } from '../../src/storage/evidence/apply.ts';
import { diagnoseAttempts } from '../../src/storage/evidence/diagnoses.ts';
import { accounted, FakeClock, type FakeMachine, fakeMachine, queued } from '../support/fake-machine.ts';
import { brokenInvariants } from '../support/invariants.ts';
import {
  createWorkflow,
  finished,
  freshService,
  rows,
  statuses,
  TestWorker,
  temporaryDirectory,
} from '../support/service.ts';

let clock: FakeClock;
let directory: string;
let service: Service;
let machine: FakeMachine;
let reconciler: Reconciler;
let key: string;

beforeEach(async () => {
  clock = new FakeClock();
  directory = temporaryDirectory();
  service = await openService(directory, clock, 'test');
  machine = fakeMachine(clock);
  service.machine = machine;
  reconciler = new Reconciler(service);
  key = await createWorkflow(service, [
    { name: 'a', memory: 1000 },
    { name: 'b', memory: 1000 },
  ]);
});

afterEach(async () => {
  expect(brokenInvariants(service.db)).toEqual([]);
  reconciler.close();
  await service.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Records allocations and confirms those that are given a Slurm id; returns their keys. */
async function allocate(ids: (string | null)[]): Promise<string[]> {
  const config = {
    name: `c${ids[0]}`,
    account: 'x',
    partition: null,
    qos: null,
    walltime_seconds: 60,
    num_nodes: 1,
    ntasks_per_node: null,
    mem: null,
    tmp: null,
    gres: null,
    extra: null,
  };
  const { slurm_config_key } = await service.call('slurm_config_add', { workflow_key: key, ...config });
  const { allocation_keys } = await service.call('allocations_record', {
    workflow_key: key,
    slurm_config_key,
    allocations: ids.map((id, index) => ({
      name: `alloc ${id ?? `lost${index}`}`,
      num_nodes: 1,
      one_worker_per_node: false,
      script_path: '/s',
      output_directory: '/out',
    })),
  });
  for (const [index, id] of ids.entries()) {
    if (id === null) continue;
    const allocation_key = allocation_keys[index] as string;
    await service.call('allocation_confirm', { allocation_key, slurm_job_id: id, cluster: 'lab', error: null });
  }
  return allocation_keys;
}

async function join(slurmJobId: string, allocationKey: string, restartCount = 0): Promise<TestWorker> {
  return TestWorker.join(
    service,
    key,
    { cpus: 2, memory: 10_000 },
    { slurmJobId, hostname: 'c1', restartCount, allocationKey },
  );
}

/** A running worker of Slurm job 7 with both jobs started. */
async function running(restartCount = 0): Promise<TestWorker> {
  const [allocationKey] = await allocate(['7']);
  machine.slurm.queue = [queued('7', 'alloc 7', 'RUNNING', { restartCount })];
  const worker = await join('7', allocationKey as string, restartCount);
  await worker.exchange();
  await worker.exchange({ started: worker.held.map((attempt) => ({ attempt, age_ms: 0, pid: 1 })) });
  return worker;
}

async function look(): Promise<void> {
  await clock.advance(1_000);
  const gathering = gatherEvidence(service, { workflowKey: null, isAsked: true });
  await clock.advance(6_000);
  const evidence = await gathering;
  await service.write((tx) => applyEvidence(tx, evidence));
}

function diagnoses(): Record<string, Diagnosis> {
  const found = service.db.all(
    `SELECT j.name, a.diagnosis FROM attempts a JOIN jobs j ON j.job_key = a.job_key WHERE a.diagnosis IS NOT NULL`,
  );
  return Object.fromEntries(found.map((row) => [row.name as string, JSON.parse(row.diagnosis as string) as Diagnosis]));
}

function ends(state: string, fields: Parameters<typeof accounted>[3] = {}): void {
  machine.slurm.queue = [];
  machine.slurm.accounts = [accounted('7', 'alloc 7', state, fields)];
}

async function events(type: string): Promise<unknown[]> {
  return rows(service, 'events', key, { type });
}

const occupying = (): unknown => service.db.get('SELECT count(*) AS n FROM attempts WHERE is_occupying = 1')?.n;

it('an allocation that has run for minutes without a word of a worker is named until one reports', async () => {
  const [silent, queuedOne] = (await allocate(['7', '8'])) as [string, string];
  const unheard = async () => (await service.call('workflow_status', { workflow_key: key })).allocations_without_worker;
  machine.slurm.queue = [queued('7', 'alloc 7', 'RUNNING'), queued('8', 'alloc 8', 'PENDING')];
  await look();
  expect(await unheard()).toEqual([]);
  clock.stall(3 * 60_000);
  const named = { allocation_key: silent, name: 'alloc 7', slurm_job_id: '7', running_since: expect.any(String) };
  expect(await unheard()).toEqual([named]);
  await join('7', silent);
  expect(await unheard()).toEqual([]);
  expect(queuedOne).not.toBe(silent);
});

describe('an allocation that ended', () => {
  it('orphans the jobs that its worker left, with the reason, and frees the worker', async () => {
    await running();
    ends('CANCELLED by 1000');
    await look();
    expect(await statuses(service, key)).toEqual({ a: 'submitted', b: 'submitted' });
    expect(await rows(service, 'jobs', key, { orphaned: 'true' })).toHaveLength(2);
    expect(occupying()).toBe(0);
    expect(diagnoses().a).toMatchObject({
      cause: 'canceled',
      process: 'gone',
      slurm_state: 'CANCELLED',
      hostname: 'c1',
    });
    expect(diagnoses().a?.explanation).toMatch(/canceled by user 1000 \(alice\)/);
    expect(await events('job_orphaned')).toHaveLength(2);
    const [allocation] = await rows(service, 'allocations', key);
    expect(allocation).toMatchObject({ status: 'ended', slurm_state: 'CANCELLED', hostnames: 'c1', num_workers: 1 });
    await look();
    expect(await events('job_orphaned')).toHaveLength(2);
    expect(await statuses(service, key)).toEqual({ a: 'submitted', b: 'submitted' });
    await clock.advance(10_000);
    await look();
    expect(await statuses(service, key)).toEqual({ a: 'ready', b: 'ready' });
    expect(await rows(service, 'results', key)).toMatchObject([
      { status: 'lost', cause: 'canceled' },
      { status: 'lost', cause: 'canceled' },
    ]);
  });

  it('a late report of an orphaned job still counts', async () => {
    const worker = await running();
    ends('TIMEOUT');
    await look();
    const [first] = worker.held as [number];
    const reply = await worker.finish(first);
    expect(reply.reports[0]?.answer).toBe('accepted');
    expect(reply.leave).toBe(true);
    expect(reply.stop.map((stop) => stop.reason)).toEqual(['fenced']);
    expect(Object.values(await statuses(service, key)).sort()).toEqual(['done', 'submitted']);
  });

  it('what the worker spooled is applied before anything is orphaned', async () => {
    const worker = await running();
    const [first] = worker.held as [number];
    const { attempt: _, start_age_ms: __, age_ms: ___, ...rest } = finished(first, 3);
    ends('TIMEOUT', { endTimeMs: clock.now() });
    const gathering = gatherEvidence(service, { workflowKey: null, isAsked: true });
    await clock.advance(1_000);
    // it becomes visible only after the first read
    machine.spools.set(worker.workerId, [
      {
        worker_id: worker.workerId,
        attempt: first,
        finished: rest,
        started_at_ms: clock.now(),
        ended_at_ms: clock.now(),
      },
    ]);
    await clock.advance(10_000);
    const evidence = await gathering;
    await service.write((tx) => applyEvidence(tx, evidence));
    expect(Object.values(await statuses(service, key)).sort()).toEqual(['done', 'submitted']);
    expect(Object.keys(diagnoses())).toHaveLength(1);
  });

  it('a job of a canceled allocation becomes canceled', async () => {
    await running();
    await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    ends('CANCELLED by 1000');
    await look();
    expect(await statuses(service, key)).toEqual({ a: 'canceled', b: 'canceled' });
  });

  it('orphans nothing when the worker ended normally', async () => {
    const worker = await running();
    for (const attempt of [...worker.held]) await worker.finish(attempt);
    ends('OUT_OF_MEMORY');
    await look();
    expect(await statuses(service, key)).toEqual({ a: 'done', b: 'done' });
    expect(await events('job_orphaned')).toEqual([]);
  });

  it('no longer shows the state of before once its worker has left, and the number of its workers', async () => {
    const worker = await running();
    const allocation = async () => (await rows(service, 'allocations', key))[0];
    await look();
    expect(await allocation()).toMatchObject({ status: 'running', slurm_state: 'RUNNING', num_workers: 1 });
    for (const attempt of [...worker.held]) await worker.finish(attempt);
    expect(await allocation()).toMatchObject({ status: 'ended', slurm_state: null, num_workers: 1 });
    ends('COMPLETED');
    await look();
    expect(await allocation()).toMatchObject({ status: 'ended', slurm_state: 'COMPLETED', num_workers: 1 });
  });

  it('names the job that used the memory, from samples', async () => {
    const worker = await running();
    const [first, second] = worker.held as [number, number];
    const sample = (attempt: number, peak: number) => ({
      attempt,
      memory_bytes: 1,
      peak_memory_bytes: peak,
      cpu_ms: 5,
    });
    await worker.exchange({
      samples: [sample(first, 900), sample(second, 9_000)],
      draining: true,
      time_left_ms: 1,
      returned: [999],
    });
    machine.files.set('alloc 7_7.out', 'slurmstepd-c1: error: Detected 1 oom-kill event(s) in StepId=7.batch. x\n');
    ends('OUT_OF_MEMORY', { exit: { exitCode: 0, signal: 125 } });
    await look();
    expect(diagnoses().b).toMatchObject({ cause: 'oom', role: 'culprit', peak_memory_bytes: 9_000 });
    expect(diagnoses().a).toMatchObject({ cause: 'oom', role: 'victim', culprit_job_name: 'b' });
    // what it is known to need is not forgotten, and counts once
    await look();
    const { usage } = await service.call('usage', { workflow_key: key });
    expect(usage).toMatchObject([{ stem: 'b', num_attempts: 1, num_oom: 1, memory_bytes: { max: 9_000 } }]);
  });

  it('missing accounting is reported, and the rest still answers', async () => {
    await running();
    machine.slurm.queue = [queued('7', 'alloc 7', 'TIMEOUT', { reason: 'TimeLimit' })];
    machine.slurm.accountingFailure = 'sacct: Slurm accounting storage is disabled.';
    await look();
    expect(diagnoses().a).toMatchObject({ cause: 'walltime', slurm_state: 'TIMEOUT' });
    expect(diagnoses().a?.unknown).toEqual([expect.stringMatching(/accounting storage is disabled/)]);
  });

  it('a job id that a rebuilt cluster gave to another user is ignored', async () => {
    await running();
    machine.slurm.queue = [queued('7', 'another job', 'RUNNING')];
    machine.slurm.accounts = [accounted('7', 'another job', 'FAILED')];
    await look();
    expect(occupying()).toBe(2);
    await clock.advance(180_000);
    await look();
    expect(machine.stopFiles.size).toBe(1);
    expect(occupying()).toBe(2);
    await clock.advance(20_000);
    await look();
    expect(diagnoses().a).toMatchObject({ cause: 'worker_lost', slurm_state: null });
    expect(diagnoses().a?.explanation).toMatch(/no longer knows/);
  });
});

describe('nothing is given up because of', () => {
  it('a failing squeue', async () => {
    await running();
    ends('FAILED');
    machine.slurm.queueFailure = { reason: 'squeue: Unable to contact slurm controller.', hint: null };
    await clock.advance(600_000);
    await look();
    expect(occupying()).toBe(2);
    expect(machine.slurm.calls.every((call) => call.command === 'squeue')).toBe(true);
    const evidence = await gatherEvidence(service, { workflowKey: null, isAsked: true });
    const keys = service.db.all('SELECT attempt_key AS k FROM attempts').map((row) => row.k as number);
    const said = await service.write((tx) => diagnoseAttempts(tx, keys, evidence));
    expect([...said.values()][0]).toMatchObject({ cause: null, process: 'lost_contact' });
    expect([...said.values()][0]?.unknown).toEqual([expect.stringMatching(/Unable to contact/)]);
  });

  it('a job that one answer lacks, or whose worker responds', async () => {
    const worker = await running();
    machine.slurm.queue = [];
    await look();
    for (let minute = 0; minute < 5; minute++) {
      await clock.advance(55_000);
      await worker.exchange({ returned: [999] });
      await look();
    }
    expect(occupying()).toBe(2);
  });

  it('silence, which is marked once and cleared when the worker is back', async () => {
    const worker = await running();
    reconciler.start();
    await clock.advance(100_000);
    expect(await events('worker_lost_contact')).toHaveLength(0);
    await clock.advance(200_000);
    expect(await events('worker_lost_contact')).toHaveLength(1);
    expect(occupying()).toBe(2);
    const keys = service.db.all('SELECT attempt_key AS k FROM attempts').map((row) => row.k as number);
    const evidence = await gatherEvidence(service, { workflowKey: null, isAsked: true });
    const said = await service.write((tx) => diagnoseAttempts(tx, keys, evidence));
    expect([...said.values()][0]?.explanation).toMatch(/Slurm still reports job \S+ as RUNNING/);
    await worker.exchange({ returned: [999] });
    expect(await events('worker_back')).toHaveLength(1);
    expect((await rows(service, 'compute_nodes', key))[0]?.contact_lost_at).toBeNull();
  });

  it('a server that stood still', async () => {
    await running();
    reconciler.start();
    await clock.advance(60_000);
    clock.stall(3_600_000);
    await clock.advance(30_000);
    expect(await events('worker_lost_contact')).toHaveLength(0);
  });
});

describe('a job that Slurm no longer has', () => {
  it('is given up even if the wall clock was set back since it was first missed', async () => {
    await running();
    machine.slurm.queue = [];
    machine.slurm.accountingFailure = 'sacct: Slurm accounting storage is disabled.';
    clock.set(3_600_000);
    await look();
    clock.set(-3_600_000);
    await look();
    expect(occupying()).toBe(2);
    await clock.advance(180_000);
    await look();
    await clock.advance(20_000);
    await look();
    expect(occupying()).toBe(0);
  });

  it('is not given up before its worker was told to stop: the list may be wrong', async () => {
    const worker = await running();
    machine.slurm.queue = [];
    machine.slurm.accountingFailure = 'sacct: Slurm accounting storage is disabled.';
    await look();
    await clock.advance(180_000);
    await look();
    expect(machine.stopFiles).toEqual(new Set([worker.workerId]));
    expect(occupying()).toBe(2);
    const reply = await worker.exchange();
    expect(reply.stop).toEqual(worker.held.map((attempt) => ({ attempt, reason: 'fenced' })));
  });

  it('was started again and ended before a worker of that start joined: workers of the first start may live on', async () => {
    const worker = await running();
    machine.slurm.queue = [queued('7', 'alloc 7', 'CANCELLED', { restartCount: 1 })];
    machine.slurm.accountingFailure = 'sacct: Slurm accounting storage is disabled.';
    await look();
    machine.slurm.queue = [];
    await look();
    expect(machine.stopFiles).toEqual(new Set([worker.workerId]));
    expect(occupying()).toBe(2);
    await clock.advance(30_000);
    await look();
    expect(occupying()).toBe(0);
  });
});

describe('a node that Slurm lost', () => {
  it('is told to stop by a file, and counts as gone only some time later', async () => {
    const worker = await running();
    ends('NODE_FAIL');
    await look();
    expect(machine.stopFiles).toEqual(new Set([worker.workerId]));
    expect(occupying()).toBe(2);
    await clock.advance(10_000);
    await look();
    expect(occupying()).toBe(2);
    await clock.advance(10_000);
    await look();
    expect(occupying()).toBe(0);
    expect(diagnoses().a).toMatchObject({ cause: 'node_failure', process: 'gone' });
  });

  it('a wall clock that is set forward does not shorten the time that it has to stop', async () => {
    await running();
    await clock.advance(60_000);
    ends('NODE_FAIL');
    await look();
    clock.set(3_600_000);
    await look();
    expect(occupying()).toBe(2);
    await clock.advance(20_000);
    await look();
    expect(occupying()).toBe(0);
  });

  it('a worker that still responds is told to stop its jobs, and its report decides', async () => {
    const worker = await running();
    ends('NODE_FAIL');
    await look();
    const reply: ExchangeReply = await worker.exchange();
    expect(reply.stop).toEqual(worker.held.map((attempt) => ({ attempt, reason: 'fenced' })));
    await clock.advance(15_000);
    await worker.exchange();
    await clock.advance(10_000);
    await look();
    expect(occupying()).toBe(2);
  });

  it('a requeued allocation: its jobs are ready again in the same run', async () => {
    const worker = await running();
    const [first] = worker.held as [number];
    await worker.exchange({
      held: worker.held.slice(1),
      finished: [{ ...finished(first), status: 'terminated', return_code: null, cause: 'canceled', exit_code: null }],
      draining: true,
    });
    expect(Object.values(await statuses(service, key)).sort()).toEqual(['ready', 'submitted']);
    machine.slurm.queue = [queued('7', 'alloc 7', 'PENDING', { restartCount: 1, reason: 'BeginTime' })];
    machine.slurm.accounts = [
      accounted('7', 'alloc 7', 'NODE_FAIL'),
      accounted('7', 'alloc 7', 'PENDING', { startTimeMs: null }),
    ];
    await look();
    expect(machine.stopFiles.size).toBe(1);
    expect(await rows(service, 'results', key)).toMatchObject([{ status: 'terminated', cause: 'preempted' }]);
    await clock.advance(25_000);
    await look();
    expect(occupying()).toBe(0);
    await clock.advance(10_000);
    await look();
    expect(await statuses(service, key)).toEqual({ a: 'ready', b: 'ready' });
    const [allocation] = await rows(service, 'allocations', key);
    expect(allocation).toMatchObject({ status: 'submitted', restart_count: 1, slurm_state: 'PENDING' });
    const again = await join('7', allocation?.allocation_key as string, 1);
    expect((await again.exchange()).jobs).toHaveLength(2);
    await look();
    expect(Object.values(await statuses(service, key))).toEqual(['submitted_pending', 'submitted_pending']);
  });

  it('a preempted start needs no fence, and a canceled workflow gets nothing back', async () => {
    await running();
    await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    machine.slurm.queue = [queued('7', 'alloc 7', 'PENDING', { restartCount: 1 })];
    machine.slurm.accounts = [
      accounted('7', 'alloc 7', 'PREEMPTED'),
      accounted('7', 'alloc 7', 'PENDING', { startTimeMs: null }),
    ];
    await clock.advance(1_000);
    await look();
    expect(machine.stopFiles.size).toBe(0);
    expect(await statuses(service, key)).toEqual({ a: 'canceled', b: 'canceled' });
  });

  it.each([
    ['accounting has no record of the start that it waits for', [100, 200]],
    ['accounting has no record of the newest start yet', [100, null]],
  ])('a second start whose node failed is told to stop first, although %s', async (_, startedAt) => {
    const worker = await running(1);
    machine.slurm.queue = [queued('7', 'alloc 7', 'PENDING', { restartCount: 2 })];
    machine.slurm.accounts = startedAt.map((startTimeMs, index) =>
      accounted('7', 'alloc 7', startTimeMs === null ? 'PENDING' : (['PREEMPTED', 'NODE_FAIL'][index] as string), {
        startTimeMs,
      }),
    );
    await clock.advance(1_000);
    await look();
    // the end of the first start says nothing about the second one
    expect(machine.stopFiles.size).toBe(1);
    expect(occupying()).toBe(worker.held.length);
  });
});

describe('submissions without an answer', () => {
  it('are found by name, or count as refused after a while', async () => {
    await allocate([null, null]);
    machine.slurm.queue = [queued('41', 'alloc lost1', 'PENDING', { reason: 'Priority' })];
    await look();
    expect(await rows(service, 'allocations', key)).toMatchObject([
      { status: 'recorded', slurm_job_id: null },
      { status: 'submitted', slurm_job_id: '41', slurm_state: 'PENDING', slurm_reason: 'Priority' },
    ]);
    expect(machine.slurm.calls.filter((call) => call.command === 'squeue')).toHaveLength(1);
    await clock.advance(600_000);
    await look();
    expect((await rows(service, 'allocations', key)).map((row) => row.status)).toEqual(['refused', 'submitted']);
  });

  it('count as refused after a while also when the clock is set back by hours meanwhile', async () => {
    await allocate([null]);
    machine.slurm.queue = [];
    clock.set(-7_200_000);
    await look();
    const states = async () => (await rows(service, 'allocations', key)).map((row) => row.status);
    await clock.advance(550_000);
    await look();
    expect(await states()).toEqual(['recorded']);
    await clock.advance(50_000);
    await look();
    expect(await states()).toEqual(['refused']);
  });

  it('may have arrived all the same: a worker of such a job is asked about by that job', async () => {
    const worker = await running();
    const [allocationKey] = (await rows(service, 'allocations', key)).map((row) => row.allocation_key as string);
    // the earlier of two submissions; the later one is known as job 7
    const other = await join('6', allocationKey as string);
    machine.slurm.queue = [queued('7', 'alloc 7', 'RUNNING')];
    machine.slurm.accounts = [accounted('6', 'alloc 7', 'OUT_OF_MEMORY')];
    await look();
    const node = (id: string) =>
      service.db.get('SELECT is_active FROM compute_nodes WHERE worker_id = ?', id)?.is_active;
    expect([node(worker.workerId), node(other.workerId)]).toEqual([1, 0]);
    expect(await rows(service, 'allocations', key)).toMatchObject([{ status: 'running', slurm_state: 'RUNNING' }]);
  });

  it('may have arrived all the same: the end of a worker there does not end the one that still waits', async () => {
    const [allocationKey] = await allocate(['7']);
    machine.slurm.queue = [queued('7', 'alloc 7', 'PENDING'), queued('6', 'alloc 7', 'RUNNING')];
    const other = await join('6', allocationKey as string);
    const status = async () => (await rows(service, 'allocations', key))[0]?.status;
    expect(await status()).toBe('submitted');
    await other.exchange({ leaving: true });
    expect(await status()).toBe('submitted');
    await look();
    expect(await status()).toBe('submitted');
  });

  it('the answer came after its worker, with another job: it waits again', async () => {
    const [allocation_key] = await allocate([null]);
    const other = await join('6', allocation_key as string);
    await service.call('allocation_confirm', {
      allocation_key: allocation_key as string,
      ...{ slurm_job_id: '7', cluster: 'lab', error: null },
    });
    machine.slurm.queue = [queued('7', 'alloc lost0', 'PENDING'), queued('6', 'alloc lost0', 'RUNNING')];
    await look();
    expect(await rows(service, 'allocations', key)).toMatchObject([{ status: 'submitted', slurm_job_id: '7' }]);
    await other.exchange({ leaving: true });
    expect(await rows(service, 'allocations', key)).toMatchObject([{ status: 'submitted', slurm_job_id: '7' }]);
  });
});

describe('an allocation that has not started', () => {
  const submitTimeMs = Date.UTC(2026, 0, 1);
  const allocation = async (): Promise<Record<string, unknown> | undefined> => {
    const [row] = await rows(service, 'allocations', key);
    return row;
  };
  const lookOften = async (): Promise<void> => {
    for (let minute = 0; minute < 12; minute++) {
      await clock.advance(53_000);
      await look();
    }
  };

  beforeEach(async () => {
    await allocate(['7']);
    machine.slurm.queue = [queued('7', 'alloc 7', 'PENDING', { submitTimeMs, reason: 'Priority' })];
    await look();
  });

  it('stays while squeue and sacct do not list it, and a cancel names it', async () => {
    machine.slurm.jobs = new Map([['7', queued('7', 'alloc 7', 'PENDING', { submitTimeMs })]]);
    machine.slurm.queue = [];
    await lookOften();
    expect(await allocation()).toMatchObject({ status: 'submitted', slurm_state: 'PENDING' });
    expect(machine.slurm.calls.length).toBeLessThan(30);
    const plan = await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    expect(plan).toMatchObject({ slurm_job_ids: ['7'] });
  });

  it('stays while scontrol fails', async () => {
    machine.slurm.queue = [];
    machine.slurm.accountingFailure = 'sacct: Slurm accounting storage is disabled.';
    machine.slurm.scontrolShowJob = async () => ({ kind: 'failed', reason: 'scontrol ended.', hint: null });
    await lookOften();
    expect(await allocation()).toMatchObject({ status: 'submitted' });
  });

  it('ends when Slurm says that it has no such job', async () => {
    machine.slurm.queue = [];
    machine.slurm.accountingFailure = 'sacct: Slurm accounting storage is disabled.';
    await look();
    expect(await allocation()).toMatchObject({ status: 'submitted' });
    await lookOften();
    expect(await allocation()).toMatchObject({ status: 'ended' });
  });

  it('stays the same when a person renames its job, whatever becomes of that', async () => {
    const renamed = queued('7', 'urgent', 'PENDING', { submitTimeMs, reason: 'Resources' });
    machine.slurm.queue = [renamed];
    await lookOften();
    expect(await allocation()).toMatchObject({ status: 'submitted', slurm_reason: 'Resources' });
    machine.slurm.queue = [];
    machine.slurm.accounts = [accounted('7', 'urgent', 'CANCELLED by 1000', { submitTimeMs })];
    await clock.advance(1_000);
    await look();
    expect(await allocation()).toMatchObject({ status: 'ended', slurm_state: 'CANCELLED' });
  });

  it('has ended when another job has its id', async () => {
    machine.slurm.queue = [queued('7', 'of another', 'RUNNING', { submitTimeMs: submitTimeMs + 1000 })];
    await look();
    await clock.advance(60_000);
    await look();
    expect(await allocation()).toMatchObject({ status: 'ended' });
    const plan = await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    expect(plan).toMatchObject({ slurm_job_ids: [] });
  });

  it('is not ended by a job of another name that may be the same after a requeue', async () => {
    machine.slurm.queue = [queued('7', 'urgent', 'PENDING', { submitTimeMs: submitTimeMs + 1000, restartCount: 1 })];
    await lookOften();
    expect(await allocation()).toMatchObject({ status: 'submitted' });
  });
});

describe('how often Slurm is asked', () => {
  it('twice a minute at most for a thousand allocations, and not at all when nothing is open', async () => {
    reconciler.start();
    await clock.advance(300_000);
    expect(machine.slurm.calls).toEqual([]);
    const ids = Array.from({ length: 1000 }, (_, index) => String(index + 1));
    await allocate(ids);
    machine.slurm.queue = ids.slice(0, 500).map((id) => queued(id, `alloc ${id}`, 'RUNNING'));
    machine.slurm.accounts = ids.slice(500, 900).map((id) => accounted(id, `alloc ${id}`, 'COMPLETED'));
    const begun = clock.monotonic();
    await clock.advance(600_000);
    const { calls } = machine.slurm;
    expect(calls.length).toBeGreaterThan(5);
    for (let at = begun; at < clock.monotonic(); at += 1000) {
      expect(calls.filter((call) => call.at >= at && call.at < at + 60_000).length).toBeLessThanOrEqual(2);
    }
    const statuses = new Map(
      service.db.all('SELECT slurm_job_id, status FROM allocations').map((row) => [row.slurm_job_id, row.status]),
    );
    expect(new Set(ids.slice(0, 500).map((id) => statuses.get(id)))).toEqual(new Set(['submitted']));
    expect(new Set(ids.slice(500, 900).map((id) => statuses.get(id)))).toEqual(new Set(['ended']));
  }, 60_000);

  it.each([0, 7, 14, 21, 28, 35, 42, 49, 56])(
    'soon enough after a node died that its jobs are back 150 s later (second %i of the minute)',
    async (second) => {
      service.leaseMs = 10_000;
      const worker = await running();
      reconciler.start();
      for (let at = 0; at <= 60 + second; at += 5) {
        await clock.advance(5_000);
        await worker.exchange({ returned: [999] });
      }
      // it takes Slurm half a minute to notice
      const died = clock.monotonic();
      await clock.advance(30_000);
      ends('NODE_FAIL');
      const isBack = (): boolean => service.db.get("SELECT 1 FROM jobs WHERE status = 'ready'") !== undefined;
      while (!isBack() && clock.monotonic() - died < 600_000) await clock.advance(1_000);
      expect(clock.monotonic() - died).toBeLessThanOrEqual(150_000);
      const asked = machine.slurm.calls.filter(({ command }) => command === 'squeue').length;
      expect(asked).toBeLessThanOrEqual(clock.monotonic() / 60_000 + 2);
    },
  );

  it('less and less often while it fails', async () => {
    await allocate(['7']);
    machine.slurm.queueFailure = { reason: 'no', hint: null };
    reconciler.start();
    await clock.advance(3_600_000);
    expect(machine.slurm.calls.length).toBeLessThan(12);
    expect(machine.slurm.calls.length).toBeGreaterThan(5);
  });
});

describe('a worker on this host', () => {
  it('killed while the process of its job continues: counts as gone only after that has ended', async () => {
    const real = await freshService();
    const own = await createWorkflow(real.service, [{ name: 'a' }]);
    const workerId = 'a1'.repeat(16);
    const env = { ...process.env, TORC_WORKER_ID: workerId };
    const worker = spawn('sleep', ['600']);
    const job = spawn('sleep', ['600'], { env, detached: true });
    try {
      const stat = readFileSync(`/proc/${worker.pid}/stat`, 'latin1');
      const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
      const fields = { hostname: hostname(), boot_id: real.service.machine.bootId, pid: worker.pid as number };
      const test = await TestWorker.join(real.service, own, {}, null, {
        ...fields,
        worker_id: workerId,
        start_ticks: ticks,
      });
      await test.exchange();
      const lookOnce = async () => {
        const evidence = await gatherEvidence(real.service, { workflowKey: null, isAsked: true });
        return real.service.write((tx) => applyEvidence(tx, evidence));
      };
      const node = () => real.service.db.get('SELECT is_active, contact_lost_at FROM compute_nodes');
      await lookOnce();
      expect(node()).toEqual({ is_active: 1, contact_lost_at: null });

      const hasEnded = new Promise((resolve) => worker.once('exit', resolve));
      worker.kill('SIGKILL');
      await hasEnded;
      await lookOnce();
      expect(node()).toMatchObject({ is_active: 1, contact_lost_at: expect.any(Number) });
      const evidence = await gatherEvidence(real.service, { workflowKey: null, isAsked: true });
      const [said] = (await real.service.write((tx) => diagnoseAttempts(tx, [1], evidence))).values();
      expect(said?.explanation).toContain(`process ${job.pid} of its jobs is still alive`);

      const jobEnded = new Promise((resolve) => job.once('exit', resolve));
      job.kill('SIGKILL');
      await jobEnded;
      expect(await lookOnce()).toMatchObject({ numOrphaned: 1 });
      expect(node()).toMatchObject({ is_active: 0 });
    } finally {
      worker.kill('SIGKILL');
      job.kill('SIGKILL');
      await real.close();
    }
  });

  it('gone before its jobs: their remaining processes are ended when the jobs must stop, and not before', async () => {
    const worker = await TestWorker.join(service, key, {}, null, { hostname: 'here', boot_id: 'boot', pid: 5 });
    await worker.exchange();
    machine.leftoverProcesses.set(worker.workerId, [6, 7]);
    reconciler.start();
    await clock.advance(20_000);
    expect(machine.leftoverProcesses.get(worker.workerId)).toEqual([6, 7]);
    await service.call('workflow_cancel', { workflow_key: key, dry_run: true });
    await clock.advance(20_000);
    expect(machine.leftoverProcesses.get(worker.workerId)).toEqual([6, 7]);
    await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    await clock.advance(0);
    expect(machine.leftoverProcesses.get(worker.workerId)).toEqual([]);
    expect(await statuses(service, key)).toEqual({ a: 'canceled', b: 'canceled' });
  });

  it('gone after it was asked to stop its jobs: the next check ends their remaining processes', async () => {
    const worker = await TestWorker.join(service, key, {}, null, { hostname: 'here', boot_id: 'boot', pid: 5 });
    await worker.exchange();
    machine.alive.add(5);
    reconciler.start();
    await service.call('workflow_cancel', { workflow_key: key, dry_run: false });
    machine.alive.clear();
    machine.leftoverProcesses.set(worker.workerId, [6]);
    await clock.advance(20_000);
    expect(machine.leftoverProcesses.get(worker.workerId)).toEqual([]);
    expect(await statuses(service, key)).toEqual({ a: 'canceled', b: 'canceled' });
  });

  it('on a host that was rebooted is gone', async () => {
    const worker = await TestWorker.join(service, key, {}, null, { hostname: 'here', boot_id: 'earlier', pid: 5 });
    await worker.exchange();
    machine.alive.add(5);
    await clock.advance(1_000);
    await look();
    expect(diagnoses().a).toMatchObject({ cause: 'worker_lost', process: 'gone' });
  });

  it('is found to be gone even after the wall clock was set back', async () => {
    const worker = await TestWorker.join(service, key, {}, null, { hostname: 'here', boot_id: 'earlier', pid: 5 });
    await worker.exchange();
    clock.set(-3_600_000);
    await look();
    expect(occupying()).toBe(0);
  });
});

describe('an allocation that Slurm has reported on before', () => {
  it('ends even after the wall clock was set back', async () => {
    await allocate(['7']);
    machine.slurm.queue = [queued('7', 'alloc 7', 'PENDING')];
    await look();
    clock.set(-3_600_000);
    machine.slurm.queue = [queued('7', 'alloc 7', 'CANCELLED')];
    await look();
    expect(await rows(service, 'allocations', key)).toMatchObject([{ status: 'ended' }]);
  });
});
