/** Starting and canceling a run: what happens to the jobs that nobody has claimed. */
import { TorcError } from '../../base/errors.ts';
import { claimedStatuses, type JobStatus } from '../../model/status.ts';
import { lastKeyOfStep, type Step } from '../database/steps.ts';
import type { Transaction } from '../database/transaction.ts';
import { countActionJob } from '../running/action-triggers.ts';
import { giveUpAttempt } from '../running/attempts.ts';
import { propagateEnd } from '../running/completion.ts';
import { holdUnknownNeeds } from '../running/needs-from-data.ts';
import { forgetReadyJobs } from '../running/ready-jobs.ts';
import { isRecovering } from '../running/recoveries.ts';
import { requestStop } from '../running/stops.ts';
import { moveJob } from '../running/transitions.ts';
import { getWorkflow, jobCounts, statusOf } from '../running/workflows.ts';
import { announceRun } from './runs.ts';

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
      `Run it again with torc workflows restart ${workflowKey}; --dry-run shows what that would do.`,
    );
  }
  if (workflow.isCanceled)
    throw new TorcError('conflict', `workflow ${workflowKey} is canceled`, `torc workflows restart ${workflowKey}`);
  if (Object.values(jobCounts(tx, workflowKey)).every((n) => n === 0)) {
    throw new TorcError(
      'conflict',
      `workflow ${workflowKey} has no jobs, so nothing would run`,
      `Add jobs first: torc workflows add-jobs-from-commands-file ${workflowKey} FILE, or torc jobs add --help`,
    );
  }
  const row = tx.db.get<{ ready: number; blocked: number }>(
    `SELECT coalesce(sum(num_blockers = 0), 0) AS ready, coalesce(sum(num_blockers > 0), 0) AS blocked
     FROM jobs WHERE workflow_key = ? AND status = 'uninitialized'`,
    workflowKey,
  );
  return { numReady: row?.ready ?? 0, numBlocked: row?.blocked ?? 0, runId: workflow.runId + 1 };
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
  // another start of the same workflow was faster
  if (workflow.phase === 'started') return null;
  if (workflow.phase === 'created') {
    tx.db.run(`UPDATE workflows SET phase = 'starting' WHERE workflow_key = ?`, workflowKey);
  }
  const last = lastKeyOfStep(tx, workflowKey, after);
  holdUnknownNeeds(tx, workflowKey, after, last ?? Number.MAX_SAFE_INTEGER);
  const moved = tx.db.all<{ job_key: number; status: JobStatus }>(
    `UPDATE jobs SET status = CASE num_blockers WHEN 0 THEN 'ready' ELSE 'blocked' END,
       expires_at = ? + max_wait_ms
     WHERE workflow_key = ? AND job_key > ? AND job_key <= ? AND status = 'uninitialized' RETURNING job_key, status`,
    tx.now,
    workflowKey,
    after,
    last ?? Number.MAX_SAFE_INTEGER,
  );
  for (const row of moved) {
    const job = { jobKey: row.job_key, workflowKey, status: 'uninitialized' } as const;
    countActionJob(tx, job, row.status);
  }
  forgetReadyJobs(tx, workflowKey);
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
  announceRun(tx, workflowKey, workflow.runId + 1, 'start');
  return null;
}
/**
 * Refuses to cancel a run that has ended, with TorcError 'conflict'. One that a cancel left half done can be canceled
 * again, and so can a workflow that has not started.
 */
export function refuseEnded(tx: Transaction, workflowKey: number, slurmJobIds: readonly string[]): void {
  const workflow = getWorkflow(tx, workflowKey);
  if (!workflow.hasEnded) return;
  const counts = jobCounts(tx, workflowKey);
  if (workflow.isCanceled && counts.uninitialized + counts.blocked > 0) return;
  throw new TorcError(
    'conflict',
    `run ${workflow.runId} of workflow ${workflowKey} has ended (${statusOf(tx, workflow)}): there is nothing to cancel`,
    isRecovering(tx, workflowKey)
      ? `To keep it from recovering by itself: torc workflows modify ${workflowKey} --max-recoveries 0`
      : slurmJobIds.length === 0
        ? `torc workflows show-status ${workflowKey}`
        : `To cancel its allocations: scancel ${slurmJobIds.join(' ')}`,
  );
}

/** Marks a workflow as canceled and asks its running attempts to end; returns how many. */
export function beginCancel(tx: Transaction, workflowKey: number): number {
  const workflow = getWorkflow(tx, workflowKey);
  if (!workflow.isCanceled) {
    tx.db.run('UPDATE workflows SET is_canceled = 1 WHERE workflow_key = ?', workflowKey);
    tx.event({ workflowKey, type: 'workflow_canceled' });
    // a restart that held the end of the run back may have been killed
    tx.tell({ kind: 'jobs_settled', workflowKey });
  }
  return requestStop(tx, workflowKey, 'cancel');
}

/** The steps of a cancel: each cancels some of the jobs that no process runs, in stored order. */
export function cancelSteps(workflowKey: number): Step {
  let cursor = 0;
  return (tx) => {
    // a restart came in between: this cancel does not apply to the jobs of its run
    if (!getWorkflow(tx, workflowKey).isCanceled) return true;
    const last = lastKeyOfStep(tx, workflowKey, cursor);
    const rows = tx.db.all<{ job_key: number }>(
      `SELECT j.job_key FROM jobs j LEFT JOIN attempts a ON a.attempt_key = j.attempt_key
       WHERE j.workflow_key = ? AND j.job_key > ? AND j.job_key <= ? AND (j.status IN ('uninitialized', 'blocked', 'ready')
         OR (j.status IN ('submitted_pending', 'submitted') AND a.is_occupying = 0))`,
      workflowKey,
      cursor,
      last ?? Number.MAX_SAFE_INTEGER,
    );
    for (const row of rows) cancelIdle(tx, workflowKey, row.job_key);
    cursor = last ?? cursor;
    return last === null;
  };
}

/** Cancels a job that no process runs, and what is downstream of it. */
export function cancelIdle(tx: Transaction, workflowKey: number, jobKey: number): void {
  const sql = 'SELECT status, attempt_key FROM jobs WHERE job_key = ?';
  const job = tx.db.get<{ status: JobStatus; attempt_key: number | null }>(sql, jobKey);
  // an earlier job of the same step may have canceled it already
  if (job === undefined || job.status === 'canceled') return;
  const { status, attempt_key: attemptKey } = job;
  if (claimedStatuses.includes(status) && attemptKey !== null) giveUpAttempt(tx, attemptKey);
  moveJob(tx, { jobKey, workflowKey, status, failed: false }, { to: 'canceled', by: 'cancel' });
  propagateEnd(tx, jobKey, true);
}
