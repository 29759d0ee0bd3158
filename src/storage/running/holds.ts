/**
 * Holds: reasons other than upstreams why a job waits. Each counts in the job's `num_blockers`. One with an `until` has
 * a due row, added and removed in the same transaction. Until it ends the run goes on, because its job can still run by
 * itself.
 */
import type { Transaction } from '../database/transaction.ts';
import { removeDue, setDue } from './due.ts';

/**
 * `retry`: a failed job waits for its next attempt. `person`: until somebody releases it. `requirements`: until what its
 * resource requirements come from is there.
 */
type HoldKind = 'retry' | 'person' | 'requirements';

interface HeldJob {
  jobKey: number;
  workflowKey: number;
}

/**
 * Adds a hold that ends by itself at `until` (milliseconds UTC), or never when it is null; the caller moves the job to
 * `blocked`.
 */
export function holdJob(
  tx: Transaction,
  { jobKey, workflowKey }: HeldJob,
  kind: HoldKind,
  until: number | null,
  detail: string | null = null,
): void {
  const { key } = tx.db.run(
    'INSERT INTO holds (workflow_key, job_key, kind, until, detail) VALUES (?, ?, ?, ?, ?)',
    workflowKey,
    jobKey,
    kind,
    until,
    detail,
  );
  if (until !== null) setDue(tx, { kind: 'hold', dueAt: until, workflowKey, subjectKey: key });
  tx.db.run('UPDATE jobs SET num_blockers = num_blockers + 1 WHERE job_key = ?', jobKey);
}

/** Holds jobs until a person releases them; none of them is held by one. The caller moves those that are ready to `blocked`. */
export function addPersonsHolds(tx: Transaction, workflowKey: number, jobKeys: readonly number[]): void {
  const keys = JSON.stringify(jobKeys);
  tx.db.run(
    `INSERT INTO holds (workflow_key, job_key, kind) SELECT ?, value, 'person' FROM json_each(?) ORDER BY key`,
    workflowKey,
    keys,
  );
  tx.db.run(`UPDATE jobs SET num_blockers = num_blockers + 1 WHERE job_key IN (SELECT value FROM json_each(?))`, keys);
}

/** Removes the holds of jobs that a person holds; the caller moves those that wait for nothing else. */
export function removePersonsHolds(tx: Transaction, jobKeys: readonly number[]): void {
  const keys = JSON.stringify(jobKeys);
  tx.db.run(`DELETE FROM holds WHERE kind = 'person' AND job_key IN (SELECT value FROM json_each(?))`, keys);
  tx.db.run(`UPDATE jobs SET num_blockers = num_blockers - 1 WHERE job_key IN (SELECT value FROM json_each(?))`, keys);
}

/**
 * Holds a job of a workflow that is being created until somebody releases it; again, it changes nothing. Its counter
 * follows with `countFirstHolds`.
 */
export function holdFromStart(tx: Transaction, { jobKey, workflowKey }: HeldJob): void {
  tx.db.run(
    `INSERT INTO holds (workflow_key, job_key, kind) SELECT ?, ?, 'person'
     WHERE NOT EXISTS (SELECT 1 FROM holds WHERE job_key = ?)`,
    workflowKey,
    jobKey,
    jobKey,
  );
}

/** Adds the holds that jobs of a workflow have from the start to their counters. */
export function countFirstHolds(tx: Transaction, workflowKey: number): void {
  const sql = `UPDATE jobs SET num_blockers = num_blockers + 1
    WHERE job_key IN (SELECT job_key FROM holds WHERE workflow_key = ? AND kind = 'person')`;
  tx.db.run(sql, workflowKey);
}

/** Removes a hold; returns its job with the new counter, or null when the hold is gone. */
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

/** Removes the holds of a job that was canceled, reset, disabled or restarted; a person's hold stays. */
export function dropOwnHolds(tx: Transaction, { jobKey, workflowKey }: HeldJob): void {
  const sql = `SELECT hold_key FROM holds WHERE job_key = ? AND kind <> 'person'`;
  const holds = tx.db.all<{ hold_key: number }>(sql, jobKey);
  if (holds.length === 0) return;
  for (const hold of holds) removeHold(tx, hold.hold_key);
  // it may have been the last thing that the run was waiting for
  tx.tell({ kind: 'jobs_settled', workflowKey });
}

/** The key of the hold with which a person keeps a job back; null without one. */
export function personsHold(tx: Transaction, jobKey: number): number | null {
  const sql = `SELECT hold_key FROM holds WHERE job_key = ? AND kind = 'person'`;
  return tx.db.get<{ hold_key: number }>(sql, jobKey)?.hold_key ?? null;
}

/** The key of the hold of a job whose resource requirements are not known; null without one. */
export function needsHold(tx: Transaction, jobKey: number): number | null {
  const sql = `SELECT hold_key FROM holds WHERE job_key = ? AND kind = 'requirements'`;
  return tx.db.get<{ hold_key: number }>(sql, jobKey)?.hold_key ?? null;
}

/** Whether a row `w` of workflows has a job that waits for nothing but a person, as an SQL condition. */
export const hasHeldJobSql = (w: string): string =>
  `EXISTS (SELECT 1 FROM holds h JOIN jobs hj ON hj.job_key = h.job_key WHERE h.workflow_key = ${w}.workflow_key
     AND h.kind <> 'retry' AND hj.status = 'blocked'
     AND hj.num_blockers = (SELECT count(*) FROM holds o WHERE o.job_key = hj.job_key))`;

export function hasHeldJob(tx: Transaction, workflowKey: number): boolean {
  const sql = `SELECT ${hasHeldJobSql('w')} AS has FROM workflows w WHERE workflow_key = ?`;
  return tx.db.get<{ has: number }>(sql, workflowKey)?.has === 1;
}

/** Removes the holds of a job that is about to be deleted. */
export function deleteHolds(tx: Transaction, jobKey: number): void {
  tx.db.run(
    `DELETE FROM due WHERE kind = 'hold' AND subject_key IN (SELECT hold_key FROM holds WHERE job_key = ?)`,
    jobKey,
  );
  tx.db.run('DELETE FROM holds WHERE job_key = ?', jobKey);
}

/** When the next hold of a workflow ends by itself (milliseconds UTC); null when none does. */
export function nextFall(tx: Transaction, workflowKey: number): number | null {
  const row = tx.db.get<{ at: number | null }>(
    `SELECT min(due_at) AS at FROM due WHERE workflow_key = ? AND kind = 'hold'`,
    workflowKey,
  );
  return row?.at ?? null;
}

/** Whether a job of the workflow has a hold that ends by itself. */
export function hasTimedHold(tx: Transaction, workflowKey: number): boolean {
  return tx.db.get(`SELECT 1 FROM due WHERE workflow_key = ? AND kind = 'hold' LIMIT 1`, workflowKey) !== undefined;
}
