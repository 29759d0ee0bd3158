import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { type JobCounts, type JobStatus, jobStatuses, noJobs, workflowStatus } from '../../src/model/status.ts';
import { readList } from '../../src/storage/lists/lists.ts';
import { createWorkflow, finished, freshService, type TestAction, TestWorker } from '../support/service.ts';

it('the list of workflows derives the same status as the model', async () => {
  const { service, close } = await freshService();
  const key = await createWorkflow(service, [{ name: 'a' }], [], { start: false });
  const { db } = service;
  const facts = fc.record({
    runId: fc.nat(2),
    isCanceled: fc.boolean(),
    hasTimedOut: fc.boolean(),
    present: fc.subarray([...jobStatuses]),
    failed: fc.boolean(),
    isPaused: fc.boolean(),
    stopping: fc.constantFrom('no', 'present run', 'ended run'),
    hasTimedHold: fc.boolean(),
    hasHeldJob: fc.boolean(),
    numLeft: fc.nat(2),
    worker: fc.constantFrom(null, 'present', 'silent', 'past', 'long_past'),
  });
  fc.assert(
    fc.property(facts, (drawn) => {
      const { runId, isCanceled, hasTimedOut, present, failed, isPaused, hasTimedHold, hasHeldJob } = drawn;
      const { numLeft, worker, stopping } = drawn;
      const counts: JobCounts = noJobs();
      db.run('DELETE FROM job_counts');
      for (const status of present) {
        counts[status as JobStatus] = 1;
        const hasFailed = status === 'done' && failed;
        if (hasFailed) counts.failed = 1;
        db.run('INSERT INTO job_counts VALUES (?, ?, ?, 1)', Number(key), status, hasFailed ? 1 : 0);
      }
      db.run(
        'UPDATE workflows SET started_at = 1000, run_id = ?, is_canceled = ?, has_timed_out = ?, paused_at = ?, is_stopping = ?, ended_at = ?',
        runId,
        isCanceled ? 1 : 0,
        hasTimedOut ? 1 : 0,
        isPaused ? 1 : null,
        stopping === 'no' ? 0 : 1,
        stopping === 'ended run' ? 1 : null,
      );
      db.run('DELETE FROM holds');
      db.run(`UPDATE jobs SET status = 'blocked', num_blockers = 1`);
      if (hasHeldJob)
        db.run(`INSERT INTO holds (workflow_key, job_key, kind) SELECT workflow_key, job_key, 'person' FROM jobs`);
      db.run('DELETE FROM due');
      if (hasTimedHold) {
        const sql = `INSERT INTO due (due_at, set_at, kind, workflow_key, subject_key) VALUES (1, 0, 'hold', ?, 1)`;
        db.run(sql, Number(key));
      }
      db.run('DELETE FROM orphans');
      for (let n = 0; n < numLeft; n++) db.run('INSERT INTO orphans VALUES (?, ?, 1, 0, 1)', n, Number(key));
      db.run('INSERT OR REPLACE INTO orphans VALUES (99, ?, 1, 0, 0)', Number(key));
      db.run('DELETE FROM compute_nodes');
      if (worker !== null) {
        const isActive = worker === 'present' || worker === 'silent';
        db.run(
          `INSERT INTO compute_nodes (worker_id, workflow_key, hostname, boot_id, pid, restart_count, num_cpus, memory_bytes,
             num_gpus, is_active, started_at, last_heartbeat_at, ended_at, contact_lost_at)
           VALUES ('w', ?, 'h', 'b', 1, 0, 1, 1, 0, ?, 0, 0, ?, ?)`,
          Number(key),
          isActive ? 1 : 0,
          isActive ? null : worker === 'past' ? 2000 : 500,
          worker === 'silent' ? 1 : null,
        );
      }
      const request = { list: 'workflows', workflow_key: key, filters: [], sort_by: null, reverse: false } as const;
      const [record] = readList(db, { ...request, filters: [], limit: 1, skip: 0 }).records;
      expect(record?.status).toBe(
        workflowStatus({
          ...{ runId, isCanceled, hasTimedOut, isPaused, counts, hasTimedHold, hasHeldJob, numLeft },
          isBeingStopped: stopping === 'present run',
          hasWorkers: worker === 'present',
          hasHadWorkers: worker !== null && worker !== 'long_past',
        }),
      );
    }),
  );
  await close();
});

describe('how a workflow stands', () => {
  const ask = { user: null, limit: 10, state: null, wait_seconds: 0 } as const;

  it('failures by cause follow the jobs: new ones count, reset ones do not, retried ones never did', async () => {
    const { service, close } = await freshService();
    const jobs = ['a', 'b', 'c', 'd'].map((name) => ({ name }));
    const workflow_key = await createWorkflow(service, jobs);
    const failures = async () => (await service.call('workflow_status', { workflow_key })).failures;
    expect(await failures()).toEqual([]);
    const worker = await TestWorker.join(service, workflow_key);
    const [a, b, c] = (await worker.exchange()).jobs.map(({ attempt }) => attempt) as [number, number, number];
    await worker.finish(a, 3);
    await worker.finish(b, 3);
    await worker.exchange({
      held: worker.held.filter((held) => held !== c),
      finished: [{ ...finished(c, 137), cause: 'oom', signal: 9 }],
    });
    expect(await failures()).toEqual([
      { cause: 'exit_code', return_code: 3, num_jobs: 2, first_job_keys: ['1', '2'] },
      { cause: 'oom', return_code: 137, num_jobs: 1, first_job_keys: ['3'] },
    ]);
    const reset = { dry_run: false, expected_state: null, skip: 0, which: ['1'] };
    await service.call('jobs_reset', { workflow_key, ...reset });
    expect((await failures()).map(({ num_jobs }) => num_jobs)).toEqual([1, 1]);
    await service.call('jobs_mark_done', {
      ...{ workflow_key, dry_run: false, expected_state: null, skip: 0 },
      job_keys: ['3'],
    });
    expect(await failures()).toMatchObject([{ cause: 'exit_code', num_jobs: 1, first_job_keys: ['2'] }]);
    await close();
  });

  it('says what holds jobs back: no worker, a pause, a person; and nothing while they run', async () => {
    const { service, close } = await freshService();
    const workflow_key = await createWorkflow(service, [{ name: 'a' }, { name: 'b', hold: true }]);
    const line = async () => (await service.call('status', { workflow_keys: [workflow_key], ...ask })).workflows[0];
    const codes = async () => (await line())?.held_back.map(({ num_jobs, reason }) => [num_jobs, reason.code]);
    expect(await codes()).toEqual([
      [1, 'no_worker'],
      [1, 'held'],
    ]);
    await service.call('workflow_pause', { workflow_key, paused: true });
    expect(await codes()).toContainEqual([1, 'workflow_paused']);
    await service.call('workflow_pause', { workflow_key, paused: false });
    const worker = await TestWorker.join(service, workflow_key);
    const { jobs } = await worker.exchange();
    expect(await line()).toMatchObject({ status: 'running', num_running: 1, jobs_per_second: null, eta_seconds: null });
    expect(await codes()).toEqual([[1, 'held']]);
    await worker.finish(jobs[0]?.attempt as number);
    expect(await line()).toMatchObject({ num_done: 1, num_blocked: 1, jobs_per_second: expect.any(Number) });
    await close();
  });

  it('says of a busy workflow which jobs cannot run, and not that the others wait for room', async () => {
    const { service, close } = await freshService();
    const jobs = [{ name: 'runs' }, { name: 'waits' }, { name: 'large', cpus: 64 }];
    const workflow_key = await createWorkflow(service, jobs);
    const worker = await TestWorker.join(service, workflow_key, { cpus: 1 });
    expect((await worker.exchange()).jobs).toHaveLength(1);
    const { workflow } = await service.call('workflow_status', { workflow_key });
    expect(workflow).toMatchObject({ num_running: 1, num_ready: 2 });
    expect(workflow.held_back).toMatchObject([{ num_jobs: 1, reason: { code: 'larger_than_any_worker' } }]);
    await close();
  });

  it('counts, while it is busy, all workers that take no job without their labels, alike or not', async () => {
    const { service, close } = await freshService();
    const workflow_key = await createWorkflow(service, [{ name: 'runs', labels: ['gpu'] }, { name: 'waits' }]);
    for (const cpus of [2, 2, 4]) {
      const worker = await TestWorker.join(service, workflow_key, { cpus }, null, { labels: ['gpu'] });
      if (cpus === 4) expect((await worker.exchange()).jobs).toHaveLength(1);
    }
    const { workflow } = await service.call('workflow_status', { workflow_key });
    expect(workflow.held_back).toMatchObject([{ reason: { code: 'workers_exclusive', num_workers: 3 } }]);
    await close();
  });

  it('an allocation in the queue of Slurm is what ready jobs wait for', async () => {
    const { service, close } = await freshService();
    const workflow_key = await createWorkflow(service, [{ name: 'a' }], [], { slurmConfigs: ['small'] });
    const allocation = { name: 'n', num_nodes: 1, one_worker_per_node: false, script_path: 's', output_directory: 'o' };
    await service.call('allocations_record', { workflow_key, slurm_config_key: '1', allocations: [allocation] });
    const { workflow, allocations } = await service.call('workflow_status', { workflow_key });
    expect(workflow.held_back).toMatchObject([
      { num_jobs: 1, text: '1 job waits for 1 allocation that is queued in Slurm' },
    ]);
    expect(workflow).toMatchObject({ num_queued_allocations: 1, num_running_allocations: 0 });
    const recorded = { status: 'recorded', num_allocations: 1, slurm_reason: null, num_without_worker: 0 };
    expect(allocations).toEqual([recorded]);
    await close();
  });

  it('one that Slurm has started is not called queued while its worker is not there', async () => {
    const { service, close } = await freshService();
    const workflow_key = await createWorkflow(service, [{ name: 'a' }], [], { slurmConfigs: ['small'] });
    const names = ['n', 'o'].map((name) => {
      return { name, num_nodes: 1, one_worker_per_node: false, script_path: 's', output_directory: 'o' };
    });
    await service.call('allocations_record', { workflow_key, slurm_config_key: '1', allocations: names });
    service.db.run(`UPDATE allocations SET status = 'submitted', slurm_job_id = allocation_key`);
    service.db.run(`UPDATE allocations SET evidence = '{"runningSinceMs":1}' WHERE name = 'n'`);
    const { workflow, allocations } = await service.call('workflow_status', { workflow_key });
    expect(workflow.held_back).toMatchObject([
      { text: '1 job waits for the worker of 1 allocation that Slurm has started' },
    ]);
    expect(allocations).toMatchObject([{ status: 'submitted', num_allocations: 2, num_without_worker: 1 }]);
    await close();
  });

  it('a blocked job is not too large where an action asks for larger nodes later', async () => {
    const { service, close } = await freshService();
    const [later, never] = [{ num_nodes: 2 }, { num_nodes: 1 }].map((config) => ({ name: 'c', ...config }));
    for (const config of [later, never]) {
      const actions: TestAction[] = [{ trigger: 'on_jobs_ready', jobs: [1], scheduler: 'c' }];
      const options = { slurmConfigs: [config as object], actions };
      const workflow_key = await createWorkflow(service, [{ name: 'a' }, { name: 'b', nodes: 2 }], [[0, 1]], options);
      await TestWorker.join(service, workflow_key, { cpus: 2 });
      const { demand } = await service.call('demand', { workflow_key });
      const [blocked] = demand.filter(({ num_nodes }) => num_nodes === 2);
      expect(blocked?.reasons.map(({ code }) => code)).toEqual([
        'waits_for_upstreams',
        ...(config === never ? ['larger_than_any_worker'] : []),
      ]);
    }
    await close();
  });

  it('the pace is that of the last ends, and what is left follows from it', async () => {
    let now = 1_000_000;
    const { service, close } = await freshService({ ...systemClock, now: () => now });
    const workflow_key = await createWorkflow(
      service,
      Array.from({ length: 20 }, (_, n) => ({ name: `j${n}` })),
    );
    const worker = await TestWorker.join(service, workflow_key);
    await worker.exchange();
    for (let n = 0; n < 4; n++) {
      now += 5_000;
      await worker.finish(worker.held[0] as number);
    }
    const [line] = (await service.call('status', { workflow_keys: null, ...ask })).workflows;
    expect(line).toMatchObject({ num_done: 4, jobs_per_second: 0.2, eta_seconds: 80 });
    await close();
  });

  it('a reply to the state of an earlier one comes with the next change, and not before', async () => {
    const { service, close } = await freshService();
    const workflow_key = await createWorkflow(service, [{ name: 'a' }]);
    const other = await createWorkflow(service, [{ name: 'a' }]);
    const request = { workflow_keys: [workflow_key], user: null, limit: 1 };
    const { state } = await service.call('status', { ...request, state: null, wait_seconds: 25 });
    let isAnswered = false;
    const waiting = service.call('status', { ...request, state, wait_seconds: 25 }).finally(() => {
      isAnswered = true;
    });
    await service.call('workflow_pause', { workflow_key: other, paused: true });
    expect(isAnswered).toBe(false);
    await service.call('workflow_pause', { workflow_key, paused: true });
    expect((await waiting).workflows).toMatchObject([{ status: 'paused' }]);
    // what has changed already is told at once
    await service.call('status', { ...request, state, wait_seconds: 25 });
    const gone = new AbortController();
    const given = { ...request, state: (await waiting).state, wait_seconds: 25 };
    const abandoned = service.call('status', given, { signal: gone.signal });
    gone.abort();
    await abandoned;
    await close();
  });
});
