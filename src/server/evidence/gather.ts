/**
 * Finds out what happened to workers and allocations, from Slurm, this host's processes and spools. Writes nothing; a failed
 * question is itself part of the evidence.
 */
import { type Clock, delay } from '../../base/clock.ts';
import { asTorcError } from '../../base/errors.ts';
import type { LocalFacts } from '../../model/decide/worker-fate.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import type { Evidence, SlurmEvidence, WorkerEvidence } from '../../storage/evidence/evidence.ts';
import {
  allocationsInDoubt,
  type OpenAllocation,
  openAllocations,
  type WatchedWorker,
  watchedWorkers,
} from '../../storage/evidence/scope.ts';
import type { Machine, ServerContext } from '../context.ts';
import { askSlurm, type Target } from './slurm-evidence.ts';
import { openReports } from './spool-intake.ts';

export type EvidenceSource = Pick<ServerContext, 'view' | 'clock' | 'lastHeard' | 'machine' | 'leaseMs'>;

export interface GatherOptions {
  /** Null for all workflows. */
  workflowKey: number | null;
  /** A person waits for the answer: Slurm is asked now. */
  isAsked: boolean;
  /** Whether Slurm is asked when no person waits. */
  isSlurmDue?: boolean;
}

/** When Slurm was not asked, contact within this time outweighs other evidence. */
const recentMs = 5_000;
/** Reports reach a shared file system late: spools of allocations that have just ended are read again after this. */
const secondReadMs = 5_000;
const justEndedMs = 30_000;

/** What is known about open allocations and workers; takes seconds when something has just ended. */
export async function gatherEvidence(source: EvidenceSource, options: GatherOptions): Promise<Evidence> {
  const { clock, machine } = source;
  const isSlurmDue = options.isAsked || options.isSlurmDue === true;
  const targets = isSlurmDue ? targetsOf(source.view, options.workflowKey) : [];
  const { said, problems, slurmAnswer } = await askSlurm(machine, targets);
  const answeredAt = clock.monotonic();
  const workers = watchedWorkers(source.view, options.workflowKey);
  const matches = matcher(said);
  if (workers.some((worker) => hasJustEnded(clock, worker, matches(worker)))) {
    // what the worker wrote last may not be visible here yet
    for (const worker of workers) readReports(source, worker, problems);
    await delay(clock, secondReadMs);
  }
  const spokenWithinMs = (): number => (slurmAnswer === 'ok' ? clock.monotonic() - answeredAt : recentMs);
  const seen = workers.flatMap((worker) => look(source, worker, matches(worker), { spokenWithinMs, problems }));
  return {
    at: clock.now(),
    slurm: said,
    workers: seen.map(({ evidence }) => evidence),
    problems: [...new Set(problems)],
    slurmAnswer,
    hasNews: said.length > 0 || seen.some(({ isNews }) => isNews),
  };
}

function targetsOf(view: Transaction, workflowKey: number | null): Target[] {
  const inDoubt = allocationsInDoubt(view);
  const targets = openAllocations(view, workflowKey).map((allocation) => targetOf(allocation, inDoubt));
  const otherSlurmJobs = new Map<string, Target>();
  for (const worker of watchedWorkers(view, workflowKey)) {
    const { slurmJobId, allocationKey, cluster, restartCount } = worker;
    if (slurmJobId === null || worker.isInItsAllocation) continue;
    const key = keyOf(worker);
    const known = otherSlurmJobs.get(key);
    otherSlurmJobs.set(key, {
      allocationKey,
      name: null,
      slurmJobId,
      cluster,
      checkedAt: null,
      isPending: false,
      submitTimeMs: null,
      absentSince: null,
      createdAt: Math.min(known?.createdAt ?? view.now, worker.lastHeartbeatAt),
      restartCount: Math.max(known?.restartCount ?? 0, restartCount),
      knownEnds: new Set(),
    });
  }
  return [...targets, ...otherSlurmJobs.values()];
}

/** Accounting is asked again about an end that leaves in doubt why jobs were lost: it lags behind. */
function targetOf(allocation: OpenAllocation, inDoubt: ReadonlySet<number>): Target {
  const { evidence, status } = allocation;
  const ends = inDoubt.has(allocation.allocationKey) ? [] : Object.keys(evidence.ends);
  return {
    ...allocation,
    isPending: status === 'submitted',
    submitTimeMs: evidence.submitTimeMs ?? null,
    knownEnds: new Set(ends.map(Number)),
  };
}

function keyOf(one: { allocationKey: number | null; slurmJobId: string | null }): string {
  return `${one.allocationKey} ${one.slurmJobId}`;
}

function matcher(said: readonly SlurmEvidence[]): (worker: WatchedWorker) => SlurmEvidence | null {
  const byKey = new Map(said.map((one) => [keyOf(one), one]));
  return (worker) => (worker.slurmJobId === null ? null : (byKey.get(keyOf(worker)) ?? null));
}

function isOver(said: SlurmEvidence | null): boolean {
  return said?.queue?.presence === 'final' || said?.queue?.presence === 'absent';
}

function hasJustEnded(clock: Clock, worker: WatchedWorker, said: SlurmEvidence | null): boolean {
  const end = said?.ends.find(({ restartCount }) => restartCount === worker.restartCount)?.end;
  if (end === undefined) return false;
  return end.endTimeMs === null || clock.now() - end.endTimeMs <= justEndedMs;
}

interface Looking {
  spokenWithinMs: () => number;
  problems: string[];
}

function look(
  source: EvidenceSource,
  worker: WatchedWorker,
  said: SlurmEvidence | null,
  { spokenWithinMs, problems }: Looking,
): { evidence: WorkerEvidence; isNews: boolean }[] {
  const { lastHeard, leaseMs, machine } = source;
  const silentMs = lastHeard.silentMs(worker.workerId, worker.lastHeartbeatAt);
  const isSilent = silentMs > leaseMs;
  const local = silentMs === 0 ? null : lookLocally(machine, worker);
  const isDead = local !== null && local.state !== 'alive';
  if (!isSilent && !isDead && worker.isActive && said === null) return [];
  const reports = isSilent || isDead || !worker.isActive || isOver(said) ? readReports(source, worker, problems) : [];
  const isNews =
    reports.length > 0 ||
    local?.state === 'gone' ||
    ((isSilent || isDead) && worker.isActive && worker.contactLostAt === null) ||
    (!worker.isActive && worker.slurmJobId !== null);
  const evidence = {
    computeNodeKey: worker.computeNodeKey,
    isSilent,
    silentMs,
    hasSpokenSince: silentMs === 0 || silentMs < spokenWithinMs(),
    local,
    lastHeartbeatAt: worker.lastHeartbeatAt,
    fencedForMs: worker.fencedAt === null ? null : lastHeard.fencedMs(worker.workerId, worker.fencedAt),
    hasStopFile: machine.hasStopFile(worker.workerId),
    reports,
  };
  return [{ evidence, isNews }];
}

/** What this host shows of a worker outside of Slurm; null for a worker on another host, which cannot be seen from here. */
export function lookLocally(machine: Machine, worker: WatchedWorker): LocalFacts | null {
  if (worker.slurmJobId !== null || worker.hostname !== machine.hostname) return null;
  if (worker.bootId === '' || machine.bootId === '') return null;
  if (worker.bootId !== machine.bootId) return { state: 'gone', pids: [], hasRebooted: true };
  if (machine.isProcessAlive(worker.pid, worker.startTicks)) return { state: 'alive', pids: [], hasRebooted: false };
  const pids = machine.processesOf(worker.workerId);
  return { state: pids.length > 0 ? 'leftover_processes' : 'gone', pids, hasRebooted: false };
}

/** Reports in the worker's spool that still change something; an unreadable spool is noted as a problem. */
function readReports(source: EvidenceSource, worker: WatchedWorker, problems: string[]): WorkerEvidence['reports'] {
  try {
    return openReports(source, worker);
  } catch (error) {
    const { message } = asTorcError(error);
    problems.push(`The reports that the worker on ${worker.hostname} left could not be read: ${message}`);
    return [];
  }
}
