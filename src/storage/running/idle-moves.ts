/**
 * Moves of many idle jobs at once, by the rules of transitions.ts: a few statements for all of them instead of some for
 * each, so that a pattern over a million jobs holds the server for seconds, not minutes.
 */
import { TorcError } from '../../base/errors.ts';
import { activeStatuses, isAllowed, type JobStatus, type Mover } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { countActionJob } from './action-triggers.ts';
import { dropOwnHolds } from './holds.ts';
import { waitsForNeed } from './needs-from-data.ts';
import { forgetReadyJobs } from './ready-jobs.ts';

/** The rows of jobs by the keys of a JSON list, in its order. */
export const jobsListed = 'json_each(?) k CROSS JOIN jobs j ON j.job_key = k.value';

const idleStatuses: readonly JobStatus[] = ['uninitialized', 'blocked', 'ready'];

/**
 * Moves jobs of one workflow that no process runs; throws TorcError 'bug' for a move that is not in the transition
 * table. Jobs whose resource requirements are not known stay `blocked` instead of `ready`. `data` is kept with each event.
 */
export function moveIdleJobs(
  tx: Transaction,
  workflowKey: number,
  jobKeys: readonly number[],
  { to, by, data }: { to: JobStatus; by: Mover; data?: object },
): void {
  const moving = to === 'ready' ? jobKeys.filter((jobKey) => !waitsForNeed(tx, { jobKey, workflowKey })) : jobKeys;
  if (moving.length === 0) return;
  const keys = JSON.stringify(moving);
  const byStatus = jobsByStatus(tx, keys);
  for (const status of byStatus.keys()) {
    if (idleStatuses.includes(status) && isAllowed(status, to, by)) continue;
    throw new TorcError('bug', `jobs cannot go from ${status} to ${to} by ${by}`);
  }
  const told = data === undefined ? null : JSON.stringify(data);
  const rows = `SELECT j.job_key, 'job_status', j.status, ?, ? FROM ${jobsListed} ORDER BY k.key`;
  tx.events(workflowKey, rows, to, told, keys);
  if (to === 'ready') tx.db.run(setReady, tx.now, keys);
  else tx.db.run(setOther, to, keys);
  if (to !== 'ready') dropOwnHoldsOf(tx, workflowKey, keys);
  for (const [status, those] of byStatus) {
    tx.count(workflowKey, status, false, -those.length);
    for (const jobKey of those) countActionJob(tx, { jobKey, workflowKey, status }, to);
  }
  tx.count(workflowKey, to, false, moving.length);
  if (to === 'ready' || byStatus.has('ready')) forgetReadyJobs(tx, workflowKey);
  if (to === 'ready') tx.tell({ kind: 'jobs_ready', workflowKey });
  if (!activeStatuses.includes(to) && (byStatus.has('ready') || byStatus.has('blocked')))
    tx.tell({ kind: 'jobs_settled', workflowKey });
}

const setReady = `UPDATE jobs SET status = 'ready', failed = 0, expires_at = ? + max_wait_ms
  WHERE job_key IN (SELECT value FROM json_each(?))`;
const setOther = 'UPDATE jobs SET status = ?, failed = 0 WHERE job_key IN (SELECT value FROM json_each(?))';

function jobsByStatus(tx: Transaction, keys: string): Map<JobStatus, number[]> {
  const found = new Map<JobStatus, number[]>();
  for (const [jobKey, status] of tx.db.rows<[number, JobStatus]>(
    `SELECT j.job_key, j.status FROM ${jobsListed} ORDER BY k.key`,
    keys,
  )) {
    const known = found.get(status);
    if (known === undefined) found.set(status, [jobKey]);
    else known.push(jobKey);
  }
  return found;
}

function dropOwnHoldsOf(tx: Transaction, workflowKey: number, keys: string): void {
  const held = tx.db.column<number>(
    `SELECT DISTINCT h.job_key FROM holds h WHERE h.workflow_key = ? AND h.kind <> 'person'
       AND h.job_key IN (SELECT value FROM json_each(?))`,
    workflowKey,
    keys,
  );
  for (const jobKey of held) dropOwnHolds(tx, { jobKey, workflowKey });
}
