/** Diagnoses of attempts without a result: made from the stored facts and the newest evidence, kept once it is final. */
import { isoInstant } from '../../base/clock.ts';
import { type Diagnosis, diagnose, type UnfinishedAttempt } from '../../model/decide/diagnosis.ts';
import type { WorkerFate } from '../../model/decide/worker-fate.ts';
import type { Transaction } from '../database/transaction.ts';
import { type Evidence, workerFateOf } from './facts.ts';
import { findAllocation, findWorker, type WatchedWorker } from './scope.ts';

interface Asked {
  worker: WatchedWorker;
  fate: WorkerFate;
  problems: readonly string[];
}

/** Weighs what is known of one worker and its live attempts that still occupy it. */
function diagnoseWorker(tx: Transaction, { worker, fate, problems }: Asked): Map<number, Diagnosis> {
  const allocation = worker.allocationKey === null ? null : findAllocation(tx, worker.allocationKey);
  const evidence = allocation?.evidence;
  return diagnose({
    fate,
    computeNodeKey: String(worker.computeNodeKey),
    hostname: worker.hostname,
    slurmJobId: worker.slurmJobId,
    lastHeartbeat: isoInstant(worker.lastHeartbeatAt),
    silentSeconds: (tx.now - worker.lastHeartbeatAt) / 1000,
    nodeMemoryBytes: worker.memoryBytes,
    slurmEnd: evidence?.ends[worker.restartCount] ?? null,
    slurmState: allocation?.slurmState ?? null,
    slurmReason: allocation?.slurmReason ?? null,
    memoryWords: evidence?.memoryWords ?? null,
    problems: [...new Set([...problems, ...(evidence?.problems ?? [])])],
    attempts: unfinished(tx, worker.computeNodeKey),
  });
}

function unfinished(tx: Transaction, computeNodeKey: number): UnfinishedAttempt[] {
  return tx.db
    .all(
      `SELECT a.attempt_key, a.job_key, j.name, a.peak_memory_bytes, a.memory_bytes, s.is_memory_stated
       FROM attempts a JOIN jobs j ON j.job_key = a.job_key JOIN shapes s ON s.shape_key = j.shape_key
       WHERE a.compute_node_key = ? AND a.is_occupying = 1 AND a.is_live = 1 ORDER BY a.attempt_key`,
      computeNodeKey,
    )
    .map((row) => ({
      attemptKey: row.attempt_key as number,
      jobKey: String(row.job_key),
      jobName: row.name as string,
      peakMemoryBytes: row.peak_memory_bytes as number | null,
      requestedMemoryBytes: row.memory_bytes as number,
      isMemoryStated: row.is_memory_stated === 1,
    }));
}

/** Keeps the diagnosis of each live attempt, or of one, that occupies a worker whose processes are gone. */
export function storeDiagnoses(tx: Transaction, asked: Asked, only: number | null = null): void {
  for (const [attemptKey, diagnosis] of diagnoseWorker(tx, asked)) {
    if (only !== null && attemptKey !== only) continue;
    tx.db.run(
      'UPDATE attempts SET lost_cause = ?, diagnosis = ? WHERE attempt_key = ?',
      diagnosis.cause ?? 'worker_lost',
      JSON.stringify(diagnosis),
      attemptKey,
    );
  }
}

/**
 * What is known of live attempts, by attempt key: of orphaned ones what was stored, of others what can be said now.
 * Apply the evidence first.
 */
export function diagnoseAttempts(
  tx: Transaction,
  attemptKeys: readonly number[],
  evidence: Evidence | null,
): Map<number, Diagnosis> {
  const diagnoses = new Map<number, Diagnosis>();
  const workers = new Set<number>();
  for (const row of tx.db.all(
    `SELECT attempt_key, compute_node_key, is_occupying, diagnosis FROM attempts
     WHERE attempt_key IN (SELECT value FROM json_each(?)) ORDER BY attempt_key`,
    JSON.stringify(attemptKeys),
  )) {
    if (row.is_occupying === 1) workers.add(row.compute_node_key as number);
    else if (row.diagnosis !== null) {
      diagnoses.set(row.attempt_key as number, JSON.parse(row.diagnosis as string) as Diagnosis);
    }
  }
  const wanted = new Set(attemptKeys);
  for (const computeNodeKey of workers) {
    const worker = findWorker(tx, computeNodeKey);
    if (worker === null) continue;
    for (const [attemptKey, diagnosis] of diagnoseWorker(tx, stateOf(tx, worker, evidence))) {
      if (wanted.has(attemptKey)) diagnoses.set(attemptKey, diagnosis);
    }
  }
  return diagnoses;
}

function stateOf(tx: Transaction, worker: WatchedWorker, evidence: Evidence | null): Asked {
  const seen = evidence?.workers.find((one) => one.computeNodeKey === worker.computeNodeKey);
  const problems = evidence?.problems ?? [];
  if (evidence === null || seen === undefined) {
    const isLost = !worker.isActive || worker.contactLostAt !== null;
    const why = `Its worker on ${worker.hostname} is silent.`;
    return { worker, problems, fate: isLost ? { process: 'lost_contact', why } : { process: 'running' } };
  }
  const fate = workerFateOf(tx, evidence, seen, worker);
  return { worker, problems, fate: fate.process === 'fence' ? { ...fate, process: 'lost_contact' } : fate };
}
