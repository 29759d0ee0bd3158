/**
 * Holds: reasons other than upstreams why a job waits. Each counts in the job's `num_blockers`. One with an `until` has
 * a due row, made and removed in the same transaction; until it falls the run has not ended, for its job can still run
 * without a person.
 */
import type { Transaction } from '../database/transaction.ts';
import { removeDue, setDue } from './due.ts';

/** `retry`: a failed job waits for its next attempt. */
type HoldKind = 'retry';

interface HeldJob {
  jobKey: number;
  workflowKey: number;
}

/** Adds a hold that falls by itself at `until` (milliseconds UTC); whoever adds it moves the job to `blocked`. */
export function holdJob(tx: Transaction, { jobKey, workflowKey }: HeldJob, kind: HoldKind, until: number): void {
  const { key } = tx.db.run(
    'INSERT INTO holds (workflow_key, job_key, kind, until) VALUES (?, ?, ?, ?)',
    workflowKey,
    jobKey,
    kind,
    until,
  );
  setDue(tx, { kind: 'hold', dueAt: until, workflowKey, subjectKey: key });
  tx.db.run('UPDATE jobs SET num_blockers = num_blockers + 1 WHERE job_key = ?', jobKey);
}

/** Takes a hold away; returns its job, with the counter as it is then. Null when it is gone. */
export function removeHold(tx: Transaction, holdKey: number): { jobKey: number; numBlockers: number } | null {
  const hold = tx.db.get<{ job_key: number }>('DELETE FROM holds WHERE hold_key = ? RETURNING job_key', holdKey);
  if (hold === undefined) return null;
  removeDue(tx, { kind: 'hold', subjectKey: holdKey });
  const job = tx.db.get<{ num_blockers: number }>(
    'UPDATE jobs SET num_blockers = num_blockers - 1 WHERE job_key = ? RETURNING num_blockers',
    hold.job_key,
  );
  return { jobKey: hold.job_key, numBlockers: job?.num_blockers ?? 0 };
}

/** The next attempt of a job does not come by itself any more: it was canceled, reset, disabled or restarted. */
export function dropRetryHold(tx: Transaction, { jobKey, workflowKey }: HeldJob): void {
  const hold = tx.db.get<{ hold_key: number }>(
    `SELECT hold_key FROM holds WHERE job_key = ? AND kind = 'retry'`,
    jobKey,
  );
  if (hold === undefined) return;
  removeHold(tx, hold.hold_key);
  // it may have been the last thing that the run was waiting for
  tx.tell({ kind: 'jobs_settled', workflowKey });
}

/** Removes the holds of a job that is about to be deleted. */
export function deleteHolds(tx: Transaction, jobKey: number): void {
  tx.db.run(
    `DELETE FROM due WHERE kind = 'hold' AND subject_key IN (SELECT hold_key FROM holds WHERE job_key = ?)`,
    jobKey,
  );
  tx.db.run('DELETE FROM holds WHERE job_key = ?', jobKey);
}

/** When the next hold of a workflow falls by itself (milliseconds UTC); null when none does. */
export function nextFall(tx: Transaction, workflowKey: number): number | null {
  const row = tx.db.get<{ at: number | null }>(
    `SELECT min(due_at) AS at FROM due WHERE workflow_key = ? AND kind = 'hold'`,
    workflowKey,
  );
  return row?.at ?? null;
}

/** Whether a job of the workflow waits for a hold that falls by itself. */
export function hasTimedHold(tx: Transaction, workflowKey: number): boolean {
  return tx.db.get(`SELECT 1 FROM due WHERE workflow_key = ? AND kind = 'hold' LIMIT 1`, workflowKey) !== undefined;
}
