/** What to look for: allocations that Slurm may still know more about, and workers that may still run. */
import type { MemoryWords } from '../../model/decide/diagnosis.ts';
import type { SlurmEnd } from '../../model/decide/worker-fate.ts';
import type { Transaction } from '../database/transaction.ts';

/** Kept as JSON with the allocation. */
export interface StoredEvidence {
  /** By restart count. */
  ends: Record<string, SlurmEnd>;
  memoryWords: MemoryWords | null;
  /** Queries that failed at the last look, each as a sentence. */
  problems: string[];
  /** Nothing more is expected from Slurm. */
  isSettled: boolean;
  /** Slurm's own submit time when it was last seen. */
  submitTimeMs?: number | null;
  /** When it was first seen running, with this restart count; null while it does not run. */
  runningSinceMs?: number | null;
}

export interface OpenAllocation {
  allocationKey: number;
  workflowKey: number;
  name: string;
  status: string;
  cluster: string | null;
  slurmJobId: string | null;
  restartCount: number;
  createdAt: number;
  absentSince: number | null;
  checkedAt: number | null;
  slurmState: string | null;
  slurmReason: string | null;
  evidence: StoredEvidence;
}

/** How long Slurm is asked about the end of an allocation. */
const longestInterestMs = 24 * 3600 * 1000;

const noEvidence: StoredEvidence = { ends: {}, memoryWords: null, problems: [], isSettled: false };

type AllocationRow = Omit<OpenAllocation, 'evidence'> & { evidence: string | null };

const allocationColumns = `allocation_key AS allocationKey, workflow_key AS workflowKey, name, status, cluster,
  slurm_job_id AS slurmJobId, restart_count AS restartCount,
  created_at AS createdAt, absent_since AS absentSince, checked_at AS checkedAt, slurm_state AS slurmState,
  slurm_reason AS slurmReason, evidence`;

function asAllocation(row: AllocationRow): OpenAllocation {
  const evidence: StoredEvidence = row.evidence === null ? noEvidence : JSON.parse(row.evidence);
  return { ...row, evidence };
}

/** Allocations with lost jobs of which it is not decided whether they come back. */
const undecidedAllocations = `SELECT n.allocation_key FROM orphans o
  JOIN compute_nodes n ON n.compute_node_key = o.compute_node_key WHERE o.is_left = 0`;

/** Of these, by key: what Slurm said about their ends may not be its last word. */
export function allocationsInDoubt(tx: Transaction): Set<number> {
  const rows = tx.db.all<{ allocation_key: number | null }>(undecidedAllocations);
  return new Set(rows.flatMap((row) => row.allocation_key ?? []));
}

/** Allocations of a workflow, or with null of all, about which Slurm may have news. */
export function openAllocations(tx: Transaction, workflowKey: number | null): OpenAllocation[] {
  return tx.db
    .all<AllocationRow>(
      `SELECT ${allocationColumns} FROM allocations WHERE (? IS NULL OR workflow_key = ?) AND (
         status IN ('recorded', 'submitted', 'running')
         OR status = 'ended' AND slurm_job_id IS NOT NULL AND ended_at > ?
           AND coalesce(json_extract(evidence, '$.isSettled'), 0) = 0
         OR allocation_key IN (${undecidedAllocations})
         OR EXISTS (SELECT 1 FROM compute_nodes n JOIN attempts a
           ON a.compute_node_key = n.compute_node_key AND a.is_occupying = 1
           WHERE n.allocation_key = allocations.allocation_key))
       ORDER BY allocation_key`,
      workflowKey,
      workflowKey,
      tx.now - longestInterestMs,
    )
    .map(asAllocation);
}

export function findAllocation(tx: Transaction, allocationKey: number): OpenAllocation | null {
  const sql = `SELECT ${allocationColumns} FROM allocations WHERE allocation_key = ?`;
  const row = tx.db.get<AllocationRow>(sql, allocationKey);
  return row === undefined ? null : asAllocation(row);
}

export interface WatchedWorker {
  computeNodeKey: number;
  workerId: string;
  workflowKey: number;
  allocationKey: number | null;
  hostname: string;
  bootId: string;
  pid: number;
  startTicks: number | null;
  cluster: string | null;
  slurmJobId: string | null;
  /** Its Slurm job is the one that its allocation is known by. */
  isInItsAllocation: boolean;
  restartCount: number;
  memoryBytes: number;
  isActive: boolean;
  lastHeartbeatAt: number;
  contactLostAt: number | null;
  fencedAt: number | null;
}

type WorkerRow = Omit<WatchedWorker, 'isActive' | 'isInItsAllocation'> & {
  isActive: number;
  isInItsAllocation: number;
};

const workerColumns = `compute_node_key AS computeNodeKey, worker_id AS workerId, workflow_key AS workflowKey,
  n.allocation_key AS allocationKey, hostname, boot_id AS bootId, pid, start_ticks AS startTicks, cluster,
  slurm_job_id AS slurmJobId, restart_count AS restartCount, memory_bytes AS memoryBytes, is_active AS isActive,
  last_heartbeat_at AS lastHeartbeatAt, contact_lost_at AS contactLostAt, fenced_at AS fencedAt,
  EXISTS (SELECT 1 FROM allocations l WHERE l.allocation_key = n.allocation_key AND l.slurm_job_id = n.slurm_job_id)
    AS isInItsAllocation`;

function asWorker(row: WorkerRow): WatchedWorker {
  return { ...row, isActive: row.isActive === 1, isInItsAllocation: row.isInItsAllocation === 1 };
}

/** Workers that are not closed, whose jobs may still have processes, or whose lost jobs are still to be decided on. */
export function watchedWorkers(tx: Transaction, workflowKey: number | null): WatchedWorker[] {
  return tx.db
    .all<WorkerRow>(
      `SELECT ${workerColumns} FROM compute_nodes n WHERE (? IS NULL OR n.workflow_key = ?) AND (n.is_active = 1 OR EXISTS (
         SELECT 1 FROM attempts a WHERE a.compute_node_key = n.compute_node_key AND a.is_occupying = 1)
         OR n.compute_node_key IN (SELECT o.compute_node_key FROM orphans o WHERE o.is_left = 0))
       ORDER BY n.compute_node_key`,
      workflowKey,
      workflowKey,
    )
    .map(asWorker);
}

export function findWorker(tx: Transaction, computeNodeKey: number): WatchedWorker | null {
  const sql = `SELECT ${workerColumns} FROM compute_nodes n WHERE compute_node_key = ?`;
  const row = tx.db.get<WorkerRow>(sql, computeNodeKey);
  return row === undefined ? null : asWorker(row);
}

/** Those attempts of a worker whose end is not known yet, or whose processes may still run: a report changes them. */
export function openAttempts(tx: Transaction, computeNodeKey: number, attemptKeys: readonly number[]): Set<number> {
  const rows = tx.db.all<{ attempt_key: number }>(
    `SELECT attempt_key FROM attempts WHERE attempt_key IN (SELECT value FROM json_each(?))
       AND compute_node_key = ? AND (is_live = 1 OR is_occupying = 1)`,
    JSON.stringify(attemptKeys),
    computeNodeKey,
  );
  return new Set(rows.map((row) => row.attempt_key));
}

/** Whether a worker has an attempt that a report would still change. */
export function hasOpenAttempts(tx: Transaction, computeNodeKey: number): boolean {
  const sql = 'SELECT 1 FROM attempts WHERE compute_node_key = ? AND (is_live = 1 OR is_occupying = 1) LIMIT 1';
  return tx.db.get(sql, computeNodeKey) !== undefined;
}

/** Whether everything that occupies a worker must stop: it was asked to, or another worker has its job. */
export function isAllToStop(tx: Transaction, computeNodeKey: number): boolean {
  const row = tx.db.get<{ n: number; kept: number }>(
    `SELECT count(*) AS n, count(*) FILTER (WHERE is_live = 1 AND stop_reason IS NULL) AS kept FROM attempts
     WHERE compute_node_key = ? AND is_occupying = 1`,
    computeNodeKey,
  );
  return row !== undefined && row.n > 0 && row.kept === 0;
}
