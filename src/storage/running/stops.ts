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
  for (const row of rows) {
    tx.db.run('UPDATE attempts SET stop_reason = ? WHERE attempt_key = ?', reason, row.attempt_key);
    tx.tell({ kind: 'worker_stopping', computeNodeKey: row.compute_node_key });
  }
  return rows.length;
}
