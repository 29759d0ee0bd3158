/** What was found out about allocations and workers, and what it says of a worker together with what is stored. */
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

/** What Slurm said of one allocation, or of a Slurm job in which a person started a worker. */
export interface SlurmEvidence {
  /** Null for a Slurm job that torc did not submit. */
  allocationKey: number | null;
  /** When Slurm had last been asked about it before. */
  checkedAt: number | null;
  /** Null when it is recorded and was not found by its name. */
  slurmJobId: string | null;
  cluster: string | null;
  /** Null when squeue did not answer. */
  queue: (QueueFacts & { reason: string | null; expiresAt: number | null }) | null;
  /** Ends of its starts, as squeue or accounting has them. */
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
  /** As it was stored when it was looked at. */
  lastHeartbeatAt: number;
  /** Since the file was written that tells it to stop; null before. */
  fencedForMs: number | null;
  hasStopFile: boolean;
  /** What its spool held. */
  reports: SpooledReport[];
}

export interface Evidence {
  /** When the look ended; milliseconds UTC. */
  at: number;
  slurm: SlurmEvidence[];
  workers: WorkerEvidence[];
  /** What could not be asked, each as a sentence. */
  problems: string[];
  /** `none`: nothing was to be asked. `missing`: this machine has no Slurm commands. */
  slurmAnswer: 'none' | 'ok' | 'failed' | 'missing';
  /** Whether storing it would change anything. */
  hasNews: boolean;
}

/** What Slurm said of a worker's allocation; by allocation where there is one: a rebuilt cluster gives the same ids again. */
function slurmOf(evidence: Evidence, worker: WatchedWorker): SlurmEvidence | null {
  if (worker.slurmJobId === null) return null;
  const isItsOwn = (said: SlurmEvidence): boolean =>
    said.allocationKey === worker.allocationKey && said.slurmJobId === worker.slurmJobId;
  return evidence.slurm.find(isItsOwn) ?? null;
}

/** What the evidence together with what is stored says of a worker. */
export function workerFateOf(
  tx: Transaction,
  evidence: Evidence,
  seen: WorkerEvidence,
  worker: WatchedWorker,
): WorkerVerdict {
  const said = slurmOf(evidence, worker);
  const allocation = worker.allocationKey === null ? null : findAllocation(tx, worker.allocationKey);
  const ends = allocation?.evidence.ends ?? endsByRestart({}, said);
  const absentSince = allocation === null ? worker.contactLostAt : allocation.absentSince;
  return decideWorkerFate({
    isSilent: seen.isSilent,
    silentMs: seen.silentMs,
    hostname: worker.hostname,
    local: seen.local,
    slurmJobId: worker.slurmJobId,
    restartCount: worker.restartCount,
    queue: said?.queue ?? null,
    end: ends[worker.restartCount] ?? null,
    isPredecessor: isPredecessor(tx, worker, Math.max(allocation?.restartCount ?? 0, said?.queue?.restartCount ?? 0)),
    absentForMs: said?.queue?.presence === 'absent' && absentSince !== null ? evidence.at - absentSince : null,
    fencedForMs: worker.fencedAt === null ? null : (seen.fencedForMs ?? 0),
    hasSpokenSince: seen.hasSpokenSince,
  });
}

/** `restartCount`: the highest that Slurm has shown, also of a start that has ended before a worker of it said hello. */
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

/** The ends that are known with those of the evidence. */
export function endsByRestart(known: Record<string, SlurmEnd>, said: SlurmEvidence | null): Record<string, SlurmEnd> {
  const ends = { ...known };
  for (const { restartCount, end } of said?.ends ?? []) ends[restartCount] = end;
  return ends;
}
