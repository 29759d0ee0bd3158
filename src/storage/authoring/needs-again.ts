/** What jobs ask for that comes from data, after a change of their requirements. */
import { claimedStatuses, type JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { setNeed, waitsForNeed } from '../running/needs-from-data.ts';
import { moveJob } from '../running/transitions.ts';

/** What a job that is ready or claimed asks for came from data when it became ready. */
export function setNeedAgain(tx: Transaction, workflowKey: number, jobKey: number): void {
  const row = tx.db.get<{ status: JobStatus }>('SELECT status FROM jobs WHERE job_key = ?', jobKey);
  const job = { jobKey, workflowKey };
  if (row?.status === 'ready' && waitsForNeed(tx, job)) {
    moveJob(tx, { ...job, status: 'ready', failed: false }, { to: 'blocked', by: 'hold' });
  }
  if (row !== undefined && claimedStatuses.includes(row.status)) setNeed(tx, job);
}

/** The same for all jobs with these requirements. */
export function setNeedsAgain(tx: Transaction, workflowKey: number, requirementsKey: number): void {
  const sql = `SELECT job_key FROM jobs WHERE workflow_key = ? AND resource_requirements_key = ?
    AND status IN (SELECT value FROM json_each(?)) ORDER BY job_key`;
  const statuses = JSON.stringify(['ready', ...claimedStatuses]);
  for (const jobKey of tx.db.column<number>(sql, workflowKey, requirementsKey, statuses)) {
    setNeedAgain(tx, workflowKey, jobKey);
  }
}
