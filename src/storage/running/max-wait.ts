/**
 * Jobs that may be ready only for so long: one that has not started by then fails without an attempt. A move to `ready`
 * writes the instant into the job; one due row for each workflow stands for the earliest of them.
 */
import type { Transaction } from '../database/transaction.ts';
import { propagateEnd } from './completion.ts';
import { setDue } from './due.ts';
import { moveJob } from './transitions.ts';

/** Jobs that expire in one transaction. */
const piece = 200;
const returnCode = 153;

const earliest = `SELECT expires_at FROM jobs
  WHERE workflow_key = ? AND status = 'ready' AND expires_at IS NOT NULL ORDER BY expires_at LIMIT 1`;

/** Sees to it that the due row of a workflow is not later than the first of its ready jobs expires. */
export function setExpiry(tx: Transaction, workflowKey: number): void {
  const at = tx.db.get<{ expires_at: number }>(earliest, workflowKey)?.expires_at;
  if (at === undefined) return;
  const sql = `SELECT due_at FROM due WHERE kind = 'max_wait' AND subject_key = ?`;
  const due = tx.db.get<{ due_at: number }>(sql, workflowKey);
  if (due !== undefined && due.due_at <= at) return;
  setDue(tx, { kind: 'max_wait', dueAt: at, workflowKey, subjectKey: workflowKey });
}

/** Ends the jobs of a workflow that have been ready for too long, unless its run is over or a restart stops it. */
export function expireJobs(tx: Transaction, workflowKey: number): void {
  const run = tx.db.get<{ run_id: number }>(
    `SELECT run_id FROM workflows WHERE workflow_key = ? AND phase = 'started' AND is_canceled = 0
       AND has_timed_out = 0 AND has_failed_out = 0 AND is_stopping = 0`,
    workflowKey,
  );
  if (run === undefined) return;
  const expired = tx.db.all<{ job_key: number }>(
    `SELECT job_key FROM jobs WHERE workflow_key = ? AND status = 'ready' AND expires_at <= ? ORDER BY expires_at LIMIT ?`,
    workflowKey,
    tx.now,
    piece,
  );
  for (const { job_key: jobKey } of expired) expireJob(tx, workflowKey, run.run_id, jobKey);
  setExpiry(tx, workflowKey);
}

function expireJob(tx: Transaction, workflowKey: number, runId: number, jobKey: number): void {
  // too many failures may have canceled it meanwhile
  if (tx.db.get(`SELECT 1 FROM jobs WHERE job_key = ? AND status = 'ready'`, jobKey) === undefined) return;
  const { key: attemptKey } = tx.db.run(
    `INSERT INTO attempts (workflow_key, job_key, run_id, attempt_id, compute_node_key, is_live, is_occupying, num_cpus,
       memory_bytes, gpu_thousandths, num_nodes, claimed_at, ended_at, end_status, return_code, cause, log_kind)
     SELECT j.workflow_key, j.job_key, ?, 1 + coalesce((SELECT a.attempt_id FROM attempts a
         WHERE a.attempt_key = j.attempt_key AND a.run_id = ?), 0), 0, 0, 0, s.num_cpus, s.memory_bytes,
       s.gpu_thousandths, s.num_nodes, j.expires_at - j.max_wait_ms, ?, 'done', ?, 'max_wait', 'empty'
     FROM jobs j JOIN shapes s ON s.shape_key = j.shape_key WHERE j.job_key = ?`,
    runId,
    runId,
    tx.now,
    returnCode,
    jobKey,
  );
  tx.db.run('UPDATE jobs SET attempt_key = ? WHERE job_key = ?', attemptKey, jobKey);
  const data = { return_code: returnCode, cause: 'max_wait' };
  const job = { jobKey, workflowKey, status: 'ready', failed: false } as const;
  moveJob(tx, job, { to: 'done', by: 'expire', failed: true, attemptKey, data });
  propagateEnd(tx, jobKey, true);
}

/** A new run begins: jobs that are ready already wait from now on. */
export function restartWaits(tx: Transaction, workflowKey: number): void {
  tx.db.run(
    `UPDATE jobs SET expires_at = ? + max_wait_ms
     WHERE workflow_key = ? AND status = 'ready' AND expires_at IS NOT NULL`,
    tx.now,
    workflowKey,
  );
}

/**
 * The wall clock jumped by `jumpMs`: what was ready before moves along. After a jump back that is known only of jobs
 * that became ready in what is the future now; the others wait longer.
 */
export function moveExpiries(tx: Transaction, jumpMs: number): void {
  const wasBefore = jumpMs > 0 ? 'expires_at - max_wait_ms <= ?' : 'expires_at - max_wait_ms > ?';
  const sql = `UPDATE jobs INDEXED BY jobs_expiring SET expires_at = expires_at + ?
     WHERE status = 'ready' AND expires_at IS NOT NULL AND ${wasBefore}`;
  tx.db.run(sql, jumpMs, jumpMs > 0 ? tx.now - jumpMs : tx.now);
  followExpiries(tx);
}

/** No job that became ready in what is the future now waits longer than from now on. */
export function restartExpiries(tx: Transaction): void {
  tx.db.run(
    `UPDATE jobs INDEXED BY jobs_expiring SET expires_at = ? + max_wait_ms
     WHERE status = 'ready' AND expires_at IS NOT NULL AND expires_at > ? + max_wait_ms`,
    tx.now,
    tx.now,
  );
  followExpiries(tx);
}

function followExpiries(tx: Transaction): void {
  for (const { key } of tx.db.all<{ key: number }>(`SELECT subject_key AS key FROM due WHERE kind = 'max_wait'`)) {
    const at = tx.db.get<{ expires_at: number }>(earliest, key)?.expires_at;
    if (at !== undefined) setDue(tx, { kind: 'max_wait', dueAt: at, workflowKey: key, subjectKey: key });
  }
}
