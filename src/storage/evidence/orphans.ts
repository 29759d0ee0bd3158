/**
 * What becomes of attempts whose processes are gone without a result. They are orphans at first: their jobs stay
 * claimed. Then most of their jobs come back. Left for a person are those that memory ran out with, because the same
 * request would bring the next node down too, and those that were lost too often.
 */
import type { Diagnosis } from '../../model/decide/diagnosis-fields.ts';
import type { Cause, JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { release } from '../running/attempts.ts';
import { propagateEnd } from '../running/completion.ts';
import type { ComputeNode } from '../running/compute-nodes.ts';
import { addOrphan, bringBackOrphan, countEnded, endLost, leaveOrphan } from '../running/losses.ts';
import { retryFailed } from '../running/retries.ts';
import { type JobState, moveJob } from '../running/transitions.ts';
import { noteLostUse } from '../running/usage.ts';
import { storeDiagnoses } from './diagnoses.ts';
import type { SlurmEvidence } from './evidence.ts';
import { findWorker, type WatchedWorker } from './scope.ts';

interface ClaimedRow {
  attempt_key: number;
  job_key: number;
  workflow_key: number;
  status: JobStatus;
}

interface OccupyingRow extends ClaimedRow {
  is_live: number;
  gpu_thousandths: number;
  stop_reason: string | null;
  diagnosis: string | null;
}

/**
 * A worker no longer has an attempt that it received, and has not reported its end: the process is gone, and nothing
 * more will be known about it.
 */
export function recordLost(tx: Transaction, node: ComputeNode, attemptKey: number): void {
  const worker = findWorker(tx, node.computeNodeKey);
  if (worker === null) return;
  const why = `Its worker on ${worker.hostname} no longer has it and did not report how it ended.`;
  storeDiagnoses(tx, { worker, fate: { process: 'gone', by: 'worker', why }, problems: [] }, attemptKey);
  orphanAttempts(tx, worker, { since: tx.now, only: attemptKey });
  decideOrphans(tx, worker, (orphan) => orphan.attemptKey === attemptKey);
}

/**
 * Frees what the attempts of a worker, or one of them, occupied. The live ones become orphans, except that a job that a
 * person canceled becomes canceled. Returns how many there are. `since`: when their end was seen.
 */
export function orphanAttempts(
  tx: Transaction,
  worker: WatchedWorker,
  { since, only }: { since: number; only: number | null },
): number {
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
    const { attempt_key: attemptKey, workflow_key: workflowKey } = row;
    const { computeNodeKey } = worker;
    release(tx, { attemptKey, computeNodeKey, isOccupying: true, hasGpus: row.gpu_thousandths > 0 });
    if (row.is_live === 0) continue;
    if (row.stop_reason === 'cancel') {
      endCanceled(tx, row);
      continue;
    }
    numOrphaned += 1;
    addOrphan(tx, { attemptKey, workflowKey, computeNodeKey, since });
    const data = row.diagnosis === null ? null : JSON.parse(row.diagnosis);
    tx.event({ workflowKey, type: 'job_orphaned', jobKey: row.job_key, attemptKey, data });
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
  countEnded(tx, row.attempt_key);
  moveJob(tx, jobState(row), { to: 'canceled', by: 'cancel', attemptKey: row.attempt_key });
  propagateEnd(tx, row.job_key, true);
}

function jobState(row: ClaimedRow): JobState {
  return { jobKey: row.job_key, workflowKey: row.workflow_key, status: row.status, failed: false };
}

interface OrphanRow extends ClaimedRow {
  since: number;
  lost_cause: Cause | null;
  role: Diagnosis['role'];
}

/** An orphan that is still to be decided on. */
export interface Orphan {
  attemptKey: number;
  since: number;
}

/**
 * Decides about the orphans of a worker. Its jobs come back once `isKnownEnough`: a later look may find their results or
 * another cause; a cause that stays unknown is a loss like the others. What a restart is stopping waits for that
 * restart.
 */
export function decideOrphans(
  tx: Transaction,
  { computeNodeKey }: Pick<WatchedWorker, 'computeNodeKey'>,
  isKnownEnough: (orphan: Orphan) => boolean,
): { numBack: number; numUndecided: number } {
  const rows = tx.db.all<OrphanRow>(
    `SELECT o.attempt_key, o.since, a.lost_cause, json_extract(a.diagnosis, '$.role') AS role, a.job_key,
       a.workflow_key, j.status
     FROM orphans o JOIN attempts a ON a.attempt_key = o.attempt_key JOIN jobs j ON j.job_key = a.job_key
     JOIN workflows w ON w.workflow_key = a.workflow_key
     WHERE o.compute_node_key = ? AND o.is_left = 0 AND NOT (w.is_stopping = 1 AND a.stop_reason IS 'restart')
     ORDER BY o.attempt_key`,
    computeNodeKey,
  );
  const counts = { numBack: 0, numUndecided: 0 };
  for (const row of rows) {
    const { attempt_key: attemptKey, since, lost_cause: lostCause, role, workflow_key: workflowKey } = row;
    const cause = lostCause ?? 'worker_lost';
    const isOutOfMemory = cause === 'oom' && role !== 'victim';
    if (!isOutOfMemory && !isKnownEnough({ attemptKey, since })) {
      counts.numUndecided += 1;
      continue;
    }
    const loss = { attemptKey, cause, isCounted: true };
    const isBack = isOutOfMemory ? retryLarger(tx, row, role) : bringBackOrphan(tx, jobState(row), loss);
    if (isBack) counts.numBack += 1;
    else leaveOrphan(tx, attemptKey, workflowKey);
  }
  return counts;
}

/** The job that took the memory of its node is tried again if a rule of its failure handler lets its request grow. */
function retryLarger(tx: Transaction, row: OrphanRow, role: Diagnosis['role']): boolean {
  if (role !== 'culprit') return false;
  const { attempt_key: attemptKey, since } = row;
  noteLostUse(tx, attemptKey, since);
  const isRetried = retryFailed(tx, jobState(row), { attemptKey, returnCode: null, cause: 'oom', isOnlyScaled: true });
  if (isRetried) endLost(tx, { attemptKey, cause: 'oom' });
  return isRetried;
}

/**
 * An allocation was started again: attempts of its earlier starts were preempted, whether they are orphans or were
 * stopped by their worker, which can not tell a requeue from an end.
 */
export function noteRequeue(
  tx: Transaction,
  answer: Pick<SlurmEvidence, 'allocationKey' | 'slurmJobId'> & { restartCount: number },
): void {
  const { allocationKey, slurmJobId, restartCount } = answer;
  const earlier = `SELECT compute_node_key FROM compute_nodes
    WHERE slurm_job_id = ? AND allocation_key IS ? AND restart_count < ?`;
  const found = [slurmJobId, allocationKey, restartCount];
  tx.db.run(
    `UPDATE attempts SET cause = 'preempted', detail = 'its allocation was requeued'
     WHERE compute_node_key IN (${earlier}) AND end_status = 'terminated' AND cause = 'canceled' AND stop_reason IS NULL`,
    ...found,
  );
  tx.db.run(
    `UPDATE attempts SET lost_cause = 'preempted' WHERE lost_cause = 'worker_lost' AND attempt_key IN
       (SELECT o.attempt_key FROM orphans o WHERE o.is_left = 0 AND o.compute_node_key IN (${earlier}))`,
    ...found,
  );
  for (const { compute_node_key: computeNodeKey } of tx.db.all<{ compute_node_key: number }>(earlier, ...found)) {
    decideOrphans(tx, { computeNodeKey }, () => true);
  }
}
