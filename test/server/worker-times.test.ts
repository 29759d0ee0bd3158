/** What the attempts of workers had and used: a sum for those that have ended, and the others. */
import { cpSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Database } from '../../src/storage/database/database.ts';
import { inTransaction } from '../../src/storage/database/transaction.ts';
import { orphanAttempts } from '../../src/storage/evidence/orphans.ts';
import { findWorker } from '../../src/storage/evidence/scope.ts';
import { closeComputeNode, findComputeNode } from '../../src/storage/running/compute-nodes.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { brokenInvariants, brokenTimes } from '../support/invariants.ts';
import { createWorkflow, finished, freshService, rows, TestWorker, temporaryDirectory } from '../support/service.ts';

let clock: FakeClock;
let fresh: Awaited<ReturnType<typeof freshService>>;
beforeEach(async () => {
  clock = new FakeClock();
  fresh = await freshService(clock);
});
afterEach(() => fresh.close());

/** As text, worker by worker. */
const sums = (): unknown[] => fresh.service.db.all('SELECT num_attempts, had_ms, used_ms FROM worker_times ORDER BY 1');

/** The worker and its jobs are known to be gone. */
async function lose({ workerId }: TestWorker): Promise<void> {
  await fresh.service.write((tx) => {
    const worker = findWorker(tx, findComputeNode(tx, workerId)?.computeNodeKey ?? 0);
    if (worker === null) throw new Error('no worker');
    closeComputeNode(tx, worker.computeNodeKey, 'lost');
    orphanAttempts(tx, worker, { since: tx.now, only: null });
  });
}

it('counts each attempt of each worker once, ended, running or orphaned', async () => {
  const { service } = fresh;
  const numWorkers = 105;
  const jobs = Array.from({ length: 2 * numWorkers }, (_, n) => ({ name: `j${n}`, cpus: 1 + (n % 3) }));
  const key = await createWorkflow(service, jobs);
  const workers: TestWorker[] = [];
  for (let n = 0; n < numWorkers; n++) {
    const worker = await TestWorker.join(service, key, { cpus: 6, maxJobs: 2 });
    workers.push(worker);
    const { jobs: given } = await worker.exchange();
    expect(given).toHaveLength(2);
    // of each third worker the second job never starts
    const started = given.slice(0, n % 3 === 0 ? 1 : 2).map(({ attempt }) => ({ attempt, pid: 1, age_ms: 0 }));
    const samples = started.map(({ attempt }) => ({
      attempt,
      memory_bytes: 1,
      peak_memory_bytes: 1,
      cpu_ms: 1000 + n,
    }));
    await worker.exchange({ started, samples });
  }
  await clock.advance(1000);
  for (const [n, worker] of workers.entries()) {
    const [first = 0] = worker.held;
    if (n % 2 !== 0) continue;
    worker.held = worker.held.slice(1);
    const end = { ...finished(first), start_age_ms: null, age_ms: n, cpu_ms: n % 4 === 0 ? null : 5 };
    await worker.exchange({ finished: [end], draining: true });
  }
  for (const [n, worker] of workers.entries()) if (n % 5 === 0) await lose(worker);
  await clock.advance(60_000);
  const counted = service.db.all<Record<string, number>>(
    `SELECT count(*) AS num_attempts, sum(a.cpu_ms) / 3600000.0 AS used, sum(a.num_cpus *
       (coalesce(a.ended_at, n.ended_at, ?) - a.started_at)) / 3600000.0 AS had
     FROM attempts a JOIN compute_nodes n USING (compute_node_key) WHERE a.started_at IS NOT NULL GROUP BY compute_node_key`,
    clock.now(),
  );
  const { allocations, total } = await service.call('usage_hours', { workflow_key: key });
  expect(counted).toHaveLength(numWorkers);
  expect(total.num_attempts).toBe(2 * numWorkers - Math.ceil(numWorkers / 3));
  expect(service.db.all('SELECT * FROM orphans').length).toBeGreaterThan(numWorkers / 5);
  for (const [n, { num_attempts, had = 0, used = 0 }] of counted.entries()) {
    expect(allocations[n]?.num_attempts).toBe(num_attempts);
    expect(allocations[n]?.job_cpu_hours).toBeCloseTo(had, 5);
    expect(allocations[n]?.used_cpu_hours).toBeCloseTo(used, 5);
  }
  expect(brokenInvariants(service.db)).toEqual([]);
});

it('a report that comes again or too late counts nothing, and an attempt that a person gives up counts until then', async () => {
  const { service } = fresh;
  const key = await createWorkflow(service, [
    { name: 'a', cpus: 2 },
    { name: 'b', cpus: 1 },
  ]);
  const worker = await TestWorker.join(service, key, { cpus: 3 });
  const { jobs } = await worker.exchange();
  const [a, b] = ['a', 'b'].map((name) => jobs.find(({ job_name }) => job_name === name)?.attempt ?? 0) as [
    number,
    number,
  ];
  await worker.exchange({ started: jobs.map(({ attempt }) => ({ attempt, pid: 1, age_ms: 0 })) });
  await clock.advance(10_000);
  const end = { ...finished(a), start_age_ms: 10_000, age_ms: 0, cpu_ms: 7000 };
  worker.held = [b];
  await worker.exchange({ finished: [end], draining: true });
  await worker.exchange({ finished: [{ ...end, age_ms: 5 }] });
  expect(sums()).toEqual([{ num_attempts: 1, had_ms: 20_000, used_ms: 7000 }]);
  await clock.advance(10_000);
  await lose(worker);
  const plan = { workflow_key: key, dry_run: false, expected_state: null, skip: 0 };
  await service.call('workflow_restart', {
    ...plan,
    ignore_missing_data: true,
    only_uninitialized: false,
    keep_running: false,
    force: true,
    assume_stopped: false,
    working_directory: '/',
  });
  const both = [{ num_attempts: 2, had_ms: 40_000, used_ms: 7000 }];
  expect(sums()).toEqual(both);
  worker.held = [];
  const late = { ...finished(b), start_age_ms: 20_000, age_ms: 0, cpu_ms: 9000 };
  await worker.exchange({ finished: [late], draining: true });
  expect(sums()).toEqual(both);
  expect(brokenInvariants(service.db)).toEqual([]);
});

it('an attempt that a person canceled counts until its worker is gone', async () => {
  const { service } = fresh;
  const key = await createWorkflow(service, [{ name: 'a', cpus: 2 }]);
  const worker = await TestWorker.join(service, key, { cpus: 2 });
  const { jobs } = await worker.exchange();
  await worker.exchange({ started: jobs.map(({ attempt }) => ({ attempt, pid: 1, age_ms: 0 })) });
  await clock.advance(10_000);
  const job_keys = jobs.map(({ job_key }) => job_key);
  await service.call('jobs_cancel', { workflow_key: key, job_keys, dry_run: false, expected_state: null, skip: 0 });
  expect(sums()).toEqual([]);
  await lose(worker);
  expect(sums()).toEqual([{ num_attempts: 1, had_ms: 20_000, used_ms: 0 }]);
  expect(brokenInvariants(service.db)).toEqual([]);
});

it('is part of the transaction: what is taken back is not counted', async () => {
  const ended = { computeNodeKey: 1, numCpus: 2, startedAt: 1, endedAt: 4, cpuMs: 5 };
  await fresh.service.write((tx) => {
    tx.ended(ended);
    tx.rehearse(() => tx.ended(ended));
    expect(() =>
      tx.savepoint(() => {
        tx.ended(ended);
        throw new Error('no');
      }),
    ).toThrow('no');
    tx.ended({ ...ended, startedAt: null });
    tx.ended({ ...ended, computeNodeKey: 0 });
  });
  expect(sums()).toEqual([{ num_attempts: 1, had_ms: 6, used_ms: 5 }]);
});

it('imported attempts count, and the sums go with the workflow', async () => {
  const { service } = fresh;
  const create = (start: boolean) => createWorkflow(service, [{ name: 'a', cpus: 2 }, { name: 'b' }], [], { start });
  const key = await create(true);
  const worker = await TestWorker.join(service, key, { cpus: 4 });
  const { jobs } = await worker.exchange();
  await clock.advance(5000);
  worker.held = [];
  const ends = jobs.map(({ attempt }) => ({ ...finished(attempt), start_age_ms: 4000, age_ms: 0, cpu_ms: 300 }));
  await worker.exchange({ finished: ends, leaving: true });
  const expected = { num_attempts: 2, had_ms: 12_000, used_ms: 600 };
  expect(sums()).toEqual([expected]);
  const results = (await rows(service, 'results', key)) as never[];
  const second = await create(false);
  await service.call('workflow_import_history', { workflow_key: second, results, events: [], added_jobs: [] });
  expect(sums()).toEqual([expected, expected]);
  const end = { run_id: 1, is_canceled: false, started_at: null, ended_at: null, job_statuses: ['done', 'done'] };
  await service.call('workflow_import_finish', { workflow_key: second, ...end, job_statuses: ['done', 'done'] });
  expect(brokenInvariants(service.db)).toEqual([]);
  await service.call('workflow_delete', { workflow_key: key, dry_run: false });
  await service.call('workflow_delete', { workflow_key: second, dry_run: false });
  expect(sums()).toEqual([]);
});

it('a database of an earlier version gets the sums of its attempts', () => {
  const directory = temporaryDirectory();
  const schema = join(directory, 'schema');
  cpSync(new URL('../../src/storage/schema/', import.meta.url), schema, { recursive: true });
  for (const name of readdirSync(schema)) if (Number(name.slice(0, 3)) > 65) rmSync(join(schema, name));
  const path = join(directory, 'torc.db');
  const old = Database.open(path, schema);
  inTransaction(old, 1, ({ db }) => {
    for (const worker of [1, 2]) {
      db.run(
        `INSERT INTO compute_nodes (worker_id, workflow_key, hostname, boot_id, pid, restart_count, num_cpus, memory_bytes,
           num_gpus, started_at, last_heartbeat_at) VALUES (?, 1, 'h', '', 1, 0, 1, 1, 0, 1, 1)`,
        `w${worker}`,
      );
    }
    const attempt = (...values: (number | null)[]) =>
      db.run(
        `INSERT INTO attempts (workflow_key, job_key, run_id, attempt_id, memory_bytes, gpu_thousandths, claimed_at,
           compute_node_key, is_live, num_cpus, num_nodes, started_at, ended_at, cpu_ms)
         VALUES (1, 1, 1, 1, 1, 0, 1, ?, ?, ?, ?, ?, ?, ?)`,
        ...values,
      );
    attempt(1, 0, 2, 3, 10, 20, 5);
    attempt(1, 0, 1, 1, 10, 15, null);
    // clocks disagreed; the end is not known; never started; still runs; of no worker
    attempt(2, 0, 1, 1, 10, 5, 1);
    attempt(2, 0, 1, 1, 10, null, 1);
    attempt(2, 0, 1, 1, null, 20, null);
    attempt(2, 1, 1, 1, 10, null, 100);
    attempt(0, 0, 1, 1, 10, 20, 100);
  });
  old.close();
  const db = Database.open(path);
  expect(db.all('SELECT * FROM worker_times')).toEqual([
    { compute_node_key: 1, num_attempts: 2, had_ms: 65, used_ms: 5 },
    { compute_node_key: 2, num_attempts: 2, had_ms: 0, used_ms: 2 },
  ]);
  expect(brokenTimes(db)).toEqual([]);
  db.close();
  rmSync(directory, { recursive: true, force: true });
});
