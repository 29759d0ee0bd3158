/**
 * Whether a worker's processes are known to be gone: a pure judgment of what was seen. Silence alone never shows it,
 * nor does a single answer of Slurm in which the job is missing.
 */
import type { Cause } from '../status.ts';

/** For how long a job must be missing from squeue's good answers, of which there must be at least two. */
export const absenceMs = 60_000;

/** How long after its stop file was written a silent worker counts as gone: it looks every 5 s, then kills its jobs. */
export const fenceMs = 20_000;

/** What squeue says of an allocation; `final` jobs are shown for some minutes after their end. */
export interface QueueFacts {
  presence: 'pending' | 'running' | 'ending' | 'final' | 'absent';
  state: string | null;
  restartCount: number;
}

/** The end of one start of an allocation, in Slurm's words. Instants in milliseconds on Slurm's clock. */
export interface SlurmEnd {
  state: string;
  /** What the state means for jobs without a result; null for a state that says nothing about them. */
  cause: Cause | null;
  reason: string | null;
  /** A user id or name, followed by the name if it is known. */
  canceledBy: string | null;
  exitCode: number | null;
  signal: number | null;
  /** The most memory that accounting saw in one of its steps. */
  maxRssBytes: number | null;
  endTimeMs: number | null;
}

/** What was found on the worker's own host. */
export interface LocalFacts {
  state: 'alive' | 'leftover_processes' | 'gone';
  /** Processes of its jobs that are still alive. */
  pids: number[];
  hasRebooted: boolean;
}

export interface WorkerFateFacts {
  isSilent: boolean;
  silentMs: number;
  hostname: string;
  /** Null on another host and for a worker in an allocation. */
  local: LocalFacts | null;
  slurmJobId: string | null;
  restartCount: number;
  /** Null when Slurm was not asked or did not answer. */
  queue: QueueFacts | null;
  /** The end of the start of the allocation that this worker belongs to. */
  end: SlurmEnd | null;
  /** The allocation has rebooted since. */
  isPredecessor: boolean;
  /** For how long good answers have lacked the job; null when the newest one has it. */
  absentForMs: number | null;
  /** Since the file was written that tells it to stop; null before. */
  fencedForMs: number | null;
  /** It was heard from after the newest answer of Slurm. */
  hasSpokenSince: boolean;
}

/** Whether a worker's processes are known to have ended, and why. */
export type WorkerFate =
  | { process: 'running' }
  /** `why` is a sentence. */
  | { process: 'lost_contact'; why: string }
  /**
   * Known because its allocation ended (`slurm`), from a look at its host (`local`), or because it said so (`worker`).
   * `isRequeued`: its allocation was started again.
   */
  | { process: 'gone'; by: 'slurm' | 'local' | 'worker'; why: string; isRequeued?: boolean };

/** `fence`: it may be alive although Slurm has lost sight of it; it must be told to stop and given time to do so. */
export type WorkerVerdict = WorkerFate | { process: 'fence'; why: string };

export function decideWorkerFate(facts: WorkerFateFacts): WorkerVerdict {
  const known = facts.slurmJobId === null ? decideLocal(facts) : decideSlurm(facts);
  if (known !== null) return known;
  if (!facts.isSilent) return { process: 'running' };
  return { process: 'lost_contact', why: silence(facts) };
}

function decideLocal({ local, hostname }: WorkerFateFacts): WorkerVerdict | null {
  if (local === null || local.state === 'alive') return null;
  if (local.hasRebooted) {
    return { process: 'gone', by: 'local', why: `${hostname} has rebooted since.` };
  }
  if (local.state === 'leftover_processes') {
    const [processes, are] = local.pids.length > 1 ? ['processes', 'are'] : ['process', 'is'];
    const why = `Its worker on ${hostname} is gone, but ${processes} ${local.pids.join(', ')} of its jobs ${are} still alive.`;
    return { process: 'lost_contact', why };
  }
  return {
    process: 'gone',
    by: 'local',
    why: `Its worker on ${hostname} has ended, and none of its processes is left.`,
  };
}

function decideSlurm(facts: WorkerFateFacts): WorkerVerdict | null {
  const { queue, end, isPredecessor, slurmJobId, hostname } = facts;
  const job = `Slurm job ${slurmJobId}`;
  if (facts.hasSpokenSince) return null;
  if (facts.fencedForMs !== null) return decideFenced(facts);
  if (end?.state === 'NODE_FAIL' && (isPredecessor || isOver(queue))) {
    return {
      process: 'fence',
      why: `${job} lost ${hostname}, where processes may keep running until they are told to stop.`,
    };
  }
  if (isPredecessor) {
    if (end !== null) return { process: 'gone', by: 'slurm', why: `${job} was started again.`, isRequeued: true };
    return {
      process: 'fence',
      why: `${job} was started again; it is not known whether processes of its earlier start are alive.`,
    };
  }
  if (end !== null && isOver(queue)) return { process: 'gone', by: 'slurm', why: `${job} has ended (${end.state}).` };
  if (queue?.presence !== 'absent' || facts.absentForMs === null) return null;
  if (facts.absentForMs < absenceMs || !facts.isSilent) return null;
  // the lists may be wrong
  return { process: 'fence', why: `Slurm no longer knows job ${slurmJobId}, and its worker is silent.` };
}

/** Accounting alone is not enough: it lags behind. */
function isOver(queue: QueueFacts | null): boolean {
  return queue !== null && (queue.presence === 'final' || queue.presence === 'absent');
}

function decideFenced(facts: WorkerFateFacts): WorkerVerdict | null {
  const { fencedForMs, silentMs, hostname, queue, slurmJobId, isPredecessor } = facts;
  if (fencedForMs === null || Math.min(fencedForMs, silentMs) < fenceMs) {
    return { process: 'lost_contact', why: `Its worker on ${hostname} was told to stop and has not been heard from.` };
  }
  const known = queue?.presence === 'absent' ? `Slurm no longer knows job ${slurmJobId}. ` : '';
  const why = `${known}Its worker was told to stop, and stayed silent.`;
  return { process: 'gone', by: 'slurm', why, isRequeued: isPredecessor };
}

function silence({ slurmJobId, queue, hostname, local }: WorkerFateFacts): string {
  if (slurmJobId === null) {
    return local === null
      ? `Its worker is silent; it ran on ${hostname}, which this host cannot inspect.`
      : `Its worker on ${hostname} is silent, but its process is alive.`;
  }
  if (queue === null) return `Its worker is silent, and Slurm has not reported what happened to job ${slurmJobId}.`;
  if (queue.presence === 'absent')
    return `Its worker is silent, and job ${slurmJobId} is missing from Slurm's queue at the moment.`;
  return `Its worker is silent; Slurm still reports job ${slurmJobId} as ${queue.state ?? 'unknown'}.`;
}
