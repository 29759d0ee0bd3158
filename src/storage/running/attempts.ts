/**
 * What a worker reports of attempts. Every report names the attempt's own key, and only the job's live attempt decides
 * anything; a late report is kept as an event and still frees what the attempt occupied.
 */
import type { ReportAnswer, Request } from '../../api/contract.ts';
import { isForgivable } from '../../model/decide/outcome.ts';
import type { Transaction } from '../database/transaction.ts';
import { giveBack, propagateEnd } from './completion.ts';
import type { ComputeNode } from './compute-nodes.ts';
import type { EndsTogether } from './ends-together.ts';
import { recordFileStates } from './input-versions.ts';
import { endLimited } from './limits.ts';
import { placeValues } from './log-place.ts';
import { countEnded, forgetOrphan } from './losses.ts';
import { type Attempt, findAttempt, storedEnd, storeEnd } from './reported-attempts.ts';
import { storeResult, withSoundResult } from './result-values.ts';
import { forgetRecovery, retryFailed } from './retries.ts';
import { recordTerminated } from './terminations.ts';
import { moveJob } from './transitions.ts';
import { noteUse } from './usage.ts';
import { withStoredOutputs } from './user-data.ts';

type Answer = ReportAnswer['answer'];
type Finished = Request<'exchange'>['finished'][number];
type Started = Request<'exchange'>['started'][number];

/** The process of an attempt runs. A repeated report, or one after the end, changes nothing. */
export function recordStart(tx: Transaction, node: ComputeNode, report: Started): Answer {
  const attempt = findAttempt(tx, node, report.attempt);
  if (attempt === null) return 'rejected';
  if (!attempt.isLive) return storedEnd(tx, report.attempt).status === null ? 'superseded' : 'repeated';
  if (attempt.startedAt !== null || attempt.job.status !== 'submitted_pending') return 'repeated';
  const startedAt = Math.max(attempt.claimedAt, Math.round(tx.now - report.age_ms));
  const moves = tx.moves(attempt.job.workflowKey, [attempt.job.jobKey]);
  const sql = 'UPDATE attempts SET started_at = ?, log_slot = ?, start_event = ? WHERE attempt_key = ?';
  tx.db.run(sql, startedAt, report.log_slot ?? null, moves.eventKey, attempt.attemptKey);
  moves.add(attempt.attemptKey, 's');
  moveJob(tx, attempt.job, { to: 'submitted', by: 'report', attemptKey: attempt.attemptKey, isOfAttempt: true });
  return 'accepted';
}

/**
 * An attempt ended: stores the result, moves the job, unblocks or cancels what depends on it; a success is left to `ends`
 * where there are others.
 */
export function recordFinish(
  tx: Transaction,
  node: ComputeNode,
  reported: Finished,
  ends: EndsTogether | null = null,
): Answer {
  const attempt = ends?.take(reported.attempt) ?? findAttempt(tx, node, reported.attempt);
  if (attempt === null) return 'rejected';
  if (!attempt.isLive) return recordLateFinish(tx, attempt, reported);
  const report = withStoredOutputs(tx, attempt.job, withSoundResult(reported));
  // a person canceled it and the allocation ended first: a restart must not bring it back
  const status = report.status === 'terminated' && attempt.stopReason === 'cancel' ? 'canceled' : report.status;
  const endedAt = Math.max(attempt.claimedAt, Math.round(tx.now - report.age_ms));
  const startedAt =
    report.start_age_ms === null
      ? attempt.startedAt
      : Math.min(endedAt, Math.max(attempt.claimedAt, Math.round(tx.now - report.start_age_ms)));
  const end = { status, returnCode: report.return_code, cause: report.cause };
  const isForgiven = attempt.taskFailureIsSuccess && isForgivable(end);
  const failed = status === 'done' && report.return_code !== 0 && !isForgiven;
  const isSuccess = status === 'done' && !failed;
  if (!isSuccess) ends?.settle();
  // a job that a person wants to end is not retried
  const isOutOfTime = status === 'terminated' && report.cause === 'walltime' && !attempt.supportsTermination;
  const mayRetry =
    attempt.hasFailureHandler && ((failed && attempt.stopReason !== 'cancel') || (isOutOfTime && !attempt.stopReason));
  freeHeld(tx, attempt);
  if (!attempt.isOccupying) forgetOrphan(tx, attempt.attemptKey);
  if (startedAt !== null) {
    tx.tell({ kind: 'attempt_ran', shapeKey: attempt.shapeKey, runtimeMs: report.exec_ms, cause: report.cause });
    noteUse(tx, attempt, report);
  }
  // whether a failure that may be retried, or an end that may be a loss, ends the job is decided below
  const moves = mayRetry || status === 'terminated' ? null : tx.moves(attempt.job.workflowKey, [attempt.job.jobKey]);
  moves?.add(attempt.attemptKey, attempt.job.status === 'submitted' ? 'f' : 'u');
  storeEnd(tx, attempt.attemptKey, report, { status, startedAt, endedAt, eventKey: moves?.eventKey ?? null });
  tx.ended({
    computeNodeKey: attempt.computeNodeKey,
    numCpus: attempt.numCpus,
    startedAt,
    endedAt,
    cpuMs: report.cpu_ms ?? attempt.cpuMs,
  });
  if (isForgiven) tx.db.run('UPDATE attempts SET is_forgiven = 1 WHERE attempt_key = ?', attempt.attemptKey);
  if (report.files !== undefined) recordFileStates(tx, attempt.job.jobKey, report.files);
  if (report.result != null && status === 'done' && report.return_code === 0) {
    storeResult(tx, attempt.job.workflowKey, attempt.attemptKey, report.result);
  }
  if (mayRetry && retryFailed(tx, attempt.job, { ...end, attemptKey: attempt.attemptKey })) return 'accepted';
  if (status === 'terminated') {
    recordTerminated(tx, { ...attempt, cause: report.cause, isInSlurm: node.slurmJobId !== null });
    return 'accepted';
  }
  if (attempt.hasRecovery) forgetRecovery(tx, attempt.job.jobKey);
  if (isSuccess && ends !== null) {
    ends.add(attempt.job);
    return 'accepted';
  }
  const data = { return_code: report.return_code, cause: report.cause };
  const move = { to: status, by: 'report', failed, attemptKey: attempt.attemptKey } as const;
  moveJob(tx, attempt.job, { ...move, ...(moves === null ? { data } : { isOfAttempt: true }) });
  propagateEnd(tx, attempt.job.jobKey, failed || status === 'canceled');
  return 'accepted';
}

function recordLateFinish(tx: Transaction, attempt: Attempt, report: Finished): Answer {
  release(tx, attempt);
  // the worker uses this attempt's log slot for other jobs now
  if (report.log !== undefined) {
    tx.db.run(
      `UPDATE attempts SET log_kind = ?, log_slot = coalesce(?, log_slot), log_offset = ?, log_length = ?
       WHERE attempt_key = ? AND log_kind IS NULL`,
      ...placeValues(report.log),
      attempt.attemptKey,
    );
  }
  const end = storedEnd(tx, attempt.attemptKey);
  const isSame = end.returnCode === report.return_code && end.cause === report.cause;
  // the first report counted as a failure for a missing output, which the worker does not know
  const isWithoutOutput = end.cause === 'missing_output' && report.return_code === 0;
  const isRepeat = end.status === report.status && (isSame || isWithoutOutput);
  if (isRepeat) return 'repeated';
  tx.event({
    workflowKey: attempt.job.workflowKey,
    type: 'report_superseded',
    jobKey: attempt.job.jobKey,
    attemptKey: attempt.attemptKey,
    data: { status: report.status, return_code: report.return_code, cause: report.cause },
  });
  return 'superseded';
}

/** An attempt was handed back before its process started: the job is ready again. */
export function recordReturn(tx: Transaction, node: ComputeNode, attemptKey: number): Answer {
  const attempt = findAttempt(tx, node, attemptKey);
  if (attempt === null) return 'rejected';
  // one that has started is lost when its worker no longer has it
  if (attempt.isLive && attempt.job.status !== 'submitted_pending') return 'rejected';
  release(tx, attempt);
  if (!attempt.isLive) return storedEnd(tx, attemptKey).status === 'returned' ? 'repeated' : 'superseded';
  if (!attempt.isOccupying) forgetOrphan(tx, attemptKey);
  tx.db.run(
    `UPDATE attempts SET is_live = 0, end_status = 'returned', ended_at = ? WHERE attempt_key = ?`,
    tx.now,
    attemptKey,
  );
  const wasCanceled = attempt.stopReason === 'cancel';
  if (wasCanceled) {
    moveJob(tx, attempt.job, { to: 'canceled', by: 'report', attemptKey });
    propagateEnd(tx, attempt.job.jobKey, true);
  } else giveBack(tx, attempt.job, { by: 'report', attemptKey });
  return 'accepted';
}

/** Stores memory and processor time of running attempts; only live attempts of this worker count. */
export function recordSamples(tx: Transaction, node: ComputeNode, samples: Request<'exchange'>['samples']): void {
  for (const sample of samples) {
    tx.db.run(
      `UPDATE attempts SET peak_memory_bytes = max(coalesce(peak_memory_bytes, 0), ?), cpu_ms = ?, sampled_at = ?
       WHERE attempt_key = ? AND compute_node_key = ? AND is_live = 1`,
      sample.peak_memory_bytes,
      Math.round(sample.cpu_ms),
      tx.now,
      sample.attempt,
      node.computeNodeKey,
    );
  }
}

export function release(
  tx: Transaction,
  attempt: Pick<Attempt, 'attemptKey' | 'computeNodeKey' | 'isOccupying' | 'hasGpus'>,
): void {
  if (!attempt.isOccupying) return;
  freeHeld(tx, attempt);
  tx.db.run('UPDATE attempts SET is_occupying = 0 WHERE attempt_key = ?', attempt.attemptKey);
}

/** What an attempt holds while its process may exist: GPUs, and its slots under limits. */
function freeHeld(
  tx: Transaction,
  { attemptKey, computeNodeKey, isOccupying, hasGpus }: Parameters<typeof release>[1],
): void {
  if (!isOccupying) return;
  endLimited(tx, attemptKey);
  if (!hasGpus) return;
  tx.db.run('DELETE FROM attempt_gpus WHERE compute_node_key = ? AND attempt_key = ?', computeNodeKey, attemptKey);
}

/** Ends a live attempt without a result: its late reports change nothing, and its worker, if it lives, stops it. */
export function giveUpAttempt(tx: Transaction, attemptKey: number): void {
  const row = tx.db.get<{ compute_node_key: number; is_occupying: number }>(
    `UPDATE attempts SET is_live = 0, end_status = 'lost', cause = coalesce(lost_cause, 'worker_lost'), ended_at = ?,
       detail = coalesce(json_extract(diagnosis, '$.explanation'), 'given up by a person: how it ended is unknown')
     WHERE attempt_key = ? AND is_live = 1 RETURNING compute_node_key, is_occupying`,
    tx.now,
    attemptKey,
  );
  if (row !== undefined) countEnded(tx, attemptKey);
  if (row?.is_occupying === 0) forgetOrphan(tx, attemptKey);
  if (row?.is_occupying === 1) {
    tx.tell({ kind: 'worker_stopping', computeNodeKey: row.compute_node_key });
  }
}

/** Attempts of a worker up to `ack` that occupy it: those that it must hold or report. */
export function acknowledgedAttempts(tx: Transaction, computeNodeKey: number, ack: number): number[] {
  const sql = `SELECT attempt_key FROM attempts
     WHERE compute_node_key = ? AND is_occupying = 1 AND attempt_key <= ? ORDER BY attempt_key`;
  return tx.db.column<number>(sql, computeNodeKey, ack);
}

/** Whether this attempt of this worker still decides what happens to its job. */
export function isLive(tx: Transaction, computeNodeKey: number, attemptKey: number): boolean {
  const sql = 'SELECT 1 FROM attempts WHERE attempt_key = ? AND compute_node_key = ? AND is_live = 1';
  return tx.db.get(sql, attemptKey, computeNodeKey) !== undefined;
}
