/**
 * Attempts that ended through no fault of their job: it is ready again in the same run. How often infrastructure may
 * lose its attempts is limited for each run, so that a job that brings its nodes down does not do so for ever.
 */
import type { Cause, JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import type { EndedAttempt } from '../database/worker-times.ts';
import { giveBack } from './completion.ts';
import type { JobState } from './transitions.ts';

export interface Loss {
  attemptKey: number;
  cause: Cause;
  /** Whether it counts towards the workflow's `max_losses`. */
  isCounted: boolean;
}

/**
 * Makes the job of an attempt that has ended wait to be claimed again, and returns true; false when it was lost too
 * often, or when its workflow is canceled or its run has too many failures: the job then stays as it is. The end of the
 * attempt is already stored, or is stored by the caller.
 */
export function bringBack(tx: Transaction, job: JobState, { attemptKey, cause, isCounted }: Loss): boolean {
  const workflow = tx.db.get<{ max_losses: number }>(
    `SELECT max_losses FROM workflows WHERE workflow_key = ? AND phase = 'started' AND is_canceled = 0
       AND has_failed_out = 0`,
    job.workflowKey,
  );
  if (workflow === undefined) return false;
  const { max_losses } = workflow;
  if (!isCounted) {
    giveBack(tx, job, { by: 'loss', attemptKey, data: { cause } });
    return true;
  }
  const num_losses = 1 + numLosses(tx, job, attemptKey);
  if (num_losses > max_losses) return false;
  tx.db.run('UPDATE attempts SET is_loss = 1 WHERE attempt_key = ?', attemptKey);
  giveBack(tx, job, { by: 'loss', attemptKey, data: { cause, num_losses, max_losses } });
  return true;
}

/** Earlier losses in the run in which the attempt was claimed. */
function numLosses(tx: Transaction, { workflowKey, jobKey }: JobState, attemptKey: number): number {
  const sql = `SELECT count(*) AS n FROM attempts WHERE workflow_key = ? AND job_key = ? AND is_loss = 1
     AND run_id = (SELECT run_id FROM attempts WHERE attempt_key = ?)`;
  return tx.db.get<{ n: number }>(sql, workflowKey, jobKey, attemptKey)?.n ?? 0;
}

/** The same for an attempt without a result; it is live until then. */
export function bringBackOrphan(tx: Transaction, job: JobState, loss: Loss): boolean {
  if (!bringBack(tx, job, loss)) return false;
  endLost(tx, loss);
  return true;
}

/** Ends a live attempt without a result whose job waits to be claimed again. */
export function endLost(tx: Transaction, { attemptKey, cause }: Pick<Loss, 'attemptKey' | 'cause'>): void {
  tx.db.run(
    `UPDATE attempts SET is_live = 0, end_status = 'lost', cause = ?, ended_at = ?,
       detail = json_extract(diagnosis, '$.explanation') WHERE attempt_key = ?`,
    cause,
    tx.now,
    attemptKey,
  );
  countEnded(tx, attemptKey);
  forgetOrphan(tx, attemptKey);
}

/** Counts an attempt for its worker that has just ended without a report. */
export function countEnded(tx: Transaction, attemptKey: number): void {
  const row = tx.db.get<EndedAttempt>(
    `SELECT compute_node_key AS computeNodeKey, num_cpus * num_nodes AS numCpus, started_at AS startedAt,
       ended_at AS endedAt, cpu_ms AS cpuMs FROM attempts WHERE attempt_key = ?`,
    attemptKey,
  );
  if (row !== undefined) tx.ended(row);
}

/** A live attempt whose process is known to be gone; a later look decides what becomes of its job. */
export function addOrphan(
  tx: Transaction,
  orphan: { attemptKey: number; workflowKey: number; computeNodeKey: number; since: number },
): void {
  tx.db.run(
    'INSERT INTO orphans (attempt_key, workflow_key, compute_node_key, since) VALUES (?, ?, ?, ?)',
    orphan.attemptKey,
    orphan.workflowKey,
    orphan.computeNodeKey,
    orphan.since,
  );
}

/** The job of an orphan stays claimed until a person restarts it; the run goes on without it. */
export function leaveOrphan(tx: Transaction, attemptKey: number, workflowKey: number): void {
  tx.db.run('UPDATE orphans SET is_left = 1 WHERE attempt_key = ?', attemptKey);
  tx.tell({ kind: 'jobs_settled', workflowKey });
}

/** The attempt is no longer live. */
export function forgetOrphan(tx: Transaction, attemptKey: number): void {
  tx.db.run('DELETE FROM orphans WHERE attempt_key = ?', attemptKey);
}

/** How many claimed jobs of a workflow are left for a person: their attempts have no process and do not come back. */
export function countLeft(tx: Transaction, workflowKey: number): number {
  const sql = 'SELECT count(*) AS n FROM orphans WHERE workflow_key = ? AND is_left = 1';
  return tx.db.get<{ n: number }>(sql, workflowKey)?.n ?? 0;
}

/** Jobs that a restart had stopped before it was given up are ready again; returns how many. */
export function bringBackStopped(tx: Transaction, workflowKey: number): number {
  const rows = tx.db.all<{ job_key: number; status: JobStatus; attempt_key: number; cause: Cause }>(
    `SELECT j.job_key, j.status, a.attempt_key, coalesce(a.cause, a.lost_cause, 'worker_lost') AS cause
     FROM jobs j JOIN attempts a ON a.attempt_key = j.attempt_key LEFT JOIN orphans o ON o.attempt_key = a.attempt_key
     WHERE j.workflow_key = ? AND a.stop_reason = 'restart' AND (j.status = 'terminated' OR o.is_left = 0)
     ORDER BY j.job_key`,
    workflowKey,
  );
  return rows.filter(({ job_key: jobKey, status, attempt_key: attemptKey, cause }) => {
    const job: JobState = { jobKey, workflowKey, status, failed: false };
    const loss = { attemptKey, cause, isCounted: false };
    return status === 'terminated' ? bringBack(tx, job, loss) : bringBackOrphan(tx, job, loss);
  }).length;
}

/** Whether it is still to be decided whether a lost job of the workflow comes back. */
export function hasUndecided(tx: Transaction, workflowKey: number): boolean {
  return tx.db.get('SELECT 1 FROM orphans WHERE workflow_key = ? AND is_left = 0 LIMIT 1', workflowKey) !== undefined;
}
