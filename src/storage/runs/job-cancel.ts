/** Canceling single jobs: those that no process runs are canceled at once, running ones when they have stopped. */
import { TorcError } from '../../base/errors.ts';
import { claimedStatuses, type JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { stopJob } from '../running/stops.ts';
import { getWorkflow } from '../running/workflows.ts';
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

interface JobRow {
  job_key: number;
  name: string;
  status: JobStatus;
}

/** Whether a job with this status has ended, or never runs: there is nothing to cancel. */
export function isOver(status: JobStatus): boolean {
  return ['done', 'terminated', 'disabled'].includes(status);
}

/** Jobs that an error names. */
const mostNamed = 5;

/**
 * Cancels named jobs of a workflow. Returns every job that is canceled or is asked to stop, the named ones first. Throws
 * 'not_found' for a job of another workflow, and 'conflict' when one of them has ended or the workflow has not started.
 */
export function cancelJobs(tx: Transaction, workflowKey: number, jobKeys: readonly number[]): CanceledJob[] {
  const jobs = jobKeys.map((jobKey) => jobOf(tx, workflowKey, jobKey));
  if (getWorkflow(tx, workflowKey).phase !== 'started') throw hasNotStarted(workflowKey, jobKeys);
  const ended = jobs.filter(({ status }) => isOver(status));
  if (ended.length > 0) throw hasEnded(ended);
  const open = jobs.filter(({ status }) => status !== 'canceled');
  const named = open.map(({ job_key: jobKey, name, status: oldStatus }): CanceledJob => {
    const isStopping = claimedStatuses.includes(oldStatus) && stopJob(tx, jobKey);
    return { jobKey, name, oldStatus, isStopping, upstreamKey: null };
  });
  const since = lastEvent(tx, workflowKey);
  for (const { jobKey, isStopping } of named) if (!isStopping) cancelIdle(tx, workflowKey, jobKey);
  const isNamed = new Set(named.map(({ jobKey }) => jobKey));
  return [...named, ...canceledSince(tx, workflowKey, since).filter(({ jobKey }) => !isNamed.has(jobKey))];
}

function jobOf(tx: Transaction, workflowKey: number, jobKey: number): JobRow {
  const sql = 'SELECT job_key, name, status FROM jobs WHERE job_key = ? AND workflow_key = ?';
  const job = tx.db.get<JobRow>(sql, jobKey, workflowKey);
  if (job !== undefined) return job;
  throw new TorcError('not_found', `workflow ${workflowKey} has no job ${jobKey}`, 'torc jobs list');
}

function lastEvent(tx: Transaction, workflowKey: number): number {
  tx.endMoves(workflowKey);
  const sql = 'SELECT max(event_key) AS n FROM events WHERE workflow_key = ?';
  return tx.db.get<{ n: number | null }>(sql, workflowKey)?.n ?? 0;
}

function canceledSince(tx: Transaction, workflowKey: number, eventKey: number): CanceledJob[] {
  return tx.db
    .all<{ job_key: number; name: string; old_status: JobStatus; failed_upstream_key: number | null }>(
      `SELECT j.job_key, j.name, e.old_status, j.failed_upstream_key FROM events e JOIN jobs j ON j.job_key = e.job_key
       WHERE e.workflow_key = ? AND e.event_key > ? AND e.new_status = 'canceled' ORDER BY e.event_key`,
      workflowKey,
      eventKey,
    )
    .map((row) => ({
      jobKey: row.job_key,
      name: row.name,
      oldStatus: row.old_status,
      isStopping: false,
      upstreamKey: row.failed_upstream_key,
    }));
}

function hasNotStarted(workflowKey: number, jobKeys: readonly number[]): TorcError {
  const message = `workflow ${workflowKey} has not started: there is nothing to cancel`;
  return new TorcError('conflict', message, `To leave jobs out: torc jobs disable ${jobKeys[0]}`);
}

function hasEnded(jobs: readonly JobRow[]): TorcError {
  const shown = jobs.slice(0, mostNamed).map(({ job_key, name, status }) => `${name} (job ${job_key}) is ${status}`);
  const more = jobs.length > mostNamed ? ` and ${jobs.length - mostNamed} more` : '';
  return new TorcError(
    'conflict',
    `jobs that have ended cannot be canceled: ${shown.join(', ')}${more}`,
    'To see what can: torc jobs list -f status=submitted, or status=ready, or status=blocked',
  );
}
