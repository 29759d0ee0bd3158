/** Starting a run and cancelling it: what happens to the jobs that nobody has claimed. */
import { TorcError } from '../base/errors.ts';
import type { JobStatus } from '../model/status.ts';
import { requestCancel } from './attempts.ts';
import { propagateEnd } from './completion.ts';
import { lastKeyOfStep, type Step } from './steps.ts';
import type { Transaction } from './transaction.ts';
import { moveJob } from './transitions.ts';
import { getWorkflow, jobCounts } from './workflows.ts';

/** What a start does, as counts: uninitialized jobs without blockers become ready, the others blocked. */
export function planStart(
  tx: Transaction,
  workflowKey: number,
): { numReady: number; numBlocked: number; runId: number } {
  const workflow = getWorkflow(tx, workflowKey);
  if (workflow.phase === 'started') {
    throw new TorcError(
      'conflict',
      `workflow ${workflowKey} was already started (run ${workflow.runId})`,
      `torc workflows show-status ${workflowKey}`,
    );
  }
  if (workflow.isCanceled) throw new TorcError('conflict', `workflow ${workflowKey} is canceled`, 'Create it again.');
  const row = tx.db.get(
    `SELECT coalesce(sum(num_blockers = 0), 0) AS ready, coalesce(sum(num_blockers > 0), 0) AS blocked
     FROM jobs WHERE workflow_key = ? AND status = 'uninitialized'`,
    workflowKey,
  );
  return { numReady: row?.ready as number, numBlocked: row?.blocked as number, runId: workflow.runId + 1 };
}

/** The steps of a start: each moves some jobs in stored order, the last one begins the run. */
export function startSteps(workflowKey: number): Step {
  let cursor = 0;
  return (tx) => {
    const next = startStep(tx, workflowKey, cursor);
    cursor = next ?? cursor;
    return next === null;
  };
}

function startStep(tx: Transaction, workflowKey: number, after: number): number | null {
  const workflow = getWorkflow(tx, workflowKey);
  // somebody else's start of the same workflow was faster
  if (workflow.phase === 'started') return null;
  if (workflow.phase === 'created') {
    tx.db.run(`UPDATE workflows SET phase = 'starting' WHERE workflow_key = ?`, workflowKey);
  }
  const last = lastKeyOfStep(tx, workflowKey, after);
  const moved = tx.db.all(
    `UPDATE jobs SET status = CASE num_blockers WHEN 0 THEN 'ready' ELSE 'blocked' END
     WHERE workflow_key = ? AND job_key > ? AND job_key <= ? AND status = 'uninitialized' RETURNING status`,
    workflowKey,
    after,
    last ?? Number.MAX_SAFE_INTEGER,
  );
  const numReady = moved.filter((row) => row.status === 'ready').length;
  tx.count(workflowKey, 'uninitialized', false, -moved.length);
  tx.count(workflowKey, 'ready', false, numReady);
  tx.count(workflowKey, 'blocked', false, moved.length - numReady);
  if (last !== null) return last;
  tx.db.run(
    `UPDATE workflows SET phase = 'started', run_id = run_id + 1, started_at = ?, ended_at = NULL WHERE workflow_key = ?`,
    tx.now,
    workflowKey,
  );
  tx.flushCounts();
  const counts = jobCounts(tx, workflowKey);
  tx.event({
    workflowKey,
    type: 'workflow_started',
    data: { run_id: workflow.runId + 1, num_ready: counts.ready, num_blocked: counts.blocked },
  });
  tx.noteReady(workflowKey);
  if (counts.ready === 0) tx.noteSettled(workflowKey);
  return null;
}
/** Marks a workflow as cancelled and asks its running attempts to end; returns how many. */
export function beginCancel(tx: Transaction, workflowKey: number): number {
  const workflow = getWorkflow(tx, workflowKey);
  if (!workflow.isCanceled) {
    tx.db.run('UPDATE workflows SET is_canceled = 1 WHERE workflow_key = ?', workflowKey);
    tx.event({ workflowKey, type: 'workflow_canceled' });
  }
  return requestCancel(tx, workflowKey);
}

/** The steps of a cancel: each cancels some of the jobs that have not been claimed, in stored order. */
export function cancelSteps(workflowKey: number): Step {
  let cursor = 0;
  return (tx) => {
    const last = lastKeyOfStep(tx, workflowKey, cursor);
    const rows = tx.db.all(
      `SELECT job_key FROM jobs WHERE workflow_key = ? AND job_key > ? AND job_key <= ?
         AND status IN ('uninitialized', 'blocked', 'ready')`,
      workflowKey,
      cursor,
      last ?? Number.MAX_SAFE_INTEGER,
    );
    for (const row of rows) cancelUnclaimed(tx, workflowKey, row.job_key as number);
    cursor = last ?? cursor;
    return last === null;
  };
}

function cancelUnclaimed(tx: Transaction, workflowKey: number, jobKey: number): void {
  // an earlier job of the same step may have canceled it already
  const status = tx.db.get('SELECT status FROM jobs WHERE job_key = ?', jobKey)?.status as JobStatus;
  if (status !== 'uninitialized' && status !== 'blocked' && status !== 'ready') return;
  moveJob(tx, { jobKey, workflowKey, status, failed: false }, { to: 'canceled', by: 'cancel' });
  propagateEnd(tx, jobKey, true);
}
