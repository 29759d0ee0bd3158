/**
 * Stores evidence about allocations and workers, and what follows from it: contact lost, workers closed, jobs orphaned,
 * lost jobs ready again. It is deterministic in the stored state and the evidence, and touches only the database, so that
 * a dry run can do it and roll it back.
 */
import { absenceMs } from '../../model/decide/worker-fate.ts';
import type { Transaction } from '../database/transaction.ts';
import { closeComputeNode } from '../running/compute-nodes.ts';
import { takeSpooled } from '../running/spooled-reports.ts';
import { storeDiagnoses } from './diagnoses.ts';
import {
  type Evidence,
  endsByRestart,
  isSecondLook,
  type SlurmEvidence,
  type WorkerEvidence,
  workerFateOf,
} from './evidence.ts';
import { decideOrphans, noteRequeue, orphanAttempts } from './orphans.ts';
import { findAllocation, findWorker, type StoredEvidence, type WatchedWorker } from './scope.ts';

/** A submission that cannot be found by its name for this long never arrived. */
const arrivalMs = 600_000;

export interface Applied {
  numOrphaned: number;
  /** Lost jobs that are ready again. */
  numBack: number;
  numLostContact: number;
  /** Workers that Slurm's next answer may show to be gone. */
  numInDoubt: number;
  /** Lost jobs that a further look decides on. */
  numUndecided: number;
}

/** Stores the evidence and applies its consequences, except where a worker has made contact since. */
export function applyEvidence(tx: Transaction, evidence: Evidence): Applied {
  const applied: Applied = { numOrphaned: 0, numBack: 0, numLostContact: 0, numInDoubt: 0, numUndecided: 0 };
  for (const answer of evidence.slurm) {
    if (answer.allocationKey !== null) storeAllocation(tx, answer.allocationKey, answer, evidence.at);
  }
  const reported = evidence.workers.flatMap((seen) => {
    const worker = findWorker(tx, seen.computeNodeKey);
    return worker === null ? [] : [{ seen, worker }];
  });
  for (const { seen, worker } of reported) for (const report of seen.reports) takeSpooled(tx, worker.workerId, report);
  for (const { seen, worker } of reported) {
    // a clock that was set back leaves stored instants in the future
    if (worker.lastHeartbeatAt > evidence.at && worker.lastHeartbeatAt !== seen.lastHeartbeatAt) continue;
    follow(tx, { evidence, seen, worker, applied });
  }
  return applied;
}

interface Followed {
  evidence: Evidence;
  seen: WorkerEvidence;
  worker: WatchedWorker;
  applied: Applied;
}

function follow(tx: Transaction, { evidence, seen, worker, applied }: Followed): void {
  const fate = workerFateOf(tx, evidence, seen, worker);
  if (fate.process === 'running') return;
  if (fate.process !== 'gone' && worker.slurmJobId !== null) applied.numInDoubt += 1;
  if (worker.isActive && worker.contactLostAt === null && fate.process !== 'gone') {
    loseContact(tx, worker, fate.why);
    applied.numLostContact += 1;
  }
  const isUnwritten = worker.fencedAt !== null && !seen.hasStopFile;
  if (fate.process === 'fence' || isUnwritten) {
    closeComputeNode(tx, worker.computeNodeKey, 'cut off');
    tx.db.run('UPDATE compute_nodes SET fenced_at = ? WHERE compute_node_key = ?', tx.now, worker.computeNodeKey);
    tx.tell({ kind: 'worker_fenced', workerId: worker.workerId });
  } else if (fate.process === 'gone') {
    closeComputeNode(tx, worker.computeNodeKey, fate.why);
    storeDiagnoses(tx, { worker, fate, problems: evidence.problems });
    applied.numOrphaned += orphanAttempts(tx, worker, { since: evidence.at, only: null });
    const { numBack, numUndecided } = decideOrphans(tx, worker, ({ since }) => isSecondLook(evidence, worker, since));
    applied.numBack += numBack;
    applied.numUndecided += numUndecided;
  }
}

function loseContact(tx: Transaction, worker: WatchedWorker, why: string): void {
  tx.db.run('UPDATE compute_nodes SET contact_lost_at = ? WHERE compute_node_key = ?', tx.now, worker.computeNodeKey);
  tx.event({
    workflowKey: worker.workflowKey,
    type: 'worker_lost_contact',
    data: { compute_node_key: String(worker.computeNodeKey), hostname: worker.hostname, reason: why },
  });
}

// ------------------------------------------------------------------ allocations

function storeAllocation(tx: Transaction, allocationKey: number, answer: SlurmEvidence, at: number): void {
  const allocation = findAllocation(tx, allocationKey);
  if (allocation === null) return;
  // about another submission of it
  if (allocation.slurmJobId !== null && answer.slurmJobId !== allocation.slurmJobId) return;
  const isOvertaken = allocation.checkedAt !== null && allocation.checkedAt > at;
  if (isOvertaken && allocation.checkedAt !== answer.checkedAt) return;
  const { queue } = answer;
  if (allocation.status === 'recorded') {
    if (answer.slurmJobId === null) {
      giveUpUnconfirmed(tx, allocation, queue !== null);
      return;
    }
    tx.event({
      workflowKey: allocation.workflowKey,
      type: 'allocation_found',
      data: {
        allocation_key: String(allocation.allocationKey),
        name: allocation.name,
        slurm_job_id: answer.slurmJobId,
      },
    });
  }
  const isNewStart = queue !== null && queue.presence !== 'absent' && queue.restartCount > allocation.restartCount;
  const restartCount = isNewStart ? queue.restartCount : allocation.restartCount;
  if (isNewStart) noteRequeue(tx, { allocationKey, slurmJobId: answer.slurmJobId, restartCount });
  const ends = endsByRestart(allocation.evidence.ends, answer);
  const end = ends[restartCount] ?? null;
  // after the clock was set back, the absence counts from now: otherwise it would not count until the clock catches up
  const absentFrom = Math.min(allocation.absentSince ?? at, at);
  const absentSince = queue === null ? allocation.absentSince : queue.presence === 'absent' ? absentFrom : null;
  const isLongAbsent = absentSince !== null && at - absentSince >= absenceMs;
  // one that has not started may be missing from lists for as long as they are wrong: only Slurm's word ends it
  const isGivenUp = isLongAbsent && (answer.isForgotten || allocation.status !== 'submitted');
  const isAbsentForGood = absentSince !== null && (end !== null || isGivenUp);
  const isOver = queue !== null && ((queue.presence === 'final' && end !== null) || isAbsentForGood);
  const knownSince = allocation.evidence.runningSinceMs ?? null;
  const stored: StoredEvidence = {
    ends,
    memoryWords: answer.memoryWords ?? allocation.evidence.memoryWords,
    problems: answer.problems,
    isSettled: isOver,
    submitTimeMs: answer.submitTimeMs ?? allocation.evidence.submitTimeMs ?? null,
    runningSinceMs:
      queue === null ? knownSince : queue.state === 'RUNNING' ? ((isNewStart ? null : knownSince) ?? at) : null,
  };
  const state = isOver && end !== null ? end.state : (queue?.state ?? allocation.slurmState);
  const reason = isOver && end !== null ? end.reason : queue === null ? allocation.slurmReason : queue.reason;
  const fields = statusFields(tx, allocation, answer, { isOver, isNewStart });
  if (fields[0] !== allocation.status || state !== allocation.slurmState || reason !== allocation.slurmReason) {
    tx.tell({ kind: 'allocation_changed', workflowKey: allocation.workflowKey, allocationKey });
  }
  tx.db.run(
    `UPDATE allocations SET slurm_job_id = coalesce(slurm_job_id, ?), cluster = coalesce(cluster, ?),
       slurm_state = ?, slurm_reason = ?, restart_count = ?, expires_at = coalesce(?, expires_at), absent_since = ?,
       checked_at = CASE WHEN ? THEN ? ELSE checked_at END, evidence = ?, status = ?,
       submitted_at = coalesce(submitted_at, ?), ended_at = CASE WHEN ? = 'ended' THEN coalesce(ended_at, ?) END
     WHERE allocation_key = ?`,
    answer.slurmJobId,
    answer.cluster,
    state,
    reason,
    restartCount,
    queue?.expiresAt ?? null,
    absentSince,
    queue === null ? 0 : 1,
    at,
    JSON.stringify(stored),
    ...fields,
    allocation.allocationKey,
  );
}

function statusFields(
  tx: Transaction,
  allocation: { allocationKey: number; status: string },
  { queue, slurmJobId }: SlurmEvidence,
  found: { isOver: boolean; isNewStart: boolean },
): [status: string, submittedAt: number, status: string, endedAt: number] {
  const before = allocation.status === 'recorded' ? 'submitted' : allocation.status;
  const hasWorkers = (): boolean =>
    tx.db.get(
      'SELECT 1 FROM compute_nodes WHERE allocation_key = ? AND slurm_job_id IS ? AND is_active = 1 LIMIT 1',
      allocation.allocationKey,
      slurmJobId,
    ) !== undefined;
  let status = before;
  if (found.isOver) status = hasWorkers() ? before : 'ended';
  else if (found.isNewStart || (queue?.presence === 'pending' && !hasWorkers())) status = 'submitted';
  return [status, tx.now, status, tx.now];
}

function giveUpUnconfirmed(
  tx: Transaction,
  allocation: { allocationKey: number; workflowKey: number; name: string; createdAt: number },
  hasAnswered: boolean,
): void {
  const { workflowKey, allocationKey, createdAt } = allocation;
  if (createdAt > tx.now) {
    // the clock was set back: the time counts from now, otherwise not until the clock catches up
    tx.db.run('UPDATE allocations SET created_at = ? WHERE allocation_key = ?', tx.now, allocationKey);
    return;
  }
  if (!hasAnswered || tx.now - createdAt < arrivalMs) return;
  const error = 'sbatch did not answer, and Slurm has not shown a job of this name since';
  tx.db.run(`UPDATE allocations SET status = 'refused', error = ? WHERE allocation_key = ?`, error, allocationKey);
  tx.tell({ kind: 'allocation_changed', workflowKey, allocationKey });
  tx.event({
    workflowKey,
    type: 'allocation_refused',
    data: { allocation_key: String(allocationKey), name: allocation.name, slurm_job_id: null, error },
  });
}
