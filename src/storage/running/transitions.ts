/** The only place that changes a job's status: checks the transition table, counts, notes facts, writes the history. */
import { TorcError } from '../../base/errors.ts';
import { activeStatuses, isAllowed, type JobStatus, type Mover } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { countActionJob, countActionJobs } from './action-triggers.ts';
import { dropOwnHolds, removeHold } from './holds.ts';
import { waitsForNeed } from './needs-from-data.ts';
import { isAnyoneTold } from './notifications.ts';
import { type ClaimedJob, followClaims, followReady } from './ready-jobs.ts';
import { noteFailure } from './run-limits.ts';

export interface JobState {
  jobKey: number;
  workflowKey: number;
  status: JobStatus;
  failed: boolean;
}

export interface Move {
  to: JobStatus;
  by: Mover;
  /** With `done`: whether the return code was other than 0. */
  failed?: boolean;
  attemptKey?: number;
  /** The attempt's history includes this move, so it needs no event. */
  isOfAttempt?: boolean;
  /** Kept with the event. */
  data?: unknown;
}

/**
 * Moves a job along the transition table; throws TorcError 'bug' for a move that is not in it. Returns the status that it
 * has now: `blocked` instead of `ready` while its resource requirements are not known.
 */
export function moveJob(tx: Transaction, job: JobState, move: Move): JobStatus {
  if (!isAllowed(job.status, move.to, move.by)) {
    throw new TorcError('bug', `job ${job.jobKey} cannot go from ${job.status} to ${move.to} by ${move.by}`);
  }
  if (move.to === 'ready' && isFirstReady(job, move) && waitsForNeed(tx, job)) {
    return job.status === 'blocked' ? 'blocked' : moveJob(tx, job, { ...move, to: 'blocked' });
  }
  const failed = move.failed ?? false;
  setStatus(tx, job, move);
  if (job.status === 'blocked' && move.to !== 'ready') dropOwnHolds(tx, job);
  tx.count(job.workflowKey, job.status, job.failed, -1);
  tx.count(job.workflowKey, move.to, failed, 1);
  if (move.isOfAttempt !== true) {
    tx.event({
      workflowKey: job.workflowKey,
      type: 'job_status',
      jobKey: job.jobKey,
      oldStatus: job.status,
      newStatus: move.to,
      ...(move.attemptKey === undefined ? {} : { attemptKey: move.attemptKey }),
      ...(move.data === undefined ? {} : { data: move.data }),
    });
  }
  countActionJob(tx, job, move.to);
  if (failed) tx.db.run(setFailure, job.jobKey);
  if (failed && move.by !== 'import') {
    noteFailure(tx, job.workflowKey);
    if (isAnyoneTold(tx, job.workflowKey, 'job_failed')) {
      tx.tell({ kind: 'job_failed', workflowKey: job.workflowKey, jobKey: job.jobKey });
    }
  }
  if (move.to === 'ready') tx.tell({ kind: 'jobs_ready', workflowKey: job.workflowKey });
  // a blocked job may have been held back, and the last one that the run was waiting for
  if ((isActive(job.status) || job.status === 'blocked') && !isActive(move.to))
    tx.tell({ kind: 'jobs_settled', workflowKey: job.workflowKey });
  return move.to;
}

/**
 * As `moveJob` for ready jobs of one workflow that are claimed, the first ones of their shapes in claim order: each with
 * the next attempt, from `firstAttempt` on.
 */
export function moveClaimed(
  tx: Transaction,
  workflowKey: number,
  jobs: readonly ClaimedJob[],
  firstAttempt: number,
): void {
  const [from, to] = ['ready', 'submitted_pending'] as const;
  const keys = JSON.stringify(jobs.map(({ jobKey }) => jobKey));
  const { changes } = tx.db.run(setClaimed, firstAttempt, keys);
  if (!isAllowed(from, to, 'claim') || changes !== jobs.length) {
    throw new TorcError('bug', `jobs ${keys} cannot go from ${from} to ${to} by claim`);
  }
  followClaims(tx, workflowKey, jobs);
  tx.count(workflowKey, from, false, -jobs.length);
  tx.count(workflowKey, to, false, jobs.length);
  const moved = jobs.map(({ jobKey }) => ({ jobKey, status: from }));
  countActionJobs(tx, workflowKey, moved, to);
}

/** As `moveJob` for jobs of one workflow whose attempts ended with success. */
export function moveSuccesses(tx: Transaction, workflowKey: number, jobs: readonly JobState[]): void {
  for (const { jobKey, status, failed } of jobs) {
    if (!isAllowed(status, 'done', 'report')) {
      throw new TorcError('bug', `job ${jobKey} cannot go from ${status} to done by report`);
    }
    tx.count(workflowKey, status, failed, -1);
  }
  tx.count(workflowKey, 'done', false, jobs.length);
  countActionJobs(tx, workflowKey, jobs, 'done');
  tx.db.run(setDone, JSON.stringify(jobs.map(({ jobKey }) => jobKey)));
  tx.tell({ kind: 'jobs_settled', workflowKey });
}

/** One that was claimed keeps what it asks for; nothing of an import runs before a restart. */
function isFirstReady({ status }: JobState, { by }: Move): boolean {
  return by !== 'import' && status !== 'submitted' && status !== 'submitted_pending';
}

/** Writes the status with what belongs to it; the queues of ready jobs follow. */
function setStatus(tx: Transaction, { jobKey, workflowKey, status }: JobState, move: Move): void {
  const { to, by } = move;
  const failed = move.failed === true ? 1 : 0;
  if (to !== 'ready' && status !== 'ready') {
    tx.db.run(by === 'reset' || by === 'mark' ? setAnew : setPlain, to, failed, jobKey);
    return;
  }
  const moved =
    by === 'reset' || by === 'mark'
      ? tx.db.row<PlaceRow>(setAnew + returningPlace, to, failed, jobKey)
      : to === 'ready'
        ? tx.db.row<PlaceRow>(setReady + returningPlace, tx.now, jobKey)
        : tx.db.row<PlaceRow>(setPlain + returningPlace, to, failed, jobKey);
  if (moved === undefined) throw new TorcError('bug', `job ${jobKey} is gone`);
  const [shapeKey, priority] = moved;
  followReady(tx, { workflowKey, jobKey, shapeKey, priority }, to === 'ready');
}

type PlaceRow = [shapeKey: number, priority: number];
const returningPlace = ' RETURNING shape_key, priority';
const setPlain = 'UPDATE jobs SET status = ?, failed = ? WHERE job_key = ?';
const setReady = `UPDATE jobs SET status = 'ready', failed = 0, expires_at = ? + max_wait_ms WHERE job_key = ?`;
/** With a status as a parameter SQLite would prepare it again each time, to see whether the index of ready jobs fits. */
const setClaimed = `UPDATE jobs SET status = 'submitted_pending', failed = 0, attempt_key = ? + k.key, is_command_changed = 0
  FROM json_each(?) k WHERE job_key = k.value AND status = 'ready'`;
const setDone = `UPDATE jobs SET status = 'done', failed = 0 WHERE job_key IN (SELECT value FROM json_each(?))`;
/** The attempt that failed is stored by now. */
const setFailure = `UPDATE jobs SET failure = (SELECT a.cause || ' ' || coalesce(a.return_code, '') FROM attempts a
  WHERE a.attempt_key = jobs.attempt_key) WHERE job_key = ?`;
const setAnew = `UPDATE jobs SET status = ?, failed = ?, num_retries = 0, recovery_attempt_key = NULL, recovery_rule = NULL
  WHERE job_key = ?`;

/** A hold ends: its job is ready when it waits for nothing else. */
export function releaseHold(tx: Transaction, holdKey: number): void {
  const held = removeHold(tx, holdKey);
  if (held === null) return;
  const { jobKey, numBlockers } = held;
  const job = tx.db.get<{ workflow_key: number; status: JobStatus; failed: number }>(
    'SELECT workflow_key, status, failed FROM jobs WHERE job_key = ?',
    jobKey,
  );
  if (job === undefined) return;
  const { workflow_key: workflowKey, status, failed } = job;
  const state = { jobKey, workflowKey, status, failed: failed === 1 };
  if (status === 'blocked' && numBlockers === 0) moveJob(tx, state, { to: 'ready', by: 'unblock' });
  // what it still waits for may need a person
  else tx.tell({ kind: 'jobs_settled', workflowKey });
}

/** The jobs of a workflow whose resource requirements were not known, or one of them, try again. */
export function askNeedsAgain(tx: Transaction, workflowKey: number, jobKey: number | null = null): void {
  const sql = `SELECT hold_key AS holdKey FROM holds
    WHERE workflow_key = ? AND kind = 'requirements' AND job_key = coalesce(?, job_key) ORDER BY hold_key`;
  for (const { holdKey } of tx.db.all<{ holdKey: number }>(sql, workflowKey, jobKey)) releaseHold(tx, holdKey);
}

function isActive(status: JobStatus): boolean {
  return activeStatuses.includes(status);
}
