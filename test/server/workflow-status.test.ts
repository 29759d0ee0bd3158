import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type JobCounts, type JobStatus, jobStatuses, noJobs, workflowStatus } from '../../src/model/status.ts';
import { readList } from '../../src/storage/lists/lists.ts';
import { createWorkflow, freshService } from '../support/service.ts';

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
