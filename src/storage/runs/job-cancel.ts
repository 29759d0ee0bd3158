/** Canceling single jobs: those that no process runs are canceled at once, running ones when they have stopped. */
import { TorcError } from '../../base/errors.ts';
import { claimedStatuses, type JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { propagateEnd } from '../running/completion.ts';
import { jobsListed, moveIdleJobs } from '../running/idle-moves.ts';
import { stopJob } from '../running/stops.ts';
import { getWorkflow } from '../running/workflows.ts';
import { chosenRows, type KeptRows, leaveOut, type Page, readChosen } from './chosen.ts';
import { cancelIdle } from './start-and-cancel.ts';

export interface CanceledJob {
  jobKey: number;
  name: string;
  oldStatus: JobStatus;
  /** Its process is asked to end first; its downstream jobs are canceled when it has. */
  isStopping: boolean;
  /** The job that it is downstream of; null for a job that was named. */
  upstreamKey: number | null;
}

/** Whether a job with this status has ended, or never runs: there is nothing to cancel. */
export function isOver(status: JobStatus): boolean {
  return ['done', 'terminated', 'disabled'].includes(status);
}

/**
 * Cancels named jobs of a workflow, without those that have ended. Returns how many are canceled or asked to stop, and a
 * page of those, the named ones first. Throws 'not_found' for a job of another workflow, and 'conflict' when all of them
 * have ended or the workflow has not started.
 */
export function cancelJobs(
  tx: Transaction,
  workflowKey: number,
  jobKeys: readonly number[],
  page: Page,
): { numChanges: number; numStopping: number; changes: CanceledJob[]; kept: KeptRows } {
  const typed = readChosen(tx, workflowKey, jobKeys);
  if (getWorkflow(tx, workflowKey).phase !== 'started') throw hasNotStarted(workflowKey, jobKeys);
  const chosen = leaveOut(tx, typed, isOver, haveEnded);
  const named = tx.db.column<number>(
    `SELECT j.job_key FROM ${jobsListed} WHERE j.status <> 'canceled' ORDER BY k.key`,
    chosen.keys,
  );
  const shown = chosenRows(tx, JSON.stringify(named.slice(page.skip, page.skip + page.limit)));
  const claimed = claimedOf(tx, named);
  const stopping = new Set(claimed.filter((jobKey) => stopJob(tx, jobKey)));
  const lost = claimed.filter((jobKey) => !stopping.has(jobKey));
  const since = cancelNamed(tx, workflowKey, { idle: named.filter(isNoneOf(claimed)), lost });
  const later = { workflowKey, since, named: lost };
  const changes = shown.map(({ status: oldStatus, ...job }): CanceledJob => {
    return { ...job, oldStatus, isStopping: stopping.has(job.jobKey), upstreamKey: null };
  });
  const rest = { skip: Math.max(0, page.skip - named.length), limit: page.limit - shown.length };
  return {
    numChanges: named.length + countDownstream(tx, later),
    numStopping: stopping.size,
    changes: [...changes, ...downstream(tx, later, rest)],
    kept: chosen.kept,
  };
}

function isNoneOf(jobKeys: readonly number[]): (jobKey: number) => boolean {
  const known = new Set(jobKeys);
  return (jobKey) => !known.has(jobKey);
}

function claimedOf(tx: Transaction, jobKeys: readonly number[]): number[] {
  return tx.db.column<number>(
    `SELECT j.job_key FROM ${jobsListed} WHERE j.status IN (SELECT value FROM json_each(?)) ORDER BY k.key`,
    JSON.stringify(jobKeys),
    JSON.stringify(claimedStatuses),
  );
}

/** `lost`: claimed jobs without a process. Returns the last event before those of other jobs. */
function cancelNamed(
  tx: Transaction,
  workflowKey: number,
  { idle, lost }: { idle: readonly number[]; lost: readonly number[] },
): number {
  moveIdleJobs(tx, workflowKey, idle, { to: 'canceled', by: 'cancel' });
  const since = lastEvent(tx, workflowKey);
  for (const jobKey of lost) cancelIdle(tx, workflowKey, jobKey);
  const upstreams = tx.db.column<number>(
    'SELECT DISTINCT upstream FROM edges WHERE upstream IN (SELECT value FROM json_each(?)) ORDER BY upstream',
    JSON.stringify(idle),
  );
  for (const jobKey of upstreams) propagateEnd(tx, jobKey, true);
  return since;
}

function lastEvent(tx: Transaction, workflowKey: number): number {
  tx.endMoves(workflowKey);
  const sql = 'SELECT max(event_key) AS n FROM events WHERE workflow_key = ?';
  return tx.db.get<{ n: number | null }>(sql, workflowKey)?.n ?? 0;
}

interface Later {
  workflowKey: number;
  since: number;
  /** Those that were named, although their events are later. */
  named: readonly number[];
}

const canceledSince = `FROM events e JOIN jobs j ON j.job_key = e.job_key
  WHERE e.workflow_key = ? AND e.event_key > ? AND e.new_status = 'canceled'
    AND e.job_key NOT IN (SELECT value FROM json_each(?))`;

function countDownstream(tx: Transaction, { workflowKey, since, named }: Later): number {
  const sql = `SELECT count(*) ${canceledSince}`;
  return tx.db.column<number>(sql, workflowKey, since, JSON.stringify(named))[0] ?? 0;
}

function downstream(tx: Transaction, { workflowKey, since, named }: Later, { skip, limit }: Page): CanceledJob[] {
  const rows = tx.db.all<Omit<CanceledJob, 'isStopping'>>(
    `SELECT j.job_key AS jobKey, j.name, e.old_status AS oldStatus, j.failed_upstream_key AS upstreamKey
     ${canceledSince} ORDER BY e.event_key LIMIT ? OFFSET ?`,
    workflowKey,
    since,
    JSON.stringify(named),
    limit,
    skip,
  );
  return rows.map((row) => ({ ...row, isStopping: false }));
}

function hasNotStarted(workflowKey: number, jobKeys: readonly number[]): TorcError {
  const message = `workflow ${workflowKey} has not started: there is nothing to cancel`;
  return new TorcError('conflict', message, `To leave jobs out: torc jobs disable ${jobKeys[0]}`);
}

function haveEnded(jobs: string): TorcError {
  return new TorcError(
    'conflict',
    `jobs that have ended cannot be canceled: ${jobs}`,
    'To see what can: torc jobs list -f status=submitted, or status=ready, or status=blocked',
  );
}
