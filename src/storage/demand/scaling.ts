/** What an autoscaler decides from: what waits, what is there, what was asked for. */

import type { OpenAllocation, ScalingInput, WaitingShape } from '../../model/decide/autoscaling-input.ts';
import { wholeWorkflow } from '../../model/decide/concurrency.ts';
import { labelsIn } from '../../model/labels.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Autoscaler } from '../running/autoscalers.ts';
import type { UsualRuntime } from '../running/claims.ts';
import { limitsNow } from '../running/limits.ts';
import { findShape } from '../running/shapes.ts';
import { getWorkflow, isWorkflowActive, jobCounts } from '../running/workflows.ts';
import { countReady, readyShapes } from './ready-shapes.ts';
import { scalingConfigs } from './scaling-configs.ts';
import { readSituation } from './situation.ts';

/** At most this many jobs of each shape are counted: more would not change the decision. */
const mostCounted = 10_000;
/** A worker that has said goodbye ends its allocation within this. */
const leavingMs = 15_000;
/** Slurm is asked about an allocation that has ended for no longer than this. */
const longestLeavingMs = 24 * 3600 * 1000;
/** At most this many failed starts count. */
const mostFailures = 20;

/** `mayWait`: when calls of Slurm's commands are allowed again, in milliseconds UTC; null where they are now. */
export function readScalingInput(tx: Transaction, autoscaler: Autoscaler, usualRuntime: UsualRuntime): ScalingInput {
  const { workflowKey, slurmConfigKey, maxParallelJobs } = autoscaler;
  tx.flushCounts();
  const situation = readSituation(tx, workflowKey, true);
  const configs = scalingConfigs(tx, workflowKey, situation.configs, slurmConfigKey);
  const waiting = waitingShapes(tx, workflowKey, usualRuntime);
  const counts = jobCounts(tx, workflowKey);
  const numCounted = waiting.reduce((sum, { numJobs }) => sum + numJobs, 0);
  return {
    now: tx.now,
    caps: autoscaler,
    obstacle: obstacleOf(tx, workflowKey, configs.length),
    configs,
    waiting,
    numBlocked: counts.blocked + Math.max(0, counts.ready - numCounted),
    workers: situation.workers.filter(({ isSilent }) => !isSilent),
    allocations: openAllocations(tx, workflowKey),
    numLeaving: countLeaving(tx, workflowKey),
    failures: failedStarts(tx, autoscaler),
    maxParallelJobs,
    leadMs: situation.leadMs,
  };
}

function obstacleOf(tx: Transaction, workflowKey: number, numConfigs: number): ScalingInput['obstacle'] {
  const workflow = getWorkflow(tx, workflowKey);
  const isOver = workflow.phase !== 'started' || workflow.isCanceled || workflow.hasEnded || workflow.hasTimedOut;
  if (isOver || !isWorkflowActive(tx, workflowKey)) return { reason: { code: 'not_running' }, keeps: false };
  if (workflow.pausedAt !== null || workflow.isStopping) return { reason: { code: 'paused' }, keeps: true };
  return numConfigs === 0 ? { reason: { code: 'no_config' }, keeps: true } : null;
}

function waitingShapes(tx: Transaction, workflowKey: number, usualRuntime: UsualRuntime): WaitingShape[] {
  const limits = limitsNow(tx);
  const taken = new Map<string, number>();
  return readyShapes(tx, workflowKey).flatMap((shapeKey) => {
    const shape = findShape(tx, shapeKey);
    const names = [wholeWorkflow, ...labelsIn(shape.limits)];
    const room = Math.min(...names.map((name) => limits.room(workflowKey, name) - (taken.get(name) ?? 0)));
    const numJobs = Math.min(countReady(tx, workflowKey, shapeKey, mostCounted), Math.max(0, room));
    if (numJobs === 0) return [];
    for (const name of names) taken.set(name, (taken.get(name) ?? 0) + numJobs);
    const { need, supportsTermination, slurmConfigKey, labels } = shape;
    return [{ need, supportsTermination, slurmConfigKey, labels, numJobs, usualMs: usualRuntime(shapeKey) }];
  });
}

interface OpenRow {
  key: number;
  config: number;
  numNodes: number;
  oneWorkerPerNode: number;
  walltimeMs: number;
  status: string;
  slurm_job_id: string | null;
  is_autoscaled: number;
  cancel_asked_at: number | null;
  unneededSince: number | null;
  ends_at: number | null;
  min_cpus: number | null;
  min_memory_bytes: number | null;
  min_gpus: number | null;
}

function openAllocations(tx: Transaction, workflowKey: number): OpenAllocation[] {
  return tx.db
    .all<OpenRow>(
      `SELECT l.allocation_key AS key, l.slurm_config_key AS config, l.num_nodes AS numNodes,
         l.one_worker_per_node AS oneWorkerPerNode, coalesce(l.walltime_ms, c.walltime_seconds * 1000, 0) AS walltimeMs,
         l.status, l.slurm_job_id, l.is_autoscaled, l.cancel_asked_at, l.unneeded_since AS unneededSince,
         coalesce(l.expires_at, l.started_at + coalesce(l.walltime_ms, c.walltime_seconds * 1000)) AS ends_at,
         l.min_cpus, l.min_memory_bytes, l.min_gpus
       FROM allocations l LEFT JOIN slurm_configs c ON c.slurm_config_key = l.slurm_config_key
       WHERE l.workflow_key = ? AND l.status IN ('recorded', 'submitted', 'running') ORDER BY l.allocation_key`,
      workflowKey,
    )
    .map((row) => openAllocation(row, tx.now));
}

function openAllocation(row: OpenRow, now: number): OpenAllocation {
  const { key, config, numNodes, walltimeMs, unneededSince, status, cancel_asked_at, ends_at } = row;
  return {
    ...{ key, config, numNodes, walltimeMs, unneededSince },
    oneWorkerPerNode: row.oneWorkerPerNode === 1,
    minimum: { numCpus: row.min_cpus, memoryBytes: row.min_memory_bytes, numGpus: row.min_gpus },
    isQueued: status !== 'running',
    isCancelable:
      status === 'submitted' && row.slurm_job_id !== null && row.is_autoscaled === 1 && cancel_asked_at === null,
    isCanceled: cancel_asked_at !== null && status !== 'running',
    timeLeftMs: ends_at === null || status !== 'running' ? null : Math.max(0, ends_at - now),
  };
}

/** Nodes that are asked for, there, or on their way out: what the maximum is about. */
export function countNodes(tx: Transaction, workflowKey: number): number {
  const open = openAllocations(tx, workflowKey).reduce((sum, { numNodes }) => sum + numNodes, 0);
  return open + countLeaving(tx, workflowKey);
}

/**
 * Nodes of allocations whose workers are gone, and which Slurm may not have taken back yet: a moment after a worker has
 * said goodbye, or until Slurm has said that the allocation is over. A worker that was told to leave may not have heard it.
 */
function countLeaving(tx: Transaction, workflowKey: number): number {
  const row = tx.db.get<{ n: number }>(
    `SELECT coalesce(sum(num_nodes), 0) AS n FROM allocations l
     WHERE workflow_key = ? AND status = 'ended' AND slurm_job_id IS NOT NULL
       AND coalesce(json_extract(evidence, '$.isSettled'), 0) = 0
       AND ended_at > ? - iif(EXISTS (SELECT 1 FROM compute_nodes n WHERE n.allocation_key = l.allocation_key
         AND n.close_reason <> 'left'), ?, ?)`,
    workflowKey,
    tx.now,
    longestLeavingMs,
    leavingMs,
  );
  return row?.n ?? 0;
}

/** Since the last start that worked, and since a person has set the autoscaler. */
export function failedStarts(tx: Transaction, { workflowKey, setAt }: Autoscaler): { at: number; words: string }[] {
  return tx.db
    .all<{ at: number; error: string | null; slurm_state: string | null; slurm_job_id: string | null }>(
      `SELECT min(coalesce(ended_at, submitted_at, judged_at), judged_at) AS at, error, slurm_state, slurm_job_id FROM allocations
       WHERE workflow_key = ? AND outcome = 'nothing' AND judged_at >= ?
         AND judged_at > coalesce((SELECT max(judged_at) FROM allocations WHERE workflow_key = ? AND outcome = 'worked'), 0)
       ORDER BY judged_at DESC, allocation_key DESC LIMIT ?`,
      workflowKey,
      setAt,
      workflowKey,
      mostFailures,
    )
    .toReversed()
    .map(({ at, error, slurm_state, slurm_job_id }) => {
      const state = slurm_state === null ? '' : ` (${slurm_state})`;
      const words = error?.replace(/\.$/, '') ?? `Slurm job ${slurm_job_id} ended without running a job${state}`;
      return { at, words };
    });
}
