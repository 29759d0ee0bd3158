/** Jobs that a person marks as done: a result that no process made. */
import type { Settled } from '../../model/decide/restart.ts';
import type { Transaction } from '../database/transaction.ts';
import { personsHold, removeHold } from '../running/holds.ts';
import { getWorkflow, isWorkflowActive } from '../running/workflows.ts';
import { applySettled, type StoredJobs } from './restart.ts';
import { recordRunEnd } from './run-records.ts';

/**
 * The jobs, by number, that a failure upstream canceled; none where nothing more may start: a person canceled the
 * workflow, its run had too many failures, or it has not started.
 */
export function canceledByFailure(tx: Transaction, jobs: StoredJobs): Set<number> {
  const { phase, isCanceled, hasFailedOut } = getWorkflow(tx, jobs.workflowKey);
  if (phase !== 'started' || isCanceled || hasFailedOut) return new Set();
  const rows = tx.db.all<{ job_key: number }>(
    `SELECT job_key FROM jobs WHERE workflow_key = ? AND status = 'canceled' AND failed_upstream_key IS NOT NULL`,
    jobs.workflowKey,
  );
  return new Set(rows.map((row) => jobs.numberOf(row.job_key) as number));
}

/** Writes what a mark of these jobs settled. Nothing holds them any more. */
export function applyMarks(tx: Transaction, jobs: StoredJobs, settled: Settled, marked: readonly number[]): void {
  for (const job of marked) {
    const hold = personsHold(tx, jobs.keys[job] as number);
    if (hold !== null) removeHold(tx, hold);
  }
  applySettled(tx, jobs, settled, 'mark');
  recordMarks(tx, jobs, marked);
  // a job that a person held may have kept the run open
  tx.tell({ kind: 'jobs_settled', workflowKey: jobs.workflowKey });
  noteEnded(tx, jobs.workflowKey);
}

/** Updates the record of a run that has already ended: its end is not told again, but its counts include the marks. */
function noteEnded(tx: Transaction, workflowKey: number): void {
  tx.flushCounts();
  const { hasEnded } = getWorkflow(tx, workflowKey);
  if (hasEnded && !isWorkflowActive(tx, workflowKey)) recordRunEnd(tx, workflowKey);
}

/** The results; what earlier attempts were made from is forgotten, so that a restart compares nothing with it. */
function recordMarks(tx: Transaction, jobs: StoredJobs, marked: readonly number[]): void {
  const { runId } = getWorkflow(tx, jobs.workflowKey);
  for (const job of marked) {
    const jobKey = jobs.keys[job] as number;
    const { key: attemptKey } = tx.db.run(
      `INSERT INTO attempts (workflow_key, job_key, run_id, attempt_id, compute_node_key, is_live, is_occupying, num_cpus,
         memory_bytes, gpu_thousandths, claimed_at, ended_at, end_status, return_code, cause)
       VALUES (?, ?, ?, 1 + coalesce((SELECT attempt_id FROM attempts WHERE attempt_key = ? AND run_id = ?), 0), 0, 0, 0,
         0, 0, 0, ?, ?, 'done', 0, 'marked')`,
      jobs.workflowKey,
      jobKey,
      runId,
      jobs.attemptKeys[job],
      runId,
      tx.now,
      tx.now,
    );
    tx.db.run('UPDATE jobs SET attempt_key = ?, is_command_changed = 0 WHERE job_key = ?', attemptKey, jobKey);
    tx.db.run(
      `UPDATE job_files SET size_bytes = NULL, modified_us = NULL, changed_us = NULL, content_hash = NULL
       WHERE job_key = ?`,
      jobKey,
    );
    tx.db.run('UPDATE job_user_data SET version = NULL WHERE job_key = ?', jobKey);
    tx.event({ workflowKey: jobs.workflowKey, jobKey, attemptKey, type: 'job_marked_done' });
  }
}
