/**
 * Asks Slurm about many allocations at once: one squeue, and one sacct for those that squeue does not show alive. In
 * place of sacct now and then a scontrol, about one of those that have not started and stay missing from both.
 */
import type { MemoryWords } from '../../model/decide/diagnosis.ts';
import { absenceMs, type SlurmEnd } from '../../model/decide/worker-fate.ts';
import { findMemoryWords } from '../../slurm/memory-words.ts';
import type { AccountedJob, QueuedJob } from '../../slurm/parse.ts';
import { isFinal, type SlurmState } from '../../slurm/states.ts';
import type { Evidence, SlurmEvidence } from '../../storage/evidence/evidence.ts';
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
  /** Submitted, and no worker of it has said hello since. */
  isPending: boolean;
  /** Slurm's own submit time, if it was seen: it stays when a person renames the job. */
  submitTimeMs: number | null;
  /** Since when good answers of squeue have lacked it; null when the newest one had it. */
  absentSince: number | null;
  /** When Slurm had last been asked about it. */
  checkedAt: number | null;
  /** The highest restart count that is known. */
  restartCount: number;
  /** Restart counts of starts whose end is known. */
  knownEnds: ReadonlySet<number>;
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
  const found = targets.map((target) => findQueued(target, byId, byName));
  const isWhole = queue.value.numUnparsed === 0;
  const unclear = found.filter(needsAccounting);
  const one = isWhole ? oneToAskFor(unclear) : null;
  if (one !== null) await askForOne(machine, one);
  const asked = one === null ? unclear : [];
  const accounts = await askAccounting(machine, asked);
  const wasAsked = new Set(asked);
  const said = found.map((one) => {
    const { target } = one;
    const records = accounts.records.get(target.slurmJobId ?? '') ?? [];
    const evidence = evidenceOf(machine, one, records, wasAsked.has(one) ? accounts.problems : []);
    // an unreadable line may be this job's: without an end in accounting it is not known to be absent
    const isUncertain = one.job === null && !isWhole && evidence.ends.length === 0;
    return isUncertain ? { ...evidence, queue: null, problems: [...evidence.problems, unreadable] } : evidence;
  });
  return { said, problems: [], slurmAnswer: 'ok' };
}

interface Found {
  target: Target;
  job: QueuedJob | null;
  /** Slurm has said that the id is no longer this allocation's. */
  isForgotten: boolean;
}

function findQueued(
  target: Target,
  byId: ReadonlyMap<string, QueuedJob>,
  byName: ReadonlyMap<string, QueuedJob>,
): Found {
  if (target.slurmJobId === null) return { target, job: byName.get(target.name ?? '') ?? null, isForgotten: false };
  return identified(target, byId.get(target.slurmJobId) ?? null);
}

/**
 * The job with the target's id is the target's, unless it has another name and another submit time: a rebuilt cluster
 * gives ids again. A requeue changes the submit time, so the id of a job that was requeued shows nothing.
 */
function identified(target: Target, job: QueuedJob | null): Found {
  if (job === null || isOwn(target, job)) return { target, job, isForgotten: false };
  const isForgotten = target.submitTimeMs !== null && job.submitTimeMs !== null && job.restartCount === 0;
  return { target, job: null, isForgotten };
}

function isOwn({ name, submitTimeMs }: Target, job: Pick<QueuedJob, 'name' | 'submitTimeMs'>): boolean {
  return name === null || job.name === name || (submitTimeMs !== null && job.submitTimeMs === submitTimeMs);
}

/** Whether it has not started and was missing for so long that lists will not show how it ended. */
function isMissing({ target, job, isForgotten }: Found): boolean {
  const { isPending, absentSince, checkedAt } = target;
  if (!isPending || job !== null || isForgotten || absentSince === null || checkedAt === null) return false;
  return checkedAt - absentSince >= absenceMs;
}

/** Every other minute one of those that are missing, by turns, when accounting has nothing else to tell. */
function oneToAskFor(unclear: readonly Found[]): Found | null {
  if (unclear.length === 0 || !unclear.every(isMissing)) return null;
  const turn = Math.floor(Math.max(...unclear.map(({ target }) => target.checkedAt ?? 0)) / absenceMs);
  return turn % 2 === 0 ? null : (unclear[Math.floor(turn / 2) % unclear.length] ?? null);
}

async function askForOne(machine: Machine, one: Found): Promise<void> {
  const answer = await machine.slurm.scontrolShowJob(one.target.slurmJobId ?? '');
  if (answer.kind === 'failed') return;
  if (answer.value === null) one.isForgotten = true;
  else Object.assign(one, identified(one.target, answer.value));
}

function needsAccounting({ target, job }: Found): boolean {
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
  { target, job, isForgotten }: Found,
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
    submitTimeMs: job?.submitTimeMs ?? null,
    isForgotten,
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
  if (target.name === null || slurmJobId === null) return null;
  const text = machine.slurmOutput(`${target.name}_${slurmJobId}.out`);
  return text === null ? null : findMemoryWords(text);
}

/**
 * Accounting has one unnumbered record per start, and lags: they are numbered from the first one on, and only when none
 * can be missing. The start that a requeued allocation waits for may have none yet.
 */
function endsOf(
  machine: Machine,
  target: Target,
  job: QueuedJob | null,
  records: readonly AccountedJob[],
): SlurmEvidence['ends'] {
  const starts = records
    .filter((record) => record.step === null && isOwn(target, record))
    .toSorted((a, b) => (a.startTimeMs ?? Number.MAX_SAFE_INTEGER) - (b.startTimeMs ?? Number.MAX_SAFE_INTEGER));
  const newest = Math.max(job?.restartCount ?? 0, target.restartCount);
  const ends: SlurmEvidence['ends'] = [];
  if (job !== null && isFinal(job.state)) ends.push({ restartCount: newest, end: endOf(machine, job, []) });
  const isAlive = job !== null && !isFinal(job.state);
  const numStarted = starts.filter(({ startTimeMs }) => startTimeMs !== null).length;
  const hasAll = starts.length > newest || (job?.state.phase === 'pending' && numStarted === newest);
  for (const [restartCount, start] of hasAll ? starts.entries() : []) {
    // what squeue shows alive has not ended; what accounting still shows alive has, but how is not known yet
    const isOpen = restartCount >= newest && isAlive;
    if (isOpen || !hasEnded(start)) continue;
    ends.push({ restartCount, end: endOf(machine, start, restartCount === starts.length - 1 ? records : []) });
  }
  return ends;
}

/** An earlier start may also be shown as requeued for good. */
function hasEnded({ state, startTimeMs }: AccountedJob): boolean {
  return isFinal(state) || (state.name === 'REQUEUED' && startTimeMs !== null);
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
