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
    hasTimedHold: fc.boolean(),
  });
  fc.assert(
    fc.property(facts, ({ runId, isCanceled, hasTimedOut, present, failed, hasTimedHold }) => {
      const counts: JobCounts = noJobs();
      db.run('DELETE FROM job_counts');
      for (const status of present) {
        counts[status as JobStatus] = 1;
        const hasFailed = status === 'done' && failed;
        if (hasFailed) counts.failed = 1;
        db.run('INSERT INTO job_counts VALUES (?, ?, ?, 1)', Number(key), status, hasFailed ? 1 : 0);
      }
      db.run(
        'UPDATE workflows SET run_id = ?, is_canceled = ?, has_timed_out = ?',
        runId,
        isCanceled ? 1 : 0,
        hasTimedOut ? 1 : 0,
      );
      db.run('DELETE FROM due');
      if (hasTimedHold) {
        const sql = `INSERT INTO due (due_at, set_at, kind, workflow_key, subject_key) VALUES (1, 0, 'hold', ?, 1)`;
        db.run(sql, Number(key));
      }
      const request = { list: 'workflows', workflow_key: key, filters: [], sort_by: null, reverse: false } as const;
      const [record] = readList(db, { ...request, filters: [], limit: 1, skip: 0 }).records;
      expect(record?.status).toBe(workflowStatus({ runId, isCanceled, hasTimedOut, counts, hasTimedHold }));
    }),
  );
  await close();
});
