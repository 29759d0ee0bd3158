/** Asks Slurm about many allocations at once: one squeue, and one sacct for those that squeue does not show alive. */
import { join } from 'node:path';
import type { MemoryWords } from '../../model/decide/diagnosis.ts';
import type { SlurmEnd } from '../../model/decide/worker-fate.ts';
import { findMemoryWords } from '../../slurm/memory-words.ts';
import type { AccountedJob, QueuedJob } from '../../slurm/parse.ts';
import { slurmOutputDirectory } from '../../slurm/script.ts';
import { isFinal, type SlurmState } from '../../slurm/states.ts';
import type { Evidence, SlurmEvidence } from '../../storage/evidence/facts.ts';
import type { Machine } from '../context.ts';

/** A Slurm job to ask about. */
export interface Target {
  allocationKey: number | null;
  /** Null for one that torc did not submit. */
  name: string | null;
  /** Null for a submission whose answer was lost. */
  slurmJobId: string | null;
  cluster: string | null;
  createdAt: number;
  /** When Slurm had last been asked about it. */
  checkedAt: number | null;
  /** The highest restart count that is known. */
  restartCount: number;
  /** Restart counts of starts whose end is known. */
  knownEnds: ReadonlySet<number>;
  outputDirectory: string | null;
}

interface Answers {
  said: SlurmEvidence[];
  problems: string[];
  slurmAnswer: Evidence['slurmAnswer'];
}

const unreadable = "Slurm's queue had lines that could not be read.";

/** Accounting is asked for everything since a day before the oldest allocation, because its clock may differ. */
const dayMs = 24 * 3600 * 1000;

export async function askSlurm(machine: Machine, targets: readonly Target[]): Promise<Answers> {
  if (targets.length === 0) return { said: [], problems: [], slurmAnswer: 'none' };
  const ids = targets.flatMap((target) => target.slurmJobId ?? []);
  const names = targets.flatMap((target) => (target.slurmJobId === null ? (target.name ?? []) : []));
  const queue = await machine.slurm.squeue({ ids, names });
  if (queue.kind === 'failed') {
    return {
      said: [],
      problems: [`Slurm's queue could not be read: ${queue.reason}`],
      slurmAnswer: queue.hint === null ? 'failed' : 'missing',
    };
  }
  const byId = new Map(queue.value.records.map((job) => [job.slurmJobId, job]));
  const byName = new Map(queue.value.records.map((job) => [job.name, job]));
  const found = targets.map((target) => ({ target, job: findQueued(target, byId, byName) }));
  const asked = found.filter(({ target, job }) => needsAccounting(target, job));
  const accounts = await askAccounting(machine, asked);
  const isWhole = queue.value.numUnparsed === 0;
  const said = found.map(({ target, job }) => {
    const records = accounts.records.get(target.slurmJobId ?? '') ?? [];
    const wasAsked = target.slurmJobId !== null && asked.some((one) => one.target === target);
    const evidence = evidenceOf(machine, target, job, records, wasAsked ? accounts.problems : []);
    // an unreadable line may be this job's: without an end in accounting it is not known to be absent
    const isUncertain = job === null && !isWhole && evidence.ends.length === 0;
    return isUncertain ? { ...evidence, queue: null, problems: [...evidence.problems, unreadable] } : evidence;
  });
  return { said, problems: [], slurmAnswer: 'ok' };
}

/** A job with another name only shares the id, on a cluster that was rebuilt. */
function findQueued(
  target: Target,
  byId: ReadonlyMap<string, QueuedJob>,
  byName: ReadonlyMap<string, QueuedJob>,
): QueuedJob | null {
  if (target.slurmJobId === null) return byName.get(target.name ?? '') ?? null;
  const job = byId.get(target.slurmJobId);
  return job === undefined || (target.name !== null && job.name !== target.name) ? null : job;
}

interface Found {
  target: Target;
  job: QueuedJob | null;
}

function needsAccounting(target: Target, job: QueuedJob | null): boolean {
  if (target.slurmJobId === null) return false;
  if (job === null || isFinal(job.state)) {
    return !target.knownEnds.has(Math.max(target.restartCount, job?.restartCount ?? 0));
  }
  return job.restartCount > 0 && !target.knownEnds.has(job.restartCount - 1);
}

async function askAccounting(
  machine: Machine,
  asked: readonly Found[],
): Promise<{ records: Map<string, AccountedJob[]>; problems: string[] }> {
  const records = new Map<string, AccountedJob[]>();
  if (asked.length === 0) return { records, problems: [] };
  const since = Math.min(...asked.map(({ target }) => target.createdAt)) - dayMs;
  const ids = asked.flatMap(({ target }) => target.slurmJobId ?? []);
  const answer = await machine.slurm.sacct(ids, since);
  if (answer.kind === 'failed') return { records, problems: [`Accounting did not answer: ${answer.reason}`] };
  for (const record of answer.value.records) {
    const list = records.get(record.slurmJobId) ?? [];
    list.push(record);
    records.set(record.slurmJobId, list);
  }
  return { records, problems: [] };
}

function evidenceOf(
  machine: Machine,
  target: Target,
  job: QueuedJob | null,
  records: readonly AccountedJob[],
  problems: string[],
): SlurmEvidence {
  const slurmJobId = target.slurmJobId ?? job?.slurmJobId ?? null;
  const ends = endsOf(machine, target, job, records);
  const isOver = job === null || isFinal(job.state);
  return {
    allocationKey: target.allocationKey,
    checkedAt: target.checkedAt,
    slurmJobId,
    cluster: records.find((record) => record.cluster !== null)?.cluster ?? target.cluster,
    queue: {
      presence: job === null ? 'absent' : presenceOf(job.state),
      state: job?.state.name ?? null,
      reason: job?.reason ?? null,
      restartCount: job?.restartCount ?? 0,
      expiresAt: job !== null && job.state.phase === 'running' ? job.endTimeMs : null,
    },
    ends,
    memoryWords: isOver ? readMemoryWords(machine, target, slurmJobId) : null,
    problems,
  };
}

/** An unknown state counts as still there. */
function presenceOf(state: SlurmState): 'pending' | 'running' | 'ending' | 'final' {
  return state.phase === 'unknown' ? 'running' : state.phase;
}

function readMemoryWords(machine: Machine, target: Target, slurmJobId: string | null): MemoryWords | null {
  if (target.outputDirectory === null || slurmJobId === null) return null;
  const path = join(slurmOutputDirectory(target.outputDirectory), `${target.name}_${slurmJobId}.out`);
  const text = machine.readTail(path);
  return text === null ? null : findMemoryWords(text);
}

/** Accounting has one unnumbered record per start: the newest has the highest restart count. */
function endsOf(
  machine: Machine,
  target: Target,
  job: QueuedJob | null,
  records: readonly AccountedJob[],
): SlurmEvidence['ends'] {
  const starts = records
    .filter((record) => record.step === null && (target.name === null || record.name === target.name))
    .toSorted((a, b) => (a.startTimeMs ?? Number.MAX_SAFE_INTEGER) - (b.startTimeMs ?? Number.MAX_SAFE_INTEGER));
  const newest = Math.max(job?.restartCount ?? 0, target.restartCount, starts.length - 1);
  const ends: SlurmEvidence['ends'] = [];
  if (job !== null && isFinal(job.state)) ends.push({ restartCount: newest, end: endOf(machine, job, []) });
  const isAlive = job !== null && !isFinal(job.state);
  for (const [index, start] of starts.entries()) {
    const restartCount = newest - (starts.length - 1 - index);
    const isNewest = index === starts.length - 1;
    // accounting lags: a start that squeue shows alive has not ended, an earlier one has
    if (restartCount < 0 || (isNewest && (isAlive || !isFinal(start.state)))) continue;
    ends.push({ restartCount, end: endOf(machine, start, isNewest ? records : []) });
  }
  return ends;
}

function endOf(
  machine: Machine,
  job: Pick<AccountedJob, 'state' | 'reason' | 'endTimeMs'> & { exit?: AccountedJob['exit'] },
  steps: readonly AccountedJob[],
): SlurmEnd {
  const { state } = job;
  const sizes = steps.map((step) => step.maxRssBytes ?? 0);
  const peak = Math.max(0, ...sizes);
  return {
    state: state.name,
    // Slurm ended this start to requeue it: it made room for others
    cause: state.cause ?? (isFinal(state) ? null : 'preempted'),
    reason: job.reason,
    canceledBy: state.canceledBy === null ? null : userWords(machine, state.canceledBy),
    exitCode: job.exit?.exitCode ?? null,
    signal: job.exit?.signal ?? null,
    maxRssBytes: peak === 0 ? null : peak,
    endTimeMs: job.endTimeMs,
  };
}

function userWords(machine: Machine, uid: string): string {
  const name = machine.userName(uid);
  return name === null ? uid : `${uid} (${name})`;
}
