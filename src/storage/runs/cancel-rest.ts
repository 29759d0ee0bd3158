/** A run that has reached its limit of failures: what waits is canceled, in pieces. */
import type { JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { propagateEnd } from '../running/completion.ts';
import { setDue } from '../running/due.ts';
import { moveJob } from '../running/transitions.ts';

/** Jobs that are looked at in one transaction. */
const piece = 500;

/**
 * Cancels waiting jobs of a workflow that has reached its limit of failures; the rest follows in the next transactions.
 * Jobs downstream come first, so that each is canceled for this reason and not because another one was.
 */
export function cancelRest(tx: Transaction, workflowKey: number): void {
  const workflow = tx.db.get<{ cancel_below: number | null; max_failures: number | null }>(
    'SELECT cancel_below, max_failures FROM workflows WHERE workflow_key = ? AND has_failed_out = 1',
    workflowKey,
  );
  if (workflow === undefined) return;
  const { cancel_below: below, max_failures } = workflow;
  const cancel = (jobKey: number) => cancelWaiting(tx, workflowKey, jobKey, { reason: 'max_failures', max_failures });
  const seen =
    below === null
      ? []
      : tx.db.all<{ job_key: number }>(
          'SELECT job_key FROM jobs WHERE workflow_key = ? AND job_key < ? ORDER BY job_key DESC LIMIT ?',
          workflowKey,
          below,
          piece,
        );
  for (const { job_key: jobKey } of seen) cancel(jobKey);
  // what became ready meanwhile, for example because its worker gave it back
  const sql = `SELECT job_key FROM jobs WHERE workflow_key = ? AND status = 'ready' LIMIT ?`;
  const ready = tx.db.all<{ job_key: number }>(sql, workflowKey, piece);
  for (const { job_key: jobKey } of ready) cancel(jobKey);
  const next = seen.length < piece ? null : (seen.at(-1)?.job_key ?? null);
  if (next !== below) tx.db.run('UPDATE workflows SET cancel_below = ? WHERE workflow_key = ?', next, workflowKey);
  if (next !== null || ready.length === piece) {
    setDue(tx, { kind: 'cancel_rest', dueAt: tx.now, workflowKey, subjectKey: workflowKey });
  }
  if (below !== null && next === null) tx.tell({ kind: 'jobs_settled', workflowKey });
}

function cancelWaiting(tx: Transaction, workflowKey: number, jobKey: number, data: object): void {
  const job = tx.db.get<{ status: JobStatus }>(
    `SELECT status FROM jobs WHERE job_key = ? AND status IN ('blocked', 'ready')`,
    jobKey,
  );
  if (job === undefined) return;
  tx.db.run('UPDATE jobs SET failed_upstream_key = NULL WHERE job_key = ?', jobKey);
  moveJob(tx, { jobKey, workflowKey, status: job.status, failed: false }, { to: 'canceled', by: 'cancel', data });
  propagateEnd(tx, jobKey, true);
}
