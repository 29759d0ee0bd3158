/** What is known of an attempt when its worker reports something of it. */
import { TorcError } from '../../base/errors.ts';
import type { JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import type { ComputeNode } from './compute-nodes.ts';
import type { JobState } from './transitions.ts';

export interface Attempt {
  attemptKey: number;
  computeNodeKey: number;
  isLive: boolean;
  isOccupying: boolean;
  hasGpus: boolean;
  stopReason: string | null;
  claimedAt: number;
  startedAt: number | null;
  job: JobState;
  shapeKey: number;
  name: string;
  hasFailureHandler: boolean;
  hasRecovery: boolean;
  supportsTermination: boolean;
  taskFailureIsSuccess: boolean;
}

type AttemptRow = [
  attemptKey: number,
  isLive: number,
  isOccupying: number,
  gpuThousandths: number,
  stopReason: string | null,
  claimedAt: number,
  startedAt: number | null,
  jobKey: number,
  status: JobStatus,
  failed: number,
  shapeKey: number,
  failureHandlerKey: number | null,
  recoveryAttemptKey: number | null,
  name: string,
  supportsTermination: number,
  taskFailureIsSuccess: number,
];

const attemptColumns = `a.attempt_key, a.is_live, a.is_occupying, a.gpu_thousandths, a.stop_reason, a.claimed_at,
  a.started_at, a.job_key, j.status, j.failed, j.shape_key, j.failure_handler_key, j.recovery_attempt_key, j.name,
  j.supports_termination, j.task_failure_is_success`;

const oneAttempt = `SELECT ${attemptColumns} FROM attempts a JOIN jobs j ON j.job_key = a.job_key
  WHERE a.attempt_key = ? AND a.compute_node_key = ?`;

const listedAttempts = `SELECT ${attemptColumns} FROM json_each(?) k CROSS JOIN attempts a ON a.attempt_key = k.value
  CROSS JOIN jobs j ON j.job_key = a.job_key WHERE a.compute_node_key = ?`;

/** An attempt of this worker, or null. */
export function findAttempt(tx: Transaction, node: ComputeNode, attemptKey: number): Attempt | null {
  const row = tx.db.row<AttemptRow>(oneAttempt, attemptKey, node.computeNodeKey);
  return row === undefined ? null : attemptOf(row, node);
}

/** Those of several attempts that are of this worker, by their keys. */
export function findAttempts(tx: Transaction, node: ComputeNode, attemptKeys: readonly number[]): Map<number, Attempt> {
  const rows = tx.db.allRows<AttemptRow>(listedAttempts, JSON.stringify(attemptKeys), node.computeNodeKey);
  return new Map(rows.map((row) => [row[0], attemptOf(row, node)]));
}

/** How an attempt that is not live has ended. */
export interface StoredEnd {
  status: string | null;
  returnCode: number | null;
  cause: string | null;
}

export function storedEnd(tx: Transaction, attemptKey: number): StoredEnd {
  const sql = 'SELECT end_status AS status, return_code AS returnCode, cause FROM attempts WHERE attempt_key = ?';
  const end = tx.db.get<StoredEnd>(sql, attemptKey);
  if (end === undefined) throw new TorcError('bug', `there is no attempt ${attemptKey}`);
  return end;
}

/** A worker claims jobs of its own workflow only. */
function attemptOf(row: AttemptRow, { computeNodeKey, workflowKey }: ComputeNode): Attempt {
  const [attemptKey, isLive, isOccupying, gpuThousandths, stopReason, claimedAt, startedAt, jobKey, status] = row;
  const [, , , , , , , , , failed, shapeKey, failureHandlerKey, recoveryAttemptKey, name] = row;
  const [, , , , , , , , , , , , , , supportsTermination, taskFailureIsSuccess] = row;
  return {
    attemptKey,
    computeNodeKey,
    isLive: isLive === 1,
    isOccupying: isOccupying === 1,
    hasGpus: gpuThousandths > 0,
    stopReason,
    claimedAt,
    startedAt,
    job: { jobKey, workflowKey, status, failed: failed === 1 },
    shapeKey,
    name,
    hasFailureHandler: failureHandlerKey !== null,
    hasRecovery: recoveryAttemptKey !== null,
    supportsTermination: supportsTermination === 1,
    taskFailureIsSuccess: taskFailureIsSuccess === 1,
  };
}
