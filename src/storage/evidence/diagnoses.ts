/** Diagnoses of attempts without a result, made from stored facts and the newest evidence, and stored once final. */
import { isoInstant } from '../../base/clock.ts';
import { diagnose, type UnfinishedAttempt } from '../../model/decide/diagnosis.ts';
import type { Diagnosis } from '../../model/decide/diagnosis-fields.ts';
import type { WorkerFate } from '../../model/decide/worker-fate.ts';
import type { Transaction } from '../database/transaction.ts';
import { type Evidence, workerFateOf } from './evidence.ts';
import { findAllocation, findWorker, type WatchedWorker } from './scope.ts';

interface Asked {
  worker: WatchedWorker;
  fate: WorkerFate;
  problems: readonly string[];
}

/** Diagnoses the live attempts that still occupy a worker, and those that were lost with it. */
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

interface UnfinishedRow {
  attempt_key: number;
  job_key: number;
  name: string;
  peak_memory_bytes: number | null;
  memory_bytes: number;
  is_memory_stated: number;
}

function unfinished(tx: Transaction, computeNodeKey: number): UnfinishedAttempt[] {
  return tx.db
    .all<UnfinishedRow>(
      `SELECT a.attempt_key, a.job_key, j.name, a.peak_memory_bytes, a.memory_bytes, s.is_memory_stated
       FROM attempts a JOIN jobs j ON j.job_key = a.job_key JOIN shapes s ON s.shape_key = j.shape_key
       WHERE a.is_live = 1 AND (a.compute_node_key = ? AND a.is_occupying = 1 OR a.attempt_key IN (
         SELECT o.attempt_key FROM orphans o WHERE o.compute_node_key = ?))
       ORDER BY a.attempt_key`,
      computeNodeKey,
      computeNodeKey,
    )
    .map((row) => ({
      attemptKey: row.attempt_key,
      jobKey: String(row.job_key),
      jobName: row.name,
      peakMemoryBytes: row.peak_memory_bytes,
      requestedMemoryBytes: row.memory_bytes,
      isMemoryStated: row.is_memory_stated === 1,
    }));
}

/**
 * Stores the diagnosis of each attempt that `diagnoseWorker` finds, or of one; their processes are gone. A victim stays
 * one when the job that took the memory has another attempt by now, and is no longer among them.
 */
export function storeDiagnoses(tx: Transaction, asked: Asked, only: number | null = null): void {
  const present = JSON.stringify(unfinished(tx, asked.worker.computeNodeKey).map(({ jobKey }) => jobKey));
  for (const [attemptKey, diagnosis] of diagnoseWorker(tx, asked)) {
    if (only !== null && attemptKey !== only) continue;
    tx.db.run(
      `UPDATE attempts SET lost_cause = ?, diagnosis = ? WHERE attempt_key = ? AND NOT (
         json_extract(diagnosis, '$.role') IS 'victim'
         AND json_extract(diagnosis, '$.culprit_job_key') NOT IN (SELECT value FROM json_each(?)))`,
      diagnosis.cause ?? 'worker_lost',
      JSON.stringify(diagnosis),
      attemptKey,
      present,
    );
  }
}

interface AttemptRow {
  attempt_key: number;
  compute_node_key: number;
  is_occupying: number;
  diagnosis: string | null;
}

/**
 * Diagnoses of live attempts by attempt key: the stored one of an orphaned attempt, the present one of any other. The
 * evidence must be applied before.
 */
export function diagnoseAttempts(
  tx: Transaction,
  attemptKeys: readonly number[],
  evidence: Evidence | null,
): Map<number, Diagnosis> {
  const diagnoses = new Map<number, Diagnosis>();
  const workers = new Set<number>();
  const rows = tx.db.all<AttemptRow>(
    `SELECT attempt_key, compute_node_key, is_occupying, diagnosis FROM attempts
     WHERE attempt_key IN (SELECT value FROM json_each(?)) ORDER BY attempt_key`,
    JSON.stringify(attemptKeys),
  );
  for (const row of rows) {
    if (row.is_occupying === 1) workers.add(row.compute_node_key);
    else if (row.diagnosis !== null) diagnoses.set(row.attempt_key, JSON.parse(row.diagnosis));
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
