/** What cuts a run off before all its jobs have run: too many failures, or its timeout. Running jobs finish. */
import type { Transaction } from '../database/transaction.ts';
import { removeDue, setDue } from './due.ts';

/** Counts a final failure; when it is the last one allowed, nothing more starts in this run. */
export function noteFailure(tx: Transaction, workflowKey: number): void {
  const { changes } = tx.db.run(
    'UPDATE workflows SET num_failures = num_failures + 1 WHERE workflow_key = ? AND max_failures IS NOT NULL',
    workflowKey,
  );
  if (changes > 0) checkFailures(tx, workflowKey);
}

/** Ends the run of a workflow that has reached its limit of failures. */
function checkFailures(tx: Transaction, workflowKey: number): void {
  const reached = tx.db.get<{ run_id: number; num_failures: number; max_failures: number }>(
    `UPDATE workflows SET has_failed_out = 1, cancel_below = 9007199254740991
     WHERE workflow_key = ? AND num_failures >= max_failures AND has_failed_out = 0 AND is_canceled = 0
       AND has_timed_out = 0 AND phase = 'started' AND ended_at IS NULL
     RETURNING run_id, num_failures, max_failures`,
    workflowKey,
  );
  if (reached === undefined) return;
  tx.event({ workflowKey, type: 'max_failures_reached', data: reached });
  tx.tell({ kind: 'jobs_settled', workflowKey });
  tx.tell({ kind: 'failures_reached', workflowKey });
}

/** The limit of failures was changed: counts those of the present run. */
export function recountFailures(tx: Transaction, workflowKey: number): void {
  tx.db.run(
    `UPDATE workflows SET num_failures = (SELECT count(*) FROM jobs j JOIN attempts a ON a.attempt_key = j.attempt_key
       WHERE j.workflow_key = workflows.workflow_key AND j.status = 'done' AND j.failed = 1
         AND a.run_id = workflows.run_id)
     WHERE workflow_key = ?`,
    workflowKey,
  );
  checkFailures(tx, workflowKey);
}

/** Sets or removes the row at whose instant the present run times out: for a new run, or for another timeout. */
export function setRunTimeout(tx: Transaction, workflowKey: number): void {
  const run = tx.db.get<{ ends_at: number }>(
    `SELECT started_at + timeout_ms AS ends_at FROM workflows
     WHERE workflow_key = ? AND timeout_ms IS NOT NULL AND phase = 'started' AND ended_at IS NULL AND has_timed_out = 0`,
    workflowKey,
  );
  if (run === undefined) removeDue(tx, { kind: 'run_timeout', subjectKey: workflowKey });
  else setDue(tx, { kind: 'run_timeout', dueAt: run.ends_at, workflowKey, subjectKey: workflowKey });
}

/** The timeout of the run of a workflow is over: nothing more starts, and what is ready stays so. */
export function timeOutRun(tx: Transaction, workflowKey: number): void {
  const run = tx.db.get<{ run_id: number; timeout_ms: number }>(
    `UPDATE workflows SET has_timed_out = 1 WHERE workflow_key = ? AND phase = 'started' AND ended_at IS NULL
       AND is_canceled = 0 AND has_failed_out = 0 RETURNING run_id, timeout_ms`,
    workflowKey,
  );
  if (run === undefined) return;
  const data = { run_id: run.run_id, timeout_seconds: run.timeout_ms / 1000 };
  tx.event({ workflowKey, type: 'workflow_timed_out', data });
  tx.tell({ kind: 'jobs_settled', workflowKey });
}
