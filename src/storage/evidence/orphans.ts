/** What happens to attempts whose processes are gone without a result, and to attempts of a requeued allocation. */
import type { JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { release } from '../running/attempts.ts';
import { propagateEnd } from '../running/completion.ts';
import type { ComputeNode } from '../running/compute-nodes.ts';
import { giveBack, type JobState, moveJob } from '../running/transitions.ts';
import { storeDiagnoses } from './diagnoses.ts';
import type { SlurmEvidence } from './facts.ts';
import { findWorker, type WatchedWorker } from './scope.ts';

interface ClaimedRow {
  attempt_key: number;
  is_live: number;
  job_key: number;
  workflow_key: number;
  status: JobStatus;
}

interface OccupyingRow extends ClaimedRow {
  gpu_thousandths: number;
  stop_reason: string | null;
  diagnosis: string | null;
}

interface RequeuedRow extends ClaimedRow {
  slurm_job_id: string;
}

/**
 * A worker no longer has an attempt that it received, and has not reported its end: the process is gone. The job stays
 * as it is, for a person to restart.
 */
export function recordLost(tx: Transaction, node: ComputeNode, attemptKey: number): void {
  const worker = findWorker(tx, node.computeNodeKey);
  if (worker === null) return;
  const why = `Its worker on ${worker.hostname} no longer has it and did not report how it ended.`;
  storeDiagnoses(tx, { worker, fate: { process: 'gone', by: 'worker', why }, problems: [] }, attemptKey);
  orphanAttempts(tx, worker, attemptKey);
}

/**
 * Frees what the attempts of a worker, or one of them, occupied. The live ones are orphaned: their jobs stay claimed
 * for a person to restart, except that a job that a person canceled becomes canceled. Returns how many were orphaned.
 */
export function orphanAttempts(tx: Transaction, worker: WatchedWorker, only: number | null = null): number {
  let numOrphaned = 0;
  const rows = tx.db.all<OccupyingRow>(
    `SELECT a.attempt_key, a.is_live, a.gpu_thousandths, a.stop_reason, a.diagnosis, a.job_key, a.workflow_key, j.status
     FROM attempts a JOIN jobs j ON j.job_key = a.job_key
     WHERE a.compute_node_key = ? AND a.is_occupying = 1 AND a.attempt_key = coalesce(?, a.attempt_key)
     ORDER BY a.attempt_key`,
    worker.computeNodeKey,
    only,
  );
  for (const row of rows) {
    const { attempt_key: attemptKey } = row;
    const { computeNodeKey } = worker;
    release(tx, { attemptKey, computeNodeKey, isOccupying: true, hasGpus: row.gpu_thousandths > 0 });
    if (row.is_live === 0) continue;
    if (row.stop_reason === 'cancel') {
      endCanceled(tx, row);
      continue;
    }
    numOrphaned += 1;
    tx.event({
      workflowKey: row.workflow_key,
      type: 'job_orphaned',
      jobKey: row.job_key,
      attemptKey,
      data: row.diagnosis === null ? null : JSON.parse(row.diagnosis),
    });
  }
  return numOrphaned;
}

function endCanceled(tx: Transaction, row: ClaimedRow): void {
  tx.db.run(
    `UPDATE attempts SET is_live = 0, end_status = 'canceled', cause = 'canceled', ended_at = ?,
       detail = json_extract(diagnosis, '$.explanation') WHERE attempt_key = ?`,
    tx.now,
    row.attempt_key,
  );
  moveJob(tx, jobState(row), { to: 'canceled', by: 'cancel', attemptKey: row.attempt_key });
  propagateEnd(tx, row.job_key, true);
}

function jobState(row: ClaimedRow): JobState {
  return { jobKey: row.job_key, workflowKey: row.workflow_key, status: row.status, failed: false };
}

/**
 * Makes jobs of earlier starts of a requeued allocation ready again in the same run: those left without a result, and
 * those that the worker stopped because Slurm told it to. Returns how many.
 */
export function releaseRequeued(
  tx: Transaction,
  answer: Pick<SlurmEvidence, 'allocationKey' | 'slurmJobId' | 'queue'>,
): number {
  if (answer.slurmJobId === null || !hasBeenRequeued(tx, answer)) return 0;
  const isBack = answer.queue?.presence === 'pending' || answer.queue?.presence === 'running';
  const rows = tx.db.all<RequeuedRow>(
    `SELECT a.attempt_key, a.is_live, a.job_key, a.workflow_key, j.status, n.slurm_job_id
     FROM compute_nodes n
     JOIN attempts a ON a.compute_node_key = n.compute_node_key
     JOIN jobs j ON j.job_key = a.job_key AND j.attempt_key = a.attempt_key
     JOIN workflows w ON w.workflow_key = n.workflow_key AND w.run_id = a.run_id
     WHERE n.slurm_job_id = ? AND n.allocation_key IS ? AND n.is_active = 0 AND a.is_occupying = 0
       AND w.phase = 'started' AND w.is_canceled = 0 AND a.stop_reason IS NULL
       AND (a.is_live = 1 AND j.status IN ('submitted', 'submitted_pending')
         OR j.status = 'terminated' AND a.end_status = 'terminated')
       AND n.restart_count < max(?, (SELECT max(m.restart_count) FROM compute_nodes m
         WHERE m.slurm_job_id = n.slurm_job_id AND m.cluster IS n.cluster AND m.allocation_key IS n.allocation_key
           AND m.workflow_key = n.workflow_key))
     ORDER BY a.attempt_key`,
    answer.slurmJobId,
    answer.allocationKey,
    isBack ? (answer.queue?.restartCount ?? 0) : 0,
  );
  for (const row of rows) requeue(tx, row);
  for (const workflowKey of new Set(rows.map((row) => row.workflow_key))) {
    tx.db.run('UPDATE workflows SET ended_at = NULL WHERE workflow_key = ?', workflowKey);
  }
  return rows.length;
}

function hasBeenRequeued(
  tx: Transaction,
  answer: Pick<SlurmEvidence, 'allocationKey' | 'slurmJobId' | 'queue'>,
): boolean {
  if ((answer.queue?.restartCount ?? 0) > 0) return true;
  if (answer.allocationKey === null) return true;
  const sql = 'SELECT restart_count FROM allocations WHERE allocation_key = ?';
  const row = tx.db.get<{ restart_count: number }>(sql, answer.allocationKey);
  return row !== undefined && row.restart_count > 0;
}

function requeue(tx: Transaction, row: RequeuedRow): void {
  const { attempt_key: attemptKey } = row;
  if (row.is_live === 1) {
    tx.db.run(
      `UPDATE attempts SET is_live = 0, end_status = 'lost', cause = 'preempted', ended_at = ?,
         detail = json_extract(diagnosis, '$.explanation') WHERE attempt_key = ?`,
      tx.now,
      attemptKey,
    );
  }
  const data = { reason: 'its allocation was requeued', slurm_job_id: row.slurm_job_id };
  giveBack(tx, jobState(row), { by: 'requeue', attemptKey, data });
}
