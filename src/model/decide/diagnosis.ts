/** Why a claimed job has no result: the evidence about its worker and allocation, weighed into one answer. */
import { formatDuration, formatMemory } from '../../base/units.ts';
import type { Cause } from '../status.ts';
import type { Diagnosis } from './diagnosis-fields.ts';
import type { SlurmEnd, WorkerFate } from './worker-fate.ts';

/** What slurmstepd wrote about memory into an allocation's output. */
export interface MemoryWords {
  text: string;
  /** The nodes that said so; empty when the words name none. */
  nodes: string[];
  usedBytes: number | null;
}

export interface UnfinishedAttempt {
  attemptKey: number;
  jobKey: string;
  jobName: string;
  peakMemoryBytes: number | null;
  requestedMemoryBytes: number;
  isMemoryStated: boolean;
}

/** One worker and all its attempts without a result. */
export interface DiagnosisFacts {
  fate: WorkerFate;
  computeNodeKey: string;
  hostname: string;
  slurmJobId: string | null;
  lastHeartbeat: string;
  silentSeconds: number;
  nodeMemoryBytes: number;
  /** Null while the allocation has not ended, when there is none, or when Slurm did not say. */
  slurmEnd: SlurmEnd | null;
  /** Slurm's word for an allocation that has not ended. */
  slurmState: string | null;
  slurmReason: string | null;
  memoryWords: MemoryWords | null;
  /** What could not be asked, each as a sentence. */
  problems: readonly string[];
  attempts: readonly UnfinishedAttempt[];
}

/** The diagnosis of each unfinished attempt of one worker, by attempt key. Never a success. */
export function diagnose(facts: DiagnosisFacts): Map<number, Diagnosis> {
  const memory = facts.fate.process === 'gone' ? judgeMemory(facts) : null;
  return new Map(facts.attempts.map((attempt) => [attempt.attemptKey, diagnoseOne(facts, attempt, memory)]));
}

interface MemoryJudgement {
  sign: string;
  culprit: UnfinishedAttempt | null;
  /** What the end itself says was in use; null when it says nothing. */
  usedBytes: number | null;
}

function diagnoseOne(facts: DiagnosisFacts, attempt: UnfinishedAttempt, memory: MemoryJudgement | null): Diagnosis {
  const { fate, slurmEnd } = facts;
  const { cause, sentence } = memory === null ? causeOf(facts) : { cause: 'oom' as const, sentence: memory.sign };
  const role = memory === null || memory.culprit === null ? null : roleOf(memory.culprit, attempt);
  const culprit = role === null ? null : (memory?.culprit ?? null);
  const unknown = [...facts.problems, ...(memory === null ? [] : unknownOfMemory(facts, attempt, memory))];
  return {
    cause: fate.process === 'gone' ? cause : null,
    explanation: [sentence, memory === null ? null : memorySentence(attempt, memory, role), heartbeatSentence(facts)]
      .filter((part) => part !== null)
      .join(' '),
    process: fate.process,
    slurm_job_id: facts.slurmJobId,
    slurm_state: slurmEnd?.state ?? facts.slurmState,
    slurm_reason: slurmEnd === null ? facts.slurmReason : slurmEnd.reason,
    hostname: facts.hostname,
    compute_node_key: facts.computeNodeKey,
    last_heartbeat: facts.lastHeartbeat,
    peak_memory_bytes: attempt.peakMemoryBytes,
    requested_memory_bytes: attempt.isMemoryStated ? attempt.requestedMemoryBytes : null,
    node_memory_bytes: facts.nodeMemoryBytes,
    role,
    culprit_job_key: culprit?.jobKey ?? null,
    culprit_job_name: culprit?.jobName ?? null,
    suggested_memory_bytes: role === 'culprit' && memory !== null ? suggestion(facts, attempt, memory) : null,
    unknown,
  };
}

// ------------------------------------------------------------------ what ended it

function causeOf(facts: DiagnosisFacts): { cause: Cause | null; sentence: string } {
  const { fate, slurmEnd, slurmJobId, hostname } = facts;
  if (fate.process === 'running') return { cause: null, sentence: `Its worker on ${hostname} is responding.` };
  if (fate.process === 'lost_contact') return { cause: null, sentence: fate.why };
  if (slurmEnd === null || slurmJobId === null) {
    return { cause: fate.isRequeued === true ? 'preempted' : 'worker_lost', sentence: fate.why };
  }
  const job = `Slurm job ${slurmJobId} on ${hostname}`;
  const reason = slurmEnd.reason === null ? slurmEnd.state : `${slurmEnd.state}, reason ${slurmEnd.reason}`;
  switch (slurmEnd.cause) {
    case 'walltime':
      return { cause: 'walltime', sentence: `${job} ended because its time limit was reached (${reason}).` };
    case 'node_failure':
      return {
        cause: 'node_failure',
        sentence: `${job} ended because one of its nodes failed (${reason}). ${fate.why}`,
      };
    case 'preempted':
      return { cause: 'preempted', sentence: `${job} was preempted by other jobs (${reason}).` };
    case 'canceled': {
      const by = slurmEnd.canceledBy === null ? '' : ` by user ${slurmEnd.canceledBy}`;
      return { cause: 'canceled', sentence: `${job} was canceled${by} (${reason}).` };
    }
    default:
      return {
        cause: 'worker_lost',
        sentence: `${job} ended (${reason}${exitWords(slurmEnd)}), and its worker left no result.`,
      };
  }
}

function exitWords({ exitCode, signal }: SlurmEnd): string {
  if (signal !== null && signal !== 0) return `, signal ${signal}`;
  return exitCode === null ? '' : `, exit code ${exitCode}`;
}

function heartbeatSentence(facts: DiagnosisFacts): string | null {
  if (facts.fate.process === 'running') return null;
  const heard = `Its worker was last heard from at ${facts.lastHeartbeat}`;
  // a final diagnosis must not depend on when it is made
  if (facts.fate.process === 'gone') return `${heard}.`;
  return `${heard} (${formatDuration(Math.max(0, Math.round(facts.silentSeconds)))} ago).`;
}

// ------------------------------------------------------------------ memory

const sigkill = 9;

/** Whether memory ran out on the worker's node, by what sign, and which job most exceeded its request. */
function judgeMemory(facts: DiagnosisFacts): MemoryJudgement | null {
  const { slurmEnd, memoryWords, attempts, nodeMemoryBytes } = facts;
  // a job that its time limit or a person ended did not end for lack of memory, even if the kernel had killed some
  // process
  if (slurmEnd !== null && slurmEnd.cause !== 'oom' && slurmEnd.cause !== 'worker_lost') return null;
  const isElsewhere = memoryWords !== null && memoryWords.nodes.length > 0 && !isAmong(facts.hostname, memoryWords);
  if (isElsewhere) return null;
  const job = `Slurm job ${facts.slurmJobId} on ${facts.hostname}`;
  const culprit = culpritOf(attempts);
  const sampledBytes = attempts.reduce((sum, attempt) => sum + (attempt.peakMemoryBytes ?? 0), 0);
  const usedBytes = largest(memoryWords?.usedBytes, slurmEnd?.maxRssBytes);
  if (memoryWords !== null) {
    return {
      sign: `${job} ran out of memory: slurmstepd said "${memoryWords.text.replace(/\.$/, '')}".`,
      culprit,
      usedBytes,
    };
  }
  if (slurmEnd?.cause === 'oom') return { sign: `${job} ran out of memory (${slurmEnd.state}).`, culprit, usedBytes };
  const wasKilled = slurmEnd?.state === 'FAILED' && slurmEnd.signal === sigkill;
  if (!wasKilled || Math.max(sampledBytes, usedBytes ?? 0) <= nodeMemoryBytes) return null;
  const seen = formatMemory(Math.max(sampledBytes, usedBytes ?? 0));
  const sign = `${job} ran out of memory: it was killed (FAILED, signal 9) while ${seen} of its ${formatMemory(nodeMemoryBytes)} were in use.`;
  return { sign, culprit, usedBytes };
}

function isAmong(hostname: string, words: MemoryWords): boolean {
  const short = (name: string): string => name.split('.')[0] ?? name;
  return words.nodes.some((node) => short(node) === short(hostname));
}

function largest(...values: (number | null | undefined)[]): number | null {
  const known = values.filter((value) => typeof value === 'number' && value > 0) as number[];
  return known.length === 0 ? null : Math.max(...known);
}

/** A missing request says nothing about what was meant: then the peaks decide. */
function culpritOf(attempts: readonly UnfinishedAttempt[]): UnfinishedAttempt | null {
  if (attempts.length === 1) return attempts[0] ?? null;
  const sampled = attempts.filter((attempt) => attempt.peakMemoryBytes !== null);
  const exceeding = sampled.filter((attempt) => (attempt.peakMemoryBytes ?? 0) > attempt.requestedMemoryBytes);
  const candidates = exceeding.length > 0 ? exceeding : sampled;
  const weight = candidates.every((attempt) => attempt.isMemoryStated)
    ? (attempt: UnfinishedAttempt) => (attempt.peakMemoryBytes ?? 0) / Math.max(1, attempt.requestedMemoryBytes)
    : (attempt: UnfinishedAttempt) => attempt.peakMemoryBytes ?? 0;
  return candidates.toSorted((a, b) => weight(b) - weight(a) || a.attemptKey - b.attemptKey)[0] ?? null;
}

function roleOf(culprit: UnfinishedAttempt, attempt: UnfinishedAttempt): 'culprit' | 'victim' {
  return culprit.attemptKey === attempt.attemptKey ? 'culprit' : 'victim';
}

function memorySentence(
  attempt: UnfinishedAttempt,
  memory: MemoryJudgement,
  role: 'culprit' | 'victim' | null,
): string | null {
  if (role === null || memory.culprit === null) return null;
  const culprit = `${memory.culprit.jobName} (job ${memory.culprit.jobKey})`;
  if (role === 'victim') return `It ended with ${culprit}, which used ${usage(memory.culprit)}.`;
  return attempt.peakMemoryBytes === null ? null : `It used ${usage(attempt)}.`;
}

function usage({ peakMemoryBytes, requestedMemoryBytes, isMemoryStated }: UnfinishedAttempt): string {
  const request = isMemoryStated ? `its request of ${formatMemory(requestedMemoryBytes)}` : 'no stated request';
  return `${formatMemory(peakMemoryBytes ?? 0)} against ${request}`;
}

function unknownOfMemory(facts: DiagnosisFacts, attempt: UnfinishedAttempt, memory: MemoryJudgement): string[] {
  const unknown: string[] = [];
  if (attempt.peakMemoryBytes === null) {
    unknown.push('It is not known how much memory it used: no sample of it arrived before the end.');
  }
  if (memory.culprit === null) {
    unknown.push('It is not known which job on the node used the memory.');
  } else if (facts.attempts.length > 1) {
    const isOver = (memory.culprit.peakMemoryBytes ?? 0) > memory.culprit.requestedMemoryBytes;
    if (!isOver) unknown.push('No sample shows a job above its request; the job that came closest is named.');
  }
  return unknown;
}

const mebibyte = 1024 * 1024;

/** Half again what was seen, in whole steps of 256m, above 4g of 1g; null when nothing at all was seen. */
function suggestion(facts: DiagnosisFacts, attempt: UnfinishedAttempt, memory: MemoryJudgement): number | null {
  // alone on its node it had all of it and needed more
  const ofNode = facts.attempts.length === 1 ? largest(facts.nodeMemoryBytes, memory.usedBytes) : null;
  const seen = largest(attempt.peakMemoryBytes, ofNode);
  if (seen === null) return null;
  const wanted = seen * 1.5;
  const step = wanted > 4096 * mebibyte ? 1024 * mebibyte : 256 * mebibyte;
  return Math.ceil(wanted / step) * step;
}
