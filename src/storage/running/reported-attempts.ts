/** What is known of an attempt when its worker reports something of it. */
import type { Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import type { JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import type { ComputeNode } from './compute-nodes.ts';
import { placeValues } from './log-place.ts';
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
  /** On all of its nodes. */
  numCpus: number;
  /** As measured last while it ran. */
  cpuMs: number | null;
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
  numCpus: number,
  cpuMs: number | null,
];

const attemptColumns = `a.attempt_key, a.is_live, a.is_occupying, a.gpu_thousandths, a.stop_reason, a.claimed_at,
  a.started_at, a.job_key, j.status, j.failed, j.shape_key, j.failure_handler_key, j.recovery_attempt_key, j.name,
  j.supports_termination, j.task_failure_is_success, a.num_cpus * a.num_nodes, a.cpu_ms`;

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
    numCpus: row[16],
    cpuMs: row[17],
    job: { jobKey, workflowKey, status, failed: failed === 1 },
    shapeKey,
    name,
    hasFailureHandler: failureHandlerKey !== null,
    hasRecovery: recoveryAttemptKey !== null,
    supportsTermination: supportsTermination === 1,
    taskFailureIsSuccess: taskFailureIsSuccess === 1,
  };
}

type Finished = Request<'exchange'>['finished'][number];

/** As the server takes a report: the status that counts, the times on its own clock, the row of the history. */
interface TakenEnd {
  status: Finished['status'];
  startedAt: number | null;
  endedAt: number;
  eventKey: number | null;
}

const ended = 'is_live = 0, is_occupying = 0, end_event = ?, started_at = ?, ended_at = ?, exec_ms = ?';
const used = `peak_memory_bytes = coalesce(?, peak_memory_bytes), average_memory_bytes = ?,
  cpu_ms = coalesce(?, cpu_ms)`;

/** A live attempt has none of the columns that it leaves out: the fewer values, the less it costs. */
const setPlainSuccess = `UPDATE attempts SET ${ended}, ${used}, end_status = 'done', return_code = 0, cause = 'success',
  exit_code = 0 WHERE attempt_key = ?`;
const setEnd = `UPDATE attempts SET ${ended}, ${used}, end_status = ?, return_code = ?, cause = ?, exit_code = ?,
  signal = ?, detail = ?, log_kind = ?, log_slot = coalesce(?, log_slot), log_offset = ?, log_length = ?, slurm_step = ?
  WHERE attempt_key = ?`;

/** Stores how a live attempt has ended. */
export function storeEnd(tx: Transaction, attemptKey: number, report: Finished, taken: TakenEnd): void {
  const { status, startedAt, endedAt, eventKey } = taken;
  const execMs = Math.round(report.exec_ms);
  const { peak_memory_bytes: peak, average_memory_bytes: average, cpu_ms: cpuMs } = report;
  if (status === 'done' && isPlainSuccess(report)) {
    tx.db.run(setPlainSuccess, eventKey, startedAt, endedAt, execMs, peak, average, cpuMs, attemptKey);
    return;
  }
  tx.db.run(
    setEnd,
    eventKey,
    startedAt,
    endedAt,
    execMs,
    peak,
    average,
    cpuMs,
    status,
    report.return_code,
    report.cause,
    report.exit_code,
    report.signal,
    report.detail,
    ...placeValues(report.log),
    report.slurm_step ?? null,
    attemptKey,
  );
}

function isPlainSuccess({ return_code, cause, exit_code, signal, detail, log, slurm_step }: Finished): boolean {
  const isSuccess = return_code === 0 && cause === 'success' && exit_code === 0;
  return isSuccess && signal === null && detail === null && log === undefined && slurm_step === undefined;
}
