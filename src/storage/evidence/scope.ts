/** What there is to find out: allocations that Slurm may still know more about, and workers that may still run. */
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
}

export interface OpenAllocation {
  allocationKey: number;
  workflowKey: number;
  name: string;
  status: string;
  cluster: string | null;
  slurmJobId: string | null;
  outputDirectory: string;
  restartCount: number;
  createdAt: number;
  absentSince: number | null;
  checkedAt: number | null;
  slurmState: string | null;
  slurmReason: string | null;
  evidence: StoredEvidence;
}

/** Slurm is asked about the end of an allocation for so long at most. */
const longestInterestMs = 24 * 3600 * 1000;

const noEvidence: StoredEvidence = { ends: {}, memoryWords: null, problems: [], isSettled: false };

function asAllocation(row: Record<string, unknown>): OpenAllocation {
  return {
    allocationKey: row.allocation_key as number,
    workflowKey: row.workflow_key as number,
    name: row.name as string,
    status: row.status as string,
    cluster: row.cluster as string | null,
    slurmJobId: row.slurm_job_id as string | null,
    outputDirectory: row.output_directory as string,
    restartCount: row.restart_count as number,
    createdAt: row.created_at as number,
    absentSince: row.absent_since as number | null,
    checkedAt: row.checked_at as number | null,
    slurmState: row.slurm_state as string | null,
    slurmReason: row.slurm_reason as string | null,
    evidence: row.evidence === null ? noEvidence : (JSON.parse(row.evidence as string) as StoredEvidence),
  };
}

/** Allocations of a workflow, or with null of all, of which Slurm may have something new to say. */
export function openAllocations(tx: Transaction, workflowKey: number | null): OpenAllocation[] {
  return tx.db
    .all(
      `SELECT * FROM allocations WHERE (? IS NULL OR workflow_key = ?) AND (
         status IN ('recorded', 'submitted', 'running')
         OR status = 'ended' AND slurm_job_id IS NOT NULL AND ended_at > ?
           AND coalesce(json_extract(evidence, '$.isSettled'), 0) = 0
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
  const row = tx.db.get('SELECT * FROM allocations WHERE allocation_key = ?', allocationKey);
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
  restartCount: number;
  memoryBytes: number;
  isActive: boolean;
  lastHeartbeatAt: number;
  contactLostAt: number | null;
  fencedAt: number | null;
}

function asWorker(row: Record<string, unknown>): WatchedWorker {
  return {
    computeNodeKey: row.compute_node_key as number,
    workerId: row.worker_id as string,
    workflowKey: row.workflow_key as number,
    allocationKey: row.allocation_key as number | null,
    hostname: row.hostname as string,
    bootId: row.boot_id as string,
    pid: row.pid as number,
    startTicks: row.start_ticks as number | null,
    cluster: row.cluster as string | null,
    slurmJobId: row.slurm_job_id as string | null,
    restartCount: row.restart_count as number,
    memoryBytes: row.memory_bytes as number,
    isActive: row.is_active === 1,
    lastHeartbeatAt: row.last_heartbeat_at as number,
    contactLostAt: row.contact_lost_at as number | null,
    fencedAt: row.fenced_at as number | null,
  };
}

/** Workers that are not closed, or of whose jobs processes may still exist. */
export function watchedWorkers(tx: Transaction, workflowKey: number | null): WatchedWorker[] {
  return tx.db
    .all(
      `SELECT * FROM compute_nodes n WHERE (? IS NULL OR n.workflow_key = ?) AND (n.is_active = 1 OR EXISTS (
         SELECT 1 FROM attempts a WHERE a.compute_node_key = n.compute_node_key AND a.is_occupying = 1))
       ORDER BY n.compute_node_key`,
      workflowKey,
      workflowKey,
    )
    .map(asWorker);
}

export function findWorker(tx: Transaction, computeNodeKey: number): WatchedWorker | null {
  const row = tx.db.get('SELECT * FROM compute_nodes WHERE compute_node_key = ?', computeNodeKey);
  return row === undefined ? null : asWorker(row);
}

/** Those of the attempts of which a report would still change something. */
export function openAttempts(tx: Transaction, attemptKeys: readonly number[]): Set<number> {
  const rows = tx.db.all(
    `SELECT attempt_key FROM attempts WHERE attempt_key IN (SELECT value FROM json_each(?))
       AND (is_live = 1 OR is_occupying = 1)`,
    JSON.stringify(attemptKeys),
  );
  return new Set(rows.map((row) => row.attempt_key as number));
}

/** Whether all that occupies a worker is to stop: it was asked to, or its job has been given to somebody else. */
export function isAllToStop(tx: Transaction, computeNodeKey: number): boolean {
  const row = tx.db.get(
    `SELECT count(*) AS n, count(*) FILTER (WHERE is_live = 1 AND stop_reason IS NULL) AS kept FROM attempts
     WHERE compute_node_key = ? AND is_occupying = 1`,
    computeNodeKey,
  );
  return (row?.n as number) > 0 && row?.kept === 0;
}
