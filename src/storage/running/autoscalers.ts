/** Autoscalers: which workflows ask for nodes by themselves, and what their workers are told. */

import type { ScalingCaps } from '../../model/decide/autoscaling-input.ts';
import type { ScalingReason } from '../../model/decide/autoscaling-reason.ts';
import type { Transaction } from '../database/transaction.ts';

/** As a person has set it. */
export interface Autoscaler extends ScalingCaps {
  workflowKey: number;
  /** How long its workers wait for jobs. */
  idleMs: number;
  /** Null for any of the workflow's. */
  slurmConfigKey: number | null;
  maxParallelJobs: number | null;
  outputDirectory: string;
  setAt: number;
  /** The decision of the last look, as JSON; null before. */
  decision: string | null;
}

const columns = `workflow_key AS workflowKey, min_nodes AS minNodes, max_nodes AS maxNodes, max_queued AS maxQueued,
  idle_ms AS idleMs, walltime_ms AS walltimeMs, slurm_config_key AS slurmConfigKey,
  nodes_per_allocation AS nodesPerAllocation, max_parallel_jobs AS maxParallelJobs, is_chain AS isChain,
  output_directory AS outputDirectory, set_at AS setAt, decision`;

/** Null for a workflow without one. */
export function findAutoscaler(tx: Transaction, workflowKey: number): Autoscaler | null {
  const row = tx.db.get<Omit<Autoscaler, 'isChain'> & { isChain: number }>(
    `SELECT ${columns} FROM autoscalers WHERE workflow_key = ?`,
    workflowKey,
  );
  return row === undefined ? null : { ...row, isChain: row.isChain === 1 };
}

/** Why it asked for nodes at the last look or did not; null without one, and before the first look. */
export function lastDecision(tx: Transaction, workflowKey: number): ScalingReason | null {
  const sql = 'SELECT decision FROM autoscalers WHERE workflow_key = ?';
  const decision = tx.db.get<{ decision: string | null }>(sql, workflowKey)?.decision ?? null;
  return decision === null ? null : (JSON.parse(decision) as ScalingReason);
}

/** The workflows that have one. */
export function autoscaledWorkflows(tx: Transaction): number[] {
  const sql = 'SELECT workflow_key AS workflowKey FROM autoscalers ORDER BY workflow_key';
  return tx.db.all<{ workflowKey: number }>(sql).map(({ workflowKey }) => workflowKey);
}

/** How many workflows have one and a run that goes on. */
export function countAutoscaled(tx: Transaction): number {
  const row = tx.db.get<{ n: number }>(
    `SELECT count(*) AS n FROM autoscalers s JOIN workflows w ON w.workflow_key = s.workflow_key
     WHERE w.phase = 'started' AND w.ended_at IS NULL AND w.is_canceled = 0`,
  );
  return row?.n ?? 0;
}

/** How long a worker of this allocation waits for jobs, in milliseconds; null where the workflow's own setting counts. */
export function idleMsOf(tx: Transaction, allocationKey: number | null): number | null {
  if (allocationKey === null) return null;
  const row = tx.db.get<{ idle_ms: number }>(
    `SELECT s.idle_ms FROM allocations l JOIN autoscalers s ON s.workflow_key = l.workflow_key
     WHERE l.allocation_key = ? AND l.is_autoscaled = 1`,
    allocationKey,
  );
  return row?.idle_ms ?? null;
}

/** Whether an idle worker belongs to those that the autoscaler keeps: the oldest, up to the minimum. */
export function isKept(
  tx: Transaction,
  { workflowKey, computeNodeKey }: { workflowKey: number; computeNodeKey: number },
): boolean {
  const min = findAutoscaler(tx, workflowKey)?.minNodes ?? 0;
  if (min === 0) return false;
  const older = tx.db.get<{ n: number }>(
    `SELECT coalesce(sum(num_nodes), 0) AS n FROM compute_nodes
     WHERE workflow_key = ? AND is_active = 1 AND allocation_key IS NOT NULL AND compute_node_key < ?`,
    workflowKey,
    computeNodeKey,
  );
  return (older?.n ?? 0) < min;
}
