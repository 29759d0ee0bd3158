/** What occupies a worker, and which of its attempts must stop. */
import type { ExchangeReply, StopRequest } from '../../api/contract.ts';
import type { Transaction } from '../database/transaction.ts';

/** Whether anything occupies a worker. */
export function isOccupied(tx: Transaction, computeNodeKey: number): boolean {
  const sql = 'SELECT 1 FROM attempts WHERE compute_node_key = ? AND is_occupying = 1 LIMIT 1';
  return tx.db.get(sql, computeNodeKey) !== undefined;
}

/** An occupying attempt of a worker, with what the protocol needs. */
interface OccupyingAttempt {
  attemptKey: number;
  isLive: boolean;
  stopReason: string | null;
}

export function occupyingAttempts(tx: Transaction, computeNodeKey: number): OccupyingAttempt[] {
  return tx.db
    .all<OccupyingRow>(
      `SELECT attempt_key, is_live, stop_reason FROM attempts
       WHERE compute_node_key = ? AND is_occupying = 1 ORDER BY attempt_key`,
      computeNodeKey,
    )
    .map(occupyingAttempt);
}

interface OccupyingRow {
  attempt_key: number;
  is_live: number;
  stop_reason: string | null;
}

function occupyingAttempt(row: OccupyingRow): OccupyingAttempt {
  return { attemptKey: row.attempt_key, isLive: row.is_live === 1, stopReason: row.stop_reason };
}

/** What a worker must stop: attempts asked to end, and those that are no longer live. */
export function stopsOf(tx: Transaction, computeNodeKey: number): ExchangeReply['stop'] {
  return tx.db
    .all<OccupyingRow>(
      `SELECT attempt_key, is_live, stop_reason FROM attempts
       WHERE compute_node_key = ? AND is_occupying = 1 AND (stop_reason IS NOT NULL OR is_live = 0) ORDER BY attempt_key`,
      computeNodeKey,
    )
    .map(occupyingAttempt)
    .map((attempt) => ({ attempt: attempt.attemptKey, reason: reasonToStop(attempt) }));
}

function reasonToStop({ isLive, stopReason }: OccupyingAttempt): StopRequest {
  if (!isLive) return 'superseded';
  return stopReason === 'cancel' || stopReason === 'restart' ? stopReason : 'superseded';
}

/** What a worker that was given up must stop: every attempt that it still has, live or not. */
export function fencedStops(occupying: readonly OccupyingAttempt[], held: readonly number[]): ExchangeReply['stop'] {
  const attempts = new Set([...occupying.map((attempt) => attempt.attemptKey), ...held]);
  const canceled = new Set(occupying.filter((a) => a.isLive && a.stopReason === 'cancel').map((a) => a.attemptKey));
  return [...attempts].map((attempt) => ({ attempt, reason: canceled.has(attempt) ? 'cancel' : 'fenced' }));
}

/** Asks the live attempts of a workflow to end; returns how many. Each job's new status follows from how it ends. */
export function requestStop(tx: Transaction, workflowKey: number, reason: 'cancel' | 'restart'): number {
  const rows = tx.db.all<{ attempt_key: number; compute_node_key: number }>(
    `SELECT a.attempt_key, a.compute_node_key FROM compute_nodes n
     JOIN attempts a ON a.compute_node_key = n.compute_node_key AND a.is_occupying = 1
     WHERE n.workflow_key = ? AND a.is_live = 1`,
    workflowKey,
  );
  for (const row of rows) askToStop(tx, row, reason);
  return rows.length;
}

function askToStop(
  tx: Transaction,
  attempt: { attempt_key: number; compute_node_key: number },
  reason: 'cancel' | 'restart',
): void {
  tx.db.run('UPDATE attempts SET stop_reason = ? WHERE attempt_key = ?', reason, attempt.attempt_key);
  tx.tell({ kind: 'worker_stopping', computeNodeKey: attempt.compute_node_key });
}

/** Asks the process of a claimed job to end, as a cancel does; false when it has none. */
export function stopJob(tx: Transaction, jobKey: number): boolean {
  const attempt = tx.db.get<{ attempt_key: number; compute_node_key: number }>(
    `SELECT a.attempt_key, a.compute_node_key FROM jobs j JOIN attempts a ON a.attempt_key = j.attempt_key
     WHERE j.job_key = ? AND a.is_live = 1 AND a.is_occupying = 1`,
    jobKey,
  );
  if (attempt !== undefined) askToStop(tx, attempt, 'cancel');
  return attempt !== undefined;
}

/** Takes back the stop requests of a restart that was given up; returns how many had not been followed yet. */
export function withdrawStops(tx: Transaction, workflowKey: number): number {
  return tx.db.run(
    `UPDATE attempts SET stop_reason = NULL WHERE stop_reason = 'restart' AND is_live = 1 AND is_occupying = 1
       AND compute_node_key IN (SELECT compute_node_key FROM compute_nodes WHERE workflow_key = ?)`,
    workflowKey,
  ).changes;
}

export interface WorkerWithJobs {
  workerId: string;
  lastHeartbeatAt: number;
  isActive: boolean;
}

/** The workers of a workflow that have jobs, also when they are closed. */
export function workersWithJobs(tx: Transaction, workflowKey: number): WorkerWithJobs[] {
  return tx.db
    .all<{ worker_id: string; last_heartbeat_at: number; is_active: number }>(
      `SELECT worker_id, last_heartbeat_at, is_active FROM compute_nodes n WHERE workflow_key = ? AND EXISTS
         (SELECT 1 FROM attempts a WHERE a.compute_node_key = n.compute_node_key AND a.is_occupying = 1 AND a.is_live = 1)`,
      workflowKey,
    )
    .map((row) => ({
      workerId: row.worker_id,
      lastHeartbeatAt: row.last_heartbeat_at,
      isActive: row.is_active === 1,
    }));
}
