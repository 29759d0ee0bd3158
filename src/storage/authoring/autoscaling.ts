/** The looks of autoscalers: how earlier starts ended, what is decided, and the first step of carrying it out. */

import { decideScaling, type ScalingDecision } from '../../model/decide/autoscaling.ts';
import type { ScalingInput, WantedAllocation } from '../../model/decide/autoscaling-input.ts';
import { allocationFor } from '../../model/decide/autoscaling-more.ts';
import type { ScalingReason } from '../../model/decide/autoscaling-reason.ts';
import { failuresToBackOff, judgeStart } from '../../model/decide/failed-starts.ts';
import type { NodeMinimum } from '../../model/decide/node-minimum.ts';
import type { Transaction } from '../database/transaction.ts';
import { countNodes, failedStarts, readScalingInput } from '../demand/scaling.ts';
import { type Autoscaler, findAutoscaler } from '../running/autoscalers.ts';
import type { UsualRuntime } from '../running/claims.ts';
import { dueAtOf, setDue } from '../running/due.ts';

/** Slurm is asked again to cancel an allocation that is still queued after this. */
const cancelAgainMs = 120_000;

export interface Look {
  autoscaler: Autoscaler;
  input: ScalingInput;
  decision: ScalingDecision;
}

/** Judges earlier starts and decides; null for a workflow without an autoscaler. Plans only: `storeLook` stores it. */
export function lookAtScaling(tx: Transaction, workflowKey: number, usualRuntime: UsualRuntime): Look | null {
  const autoscaler = findAutoscaler(tx, workflowKey);
  if (autoscaler === null) return null;
  const known = readScalingInput(tx, autoscaler, usualRuntime);
  // jobs that no Slurm config takes are no reason for a start
  judgeStarts(
    tx,
    workflowKey,
    known.waiting.some((shape) => allocationFor(shape, known) !== null),
  );
  const input = { ...known, failures: failedStarts(tx, autoscaler) };
  return { autoscaler, input, decision: decideScaling(input) };
}

/** Stores why, which allocations are unneeded since when, and when to look again. */
export function storeLook(tx: Transaction, { autoscaler, input, decision }: Look, callsAgainAt: number | null): void {
  const { workflowKey } = autoscaler;
  const { unneeded, lookAt, submit, cancel } = decision;
  const mustWait = callsAgainAt !== null && submit.length + cancel.length > 0;
  tellBackOff(tx, autoscaler, decision.reason);
  tx.db.run('UPDATE autoscalers SET decision = ? WHERE workflow_key = ?', JSON.stringify(decision.reason), workflowKey);
  const keys = JSON.stringify(unneeded);
  tx.db.run(
    `UPDATE allocations SET unneeded_since = iif(allocation_key IN (SELECT value FROM json_each(?)), coalesce(unneeded_since, ?), NULL)
     WHERE workflow_key = ? AND is_autoscaled = 1 AND status = 'submitted'`,
    keys,
    tx.now,
    workflowKey,
  );
  const isOpen = input.allocations.length > 0;
  const dueAt = mustWait ? callsAgainAt : (lookAt ?? (isOpen ? tx.now + cancelAgainMs : null));
  if (dueAt !== null) lookBy(tx, workflowKey, dueAt);
}

/** Looks at the latest then: what has come up during a look has a row already. */
export function lookBy(tx: Transaction, workflowKey: number, dueAt: number): void {
  const subject = { kind: 'autoscale', subjectKey: workflowKey } as const;
  const known = dueAtOf(tx, subject);
  if (known === null || known > dueAt) setDue(tx, { ...subject, workflowKey, dueAt });
}

/** Marks those that Slurm is about to be asked to cancel; returns their Slurm jobs, with those that were not canceled. */
export function noteCancels(tx: Transaction, workflowKey: number, keys: readonly number[]): string[] {
  const rows = tx.db.all<{ slurm_job_id: string; name: string; allocation_key: number }>(
    `UPDATE allocations SET cancel_asked_at = ? WHERE workflow_key = ? AND is_autoscaled = 1 AND status = 'submitted'
       AND slurm_job_id IS NOT NULL
       AND (allocation_key IN (SELECT value FROM json_each(?)) OR cancel_asked_at <= ?)
     RETURNING slurm_job_id, name, allocation_key`,
    tx.now,
    workflowKey,
    JSON.stringify(keys),
    tx.now - cancelAgainMs,
  );
  for (const { slurm_job_id, name, allocation_key } of rows) {
    if (!keys.includes(allocation_key)) continue;
    const data = { allocation_key: String(allocation_key), name, slurm_job_id };
    tx.event({ workflowKey, type: 'allocation_unneeded', data });
  }
  return rows.map((row) => row.slurm_job_id);
}

/** Notes that an allocation was recorded by an autoscaler, in the transaction that has counted. */
export function noteAutoscaled(tx: Transaction, allocationKey: number, { walltimeMs }: WantedAllocation): void {
  tx.db.run(
    'UPDATE allocations SET is_autoscaled = 1, walltime_ms = ? WHERE allocation_key = ?',
    walltimeMs,
    allocationKey,
  );
}

/** The maximum that one more allocation would exceed, for a workflow with an autoscaler; null where there is room. */
export function exceededMaximum(tx: Transaction, workflowKey: number, numNodes: number): number | null {
  const maxNodes = findAutoscaler(tx, workflowKey)?.maxNodes ?? null;
  return maxNodes !== null && countNodes(tx, workflowKey) + numNodes > maxNodes ? maxNodes : null;
}

/** The key that the next allocation gets. */
export function nextAllocationKey(tx: Transaction): number {
  const sql = "SELECT seq FROM sqlite_sequence WHERE name = 'allocations'";
  return (tx.db.get<{ seq: number }>(sql)?.seq ?? 0) + 1;
}

/** Null while Slurm has not said it. */
export function slurmJobOf(tx: Transaction, allocationKey: number): string | null {
  const sql = 'SELECT slurm_job_id FROM allocations WHERE allocation_key = ?';
  return tx.db.get<{ slurm_job_id: string | null }>(sql, allocationKey)?.slurm_job_id ?? null;
}

interface Canceled extends NodeMinimum {
  name: string;
  slurm_job_id: string;
  num_nodes: number;
  config: number;
  walltime_ms: number;
}

/** What a plan to cancel is about. */
export function canceledBy(tx: Transaction, keys: readonly number[]): Canceled[] {
  return tx.db.all<Canceled>(
    `SELECT name, slurm_job_id, num_nodes, slurm_config_key AS config, walltime_ms,
       min_cpus AS numCpus, min_memory_bytes AS memoryBytes, min_gpus AS numGpus FROM allocations
     WHERE allocation_key IN (SELECT value FROM json_each(?)) ORDER BY allocation_key`,
    JSON.stringify(keys),
  );
}

/** Told once, when it begins. */
function tellBackOff(tx: Transaction, { workflowKey, decision }: Autoscaler, reason: ScalingReason): void {
  if (reason.code !== 'backs_off' || reason.num_failed < failuresToBackOff) return;
  const before = decision === null ? null : (JSON.parse(decision) as ScalingReason);
  if (before?.code === 'backs_off' && before.num_failed === reason.num_failed) return;
  const { num_failed, until, last_failure } = reason;
  tx.event({ workflowKey, type: 'autoscaler_backs_off', data: { num_failed, until, last_failure } });
}

interface StartRow {
  allocation_key: number;
  status: string;
  slurm_state: string | null;
  submitted_at: number | null;
  cancel_asked_at: number | null;
  ended_at: number | null;
  busy_since: number | null;
  has_ended_job: number;
}

/** After the clock was set back, what it has judged counts from now: otherwise a wait would last until the clock catches up. */
function countFromNow(tx: Transaction, workflowKey: number): void {
  tx.db.run('UPDATE autoscalers SET set_at = ? WHERE workflow_key = ? AND set_at > ?', tx.now, workflowKey, tx.now);
  const sql = 'UPDATE allocations SET judged_at = ? WHERE workflow_key = ? AND is_autoscaled = 1 AND judged_at > ?';
  tx.db.run(sql, tx.now, workflowKey, tx.now);
}

/** Judges the starts that have not been judged yet; `isWanted`: jobs wait that allocations can take. */
function judgeStarts(tx: Transaction, workflowKey: number, isWanted: boolean): void {
  countFromNow(tx, workflowKey);
  const rows = tx.db.all<StartRow>(
    `SELECT l.allocation_key, l.status, l.slurm_state, l.submitted_at, l.cancel_asked_at, l.ended_at,
       min(a.started_at) AS busy_since, coalesce(max(a.end_status = 'done'), 0) AS has_ended_job
     FROM allocations l LEFT JOIN compute_nodes n ON n.allocation_key = l.allocation_key
       LEFT JOIN attempts a ON a.compute_node_key = n.compute_node_key
     WHERE l.workflow_key = ? AND l.is_autoscaled = 1 AND l.outcome IS NULL AND l.status IN ('running', 'ended', 'refused')
     GROUP BY l.allocation_key`,
    workflowKey,
  );
  for (const row of rows) {
    const outcome = judgeStart({
      status: row.status,
      slurmState: row.slurm_state,
      isAnswered: row.submitted_at !== null,
      isCanceled: row.cancel_asked_at !== null,
      endedForMs: row.ended_at === null ? null : tx.now - row.ended_at,
      busyForMs: row.busy_since === null ? null : tx.now - row.busy_since,
      hasEndedJob: row.has_ended_job === 1,
      isWanted,
    });
    if (outcome === null) continue;
    tx.db.run(
      'UPDATE allocations SET outcome = ?, judged_at = ? WHERE allocation_key = ?',
      outcome,
      tx.now,
      row.allocation_key,
    );
  }
}
