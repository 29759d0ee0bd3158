/**
 * The situation of a workflow's waiting jobs: its state, its Slurm configs, its workers. The cost grows with the
 * workers alone.
 */
import type { PresentWorker, Situation } from '../../model/decide/demand.ts';
import type { NodeMinimum } from '../../model/decide/node-minimum.ts';
import type { NodesToCome } from '../../model/decide/nodes-to-come.ts';
import { idleWorker, type Offer } from '../../model/decide/packing.ts';
import { poolOfConfig } from '../../model/decide/pools.ts';
import { longestRuntimeMs } from '../../model/decide/time-left.ts';
import type { LabelSet } from '../../model/labels.ts';
import type { Transaction } from '../database/transaction.ts';
import { lastDecision } from '../running/autoscalers.ts';
import { freeResources } from '../running/claims.ts';
import { limitsNow } from '../running/limits.ts';
import { nodesToCome } from './nodes-to-come.ts';

/**
 * `isServed`: whether this process answers workers. `seesRoom`: whether it matters which workers have room; otherwise all
 * count as idle, which spares a look at their jobs. The workflow exists.
 */
export function readSituation(tx: Transaction, workflowKey: number, isServed: boolean, seesRoom = true): Situation {
  const workflow = tx.db.get<Record<string, number> & { phase: string }>(
    `SELECT phase, run_id, is_canceled, paused_at IS NOT NULL AS is_paused, has_timed_out, is_stopping,
       expiration_buffer_ms, sigterm_lead_ms
     FROM workflows WHERE workflow_key = ?`,
    workflowKey,
  );
  const bufferMs = workflow?.expiration_buffer_ms ?? 0;
  const leadMs = workflow?.sigterm_lead_ms ?? 0;
  const hasStarted = workflow?.phase === 'started';
  const found = configs(tx, workflowKey);
  let toCome: NodesToCome | null = null;
  return {
    hasStarted,
    runId: workflow?.run_id ?? 0,
    isCanceled: workflow?.is_canceled === 1,
    isPaused: workflow?.is_paused === 1,
    hasTimedOut: workflow?.has_timed_out === 1,
    isStopping: workflow?.is_stopping === 1,
    isServed,
    fullLimits: limitsNow(tx).full(workflowKey),
    leadMs,
    workers: presentWorkers(tx, workflowKey, bufferMs, seesRoom),
    pastWorkers: pastWorkers(tx, workflowKey),
    configs: found,
    queued: queuedAllocations(tx, workflowKey),
    scaling: lastDecision(tx, workflowKey),
    nodesToCome: () => {
      toCome ??= nodesToCome(tx, workflowKey, found, { hasStarted, leadMs });
      return toCome;
    },
  };
}

function configs(tx: Transaction, workflowKey: number): Situation['configs'] {
  return tx.db
    .all<{ key: number; name: string; walltime_seconds: number; labels: LabelSet; also_unlabelled: number }>(
      `SELECT slurm_config_key AS key, name, walltime_seconds, labels, also_unlabelled FROM slurm_configs
       WHERE workflow_key = ?`,
      workflowKey,
    )
    .map(({ key, name, walltime_seconds, labels, also_unlabelled }) => {
      const pool = poolOfConfig({ key, name, labels, alsoUnlabelled: also_unlabelled === 1 });
      return { key, name, walltimeMs: walltime_seconds * 1000, pool };
    });
}

function queuedAllocations(tx: Transaction, workflowKey: number): Situation['queued'] {
  return tx.db
    .all<Omit<Situation['queued'][number], 'minimum' | 'hasStarted'> & NodeMinimum & { has_started: number }>(
      `SELECT slurm_config_key AS config, count(*) AS numAllocations, max(slurm_reason) AS slurmReason, min_cpus AS numCpus,
         min_memory_bytes AS memoryBytes, min_gpus AS numGpus, evidence ->> '$.runningSinceMs' IS NOT NULL AS has_started
       FROM allocations
       WHERE workflow_key = ? AND status IN ('recorded', 'submitted') GROUP BY slurm_config_key, 4, 5, 6, 7`,
      workflowKey,
    )
    .map(({ numCpus, memoryBytes, numGpus, has_started, ...row }) => {
      return { ...row, minimum: { numCpus, memoryBytes, numGpus }, hasStarted: has_started === 1 };
    });
}

interface WorkerRow extends Offer {
  computeNodeKey: number;
  hostname: string;
  count: number;
  labels: LabelSet;
  takes_unlabelled: number;
  is_silent: number;
  expires_at: number | null;
  config: number | null;
  walltimeMs: number | null;
  walltime_seconds: number | null;
}

/** Workers that differ in nothing that matters are one row. */
function presentWorkers(tx: Transaction, workflowKey: number, bufferMs: number, seesRoom: boolean): PresentWorker[] {
  const rows = tx.db.all<WorkerRow>(
    `SELECT min(n.compute_node_key) AS computeNodeKey, n.hostname, count(*) AS count, n.num_nodes AS numNodes,
       n.num_cpus AS numCpus, n.memory_bytes AS memoryBytes, n.num_gpus AS numGpus, n.resources,
       n.max_parallel_jobs AS maxParallelJobs, n.labels, n.takes_unlabelled, n.contact_lost_at IS NOT NULL AS is_silent,
       n.walltime_ms AS walltimeMs, l.slurm_config_key AS config, l.expires_at,
       coalesce(l.walltime_ms / 1000.0, c.walltime_seconds) AS walltime_seconds
     FROM compute_nodes n
     LEFT JOIN allocations l ON l.allocation_key = n.allocation_key
     LEFT JOIN slurm_configs c ON c.slurm_config_key = l.slurm_config_key
     WHERE n.workflow_key = ? AND n.is_active = 1
     GROUP BY CASE ? WHEN 1 THEN n.compute_node_key END, n.num_nodes, n.num_cpus, n.memory_bytes, n.num_gpus, n.resources,
       n.max_parallel_jobs, n.labels, n.takes_unlabelled, is_silent, n.walltime_ms, config, l.expires_at, walltime_seconds
     ORDER BY computeNodeKey`,
    workflowKey,
    seesRoom ? 1 : 0,
  );
  return rows.map((row) => {
    const { hostname, count, config, labels, walltimeMs } = row;
    const timeLeftMs = timeLeft(row, tx.now, bufferMs);
    const idle = idleWorker(row, timeLeftMs);
    return {
      hostname,
      count,
      pool: { config, labels, takesUnlabelled: row.takes_unlabelled === 1 },
      isSilent: row.is_silent === 1,
      walltimeMs,
      idle,
      free: seesRoom ? freeResources(tx, row, timeLeftMs) : idle,
    };
  });
}

/** The time until the end of the allocation; null when no end is known. */
function timeLeft(
  { expires_at, walltime_seconds }: Pick<WorkerRow, 'expires_at' | 'walltime_seconds'>,
  now: number,
  bufferMs: number,
): number | null {
  if (expires_at === null) return null;
  const untilEndMs = expires_at - now;
  const untilMs =
    walltime_seconds === null ? untilEndMs - bufferMs : longestRuntimeMs(untilEndMs, walltime_seconds * 1000, bufferMs);
  return Math.max(0, untilMs);
}

interface PastRow extends Omit<Situation['pastWorkers'][number], 'pool'> {
  config: number | null;
  labels: LabelSet;
  takesUnlabelled: number;
}

function pastWorkers(tx: Transaction, workflowKey: number): Situation['pastWorkers'] {
  return tx.db
    .all<PastRow>(
      `SELECT DISTINCT n.num_nodes AS numNodes, n.num_cpus AS numCpus, n.memory_bytes AS memoryBytes,
         n.num_gpus AS numGpus, n.resources, n.max_parallel_jobs AS maxParallelJobs, l.slurm_config_key AS config, n.labels,
         n.takes_unlabelled AS takesUnlabelled
       FROM compute_nodes n LEFT JOIN allocations l ON l.allocation_key = n.allocation_key
       WHERE n.workflow_key = ? AND n.is_active = 0`,
      workflowKey,
    )
    .map(({ config, labels, takesUnlabelled, ...offer }) => {
      return { ...offer, pool: { config, labels, takesUnlabelled: takesUnlabelled === 1 } };
    });
}
