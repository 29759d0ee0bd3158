/** How a run begins and ends. */
import type { RunOrigin } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { fireWorkflowActions, noteReadyActions } from '../running/action-triggers.ts';
import { removeDue, setDue } from '../running/due.ts';
import { bringBackStopped } from '../running/losses.ts';
import { restartWaits } from '../running/max-wait.ts';
import { findRecovery, setInstants } from '../running/recoveries.ts';
import { forgetRetries } from '../running/retries.ts';
import { setRunTimeout } from '../running/run-limits.ts';
import { withdrawStops } from '../running/stops.ts';
import { findWorkflow, isWorkflowActive, statusOf } from '../running/workflows.ts';
import { recoverAfterEnd, tellCompletion } from './auto-recovery.ts';
import { recordRun, recordRunEnd, reopenRun } from './run-records.ts';

/** A restart that stops jobs says so every second, and then needs time for its plan; one that was killed does neither. */
const longestSilenceMs = 300_000;

/**
 * Begins the next run after `closeRun` and after a restart has moved the jobs, also of a workflow that was canceled or
 * never started.
 */
export function beginRun(
  tx: Transaction,
  workflowKey: number,
  { numChanges, onlyUninitialized, how }: { numChanges: number; onlyUninitialized: boolean; how: RunOrigin },
): void {
  removeDue(tx, { kind: 'stopping', subjectKey: workflowKey });
  removeDue(tx, { kind: 'cancel_rest', subjectKey: workflowKey });
  setInstants(tx, workflowKey, { nextAt: null, nodesAt: null });
  const row = tx.db.get<{ run_id: number }>(
    `UPDATE workflows SET phase = 'started', run_id = run_id + 1, is_canceled = 0, has_timed_out = 0, is_stopping = 0,
       num_failures = 0, has_failed_out = 0, cancel_below = NULL,
       started_at = ?, ended_at = NULL WHERE workflow_key = ? RETURNING run_id`,
    tx.now,
    workflowKey,
  );
  forgetRetries(tx, workflowKey, onlyUninitialized);
  restartWaits(tx, workflowKey);
  tx.event({ workflowKey, type: 'workflow_restarted', data: { run_id: row?.run_id, num_changes: numChanges } });
  announceRun(tx, workflowKey, row?.run_id ?? 0, how);
}

/** A run that has not ended is closed by a restart, before that moves the jobs: nothing fires for it. */
export function closeRun(tx: Transaction, workflowKey: number): void {
  const open = tx.db.get<{ run_id: number }>(
    `SELECT run_id FROM workflows WHERE workflow_key = ? AND phase = 'started' AND ended_at IS NULL`,
    workflowKey,
  );
  if (open === undefined) return;
  tx.event({ workflowKey, type: 'workflow_ended', data: { run_id: open.run_id, status: 'restarted' } });
  tx.flushCounts();
  recordRunEnd(tx, workflowKey, { status: 'restarted' });
}

/** The consequences of the start of a run: actions fire, workers look for jobs, and a run without work ends. */
export function announceRun(tx: Transaction, workflowKey: number, runId: number, how: RunOrigin): void {
  recordRun(tx, workflowKey, runId, how);
  tx.tell({ kind: 'run_started', workflowKey, runId });
  setRunTimeout(tx, workflowKey);
  fireWorkflowActions(tx, workflowKey, 'on_workflow_start');
  noteReadyActions(tx, workflowKey);
  tx.tell({ kind: 'jobs_ready', workflowKey });
  tx.tell({ kind: 'jobs_settled', workflowKey });
}

export interface Resumed {
  /** Jobs that were asked to stop and have not: they go on, unless their worker has begun to stop them. */
  numGoingOn: number;
  /** Jobs that had stopped and are ready again. */
  numBack: number;
}

/**
 * Pauses claims while a restart stops what runs, or lets them continue because the restart was given up. They also
 * continue when a pause is not repeated for minutes, because nobody else would end it.
 */
export function setStopping(tx: Transaction, workflowKey: number, isStopping: boolean): Resumed {
  const { changes } = tx.db.run(
    'UPDATE workflows SET is_stopping = ? WHERE workflow_key = ? AND is_stopping <> ?',
    isStopping ? 1 : 0,
    workflowKey,
    isStopping ? 1 : 0,
  );
  const due = { kind: 'stopping', subjectKey: workflowKey } as const;
  if (isStopping) setDue(tx, { ...due, workflowKey, dueAt: tx.now + longestSilenceMs });
  else removeDue(tx, due);
  if (isStopping || changes === 0) return { numGoingOn: 0, numBack: 0 };
  tx.tell({ kind: 'jobs_ready', workflowKey });
  tx.tell({ kind: 'jobs_settled', workflowKey });
  return { numGoingOn: withdrawStops(tx, workflowKey), numBack: bringBackStopped(tx, workflowKey) };
}

/**
 * Keeps `ended_at` true: a started run has ended exactly when no job is left that could still run without a person. The
 * end of a run is told once, even if a job that is added later lets it go on. Only right after `flushCounts`, and after
 * everything else that the transaction does.
 */
export function deriveRunEnd(tx: Transaction, workflowKey: number): void {
  if (isWorkflowActive(tx, workflowKey)) {
    const sql = 'UPDATE workflows SET ended_at = NULL WHERE workflow_key = ? AND ended_at IS NOT NULL';
    if (tx.db.run(sql, workflowKey).changes > 0) {
      setRunTimeout(tx, workflowKey);
      reopenRun(tx, workflowKey);
      awaitEndAgain(tx, workflowKey);
    }
    return;
  }
  const { changes } = tx.db.run(
    `UPDATE workflows SET ended_at = ?
     WHERE workflow_key = ? AND ended_at IS NULL AND phase = 'started' AND (is_stopping = 0 OR is_canceled = 1)
       AND cancel_below IS NULL`,
    tx.now,
    workflowKey,
  );
  if (changes === 0) return;
  removeDue(tx, { kind: 'run_timeout', subjectKey: workflowKey });
  recordRunEnd(tx, workflowKey);
  tellEnd(tx, workflowKey);
}

/** A run whose end was not announced, because a recovery was to follow, goes on. */
function awaitEndAgain(tx: Transaction, workflowKey: number): void {
  if (findRecovery(tx, workflowKey)?.nextAt == null) return;
  setInstants(tx, workflowKey, { nextAt: null, nodesAt: null });
  tx.db.run('UPDATE workflows SET told_run_id = run_id - 1 WHERE workflow_key = ?', workflowKey);
}

function tellEnd(tx: Transaction, workflowKey: number): void {
  const { changes } = tx.db.run(
    'UPDATE workflows SET told_run_id = run_id WHERE workflow_key = ? AND told_run_id < run_id',
    workflowKey,
  );
  const workflow = changes === 0 ? null : findWorkflow(tx, workflowKey);
  if (workflow === null) return;
  const { runId } = workflow;
  const status = statusOf(tx, workflow);
  tx.event({ workflowKey, type: 'workflow_ended', data: { run_id: runId, status } });
  tx.tell({ kind: 'run_ended', workflowKey, runId, status });
  if (!recoverAfterEnd(tx, workflowKey, status)) tellCompletion(tx, workflowKey, status);
}
