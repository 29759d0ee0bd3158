/** What is found out about allocations and workers, and the verdict on a worker that follows from it and the stored state. */
import type { SpooledReport } from '../../api/spool.ts';
import type { MemoryWords } from '../../model/decide/diagnosis.ts';
import {
  decideWorkerFate,
  type LocalFacts,
  type QueueFacts,
  type SlurmEnd,
  type WorkerVerdict,
} from '../../model/decide/worker-fate.ts';
import type { Transaction } from '../database/transaction.ts';
import { findAllocation, type WatchedWorker } from './scope.ts';

/**
 * Slurm's answers about one allocation, or about another Slurm job in which a worker runs: one in which a person started
 * it, or the earlier of two submissions of an allocation, of which the first had no answer.
 */
export interface SlurmEvidence {
  /** That of the worker; null for a Slurm job that torc did not submit. */
  allocationKey: number | null;
  /** When Slurm was last asked about it before. */
  checkedAt: number | null;
  /** Null for a recorded allocation that Slurm does not show under its name. */
  slurmJobId: string | null;
  cluster: string | null;
  /** Null when squeue did not answer. */
  queue: (QueueFacts & { reason: string | null; expiresAt: number | null }) | null;
  submitTimeMs: number | null;
  /** Slurm has said that it has no such job, or that the id is another job's. */
  isForgotten: boolean;
  /** Ends of its starts, from squeue or accounting. */
  ends: { restartCount: number; end: SlurmEnd }[];
  memoryWords: MemoryWords | null;
  problems: string[];
}

export interface WorkerEvidence {
  computeNodeKey: number;
  /** Silent for longer than its lease. */
  isSilent: boolean;
  silentMs: number;
  /** Heard from after Slurm's newest answer. */
  hasSpokenSince: boolean;
  local: LocalFacts | null;
  /** As stored at the time of the look. */
  lastHeartbeatAt: number;
  /** Since the file that tells it to stop was written; null before. */
  fencedForMs: number | null;
  hasStopFile: boolean;
  /** The reports in its spool. */
  reports: SpooledReport[];
}

export interface Evidence {
  /** When the look ended; milliseconds UTC. */
  at: number;
  slurm: SlurmEvidence[];
  workers: WorkerEvidence[];
  /** Queries that failed, each as a sentence. */
  problems: string[];
  /** `none`: there was nothing to ask. `missing`: this machine has no Slurm commands. */
  slurmAnswer: 'none' | 'ok' | 'failed' | 'missing';
  /** Whether storing it would change anything. */
  hasNews: boolean;
}

/** Slurm's answers about a worker's allocation, matched by allocation too: a rebuilt cluster gives the same ids again. */
function slurmOf(evidence: Evidence, worker: WatchedWorker): SlurmEvidence | null {
  if (worker.slurmJobId === null) return null;
  const isItsOwn = ({ allocationKey, slurmJobId }: SlurmEvidence): boolean =>
    allocationKey === worker.allocationKey && slurmJobId === worker.slurmJobId;
  return evidence.slurm.find(isItsOwn) ?? null;
}

/** How much later than the first look another one decides about a loss: accounting and shared file systems lag behind. */
export const secondLookMs = { slurm: 15_000, local: 4_000 };

/** Whether this evidence is a further look at a worker of which `since` is known that its processes are gone. */
export function isSecondLook(evidence: Evidence, worker: WatchedWorker, since: number): boolean {
  if (worker.slurmJobId !== null && (slurmOf(evidence, worker)?.queue ?? null) === null) return false;
  const later = evidence.at - since;
  // the clock was set back
  if (later < 0) return true;
  return later >= (worker.slurmJobId === null ? secondLookMs.local : secondLookMs.slurm);
}

/** The verdict on a worker from the evidence and the stored state. */
export function workerFateOf(
  tx: Transaction,
  evidence: Evidence,
  seen: WorkerEvidence,
  worker: WatchedWorker,
): WorkerVerdict {
  const answer = slurmOf(evidence, worker);
  const { allocationKey, isInItsAllocation } = worker;
  const allocation = allocationKey === null || !isInItsAllocation ? null : findAllocation(tx, allocationKey);
  const ends = allocation?.evidence.ends ?? endsByRestart({}, answer);
  const absentSince = allocation === null ? worker.contactLostAt : allocation.absentSince;
  return decideWorkerFate({
    isSilent: seen.isSilent,
    silentMs: seen.silentMs,
    hostname: worker.hostname,
    local: seen.local,
    slurmJobId: worker.slurmJobId,
    restartCount: worker.restartCount,
    queue: answer?.queue ?? null,
    end: ends[worker.restartCount] ?? null,
    isPredecessor: isPredecessor(tx, worker, Math.max(allocation?.restartCount ?? 0, answer?.queue?.restartCount ?? 0)),
    absentForMs: answer?.queue?.presence === 'absent' && absentSince !== null ? evidence.at - absentSince : null,
    fencedForMs: worker.fencedAt === null ? null : (seen.fencedForMs ?? 0),
    hasSpokenSince: seen.hasSpokenSince,
  });
}

/** `restartCount`: the highest that Slurm has shown, even of a start that ended before any worker of it said hello. */
function isPredecessor(tx: Transaction, worker: WatchedWorker, restartCount: number): boolean {
  if (worker.slurmJobId === null) return false;
  if (restartCount > worker.restartCount) return true;
  const later = tx.db.get(
    `SELECT 1 FROM compute_nodes WHERE workflow_key = ? AND slurm_job_id = ? AND cluster IS ? AND restart_count > ?
       AND allocation_key IS ? LIMIT 1`,
    worker.workflowKey,
    worker.slurmJobId,
    worker.cluster,
    worker.restartCount,
    worker.allocationKey,
  );
  return later !== undefined;
}

/** The known ends with those of the evidence. */
export function endsByRestart(known: Record<string, SlurmEnd>, answer: SlurmEvidence | null): Record<string, SlurmEnd> {
  const ends = { ...known };
  for (const { restartCount, end } of answer?.ends ?? []) ends[restartCount] = end;
  return ends;
}
