/**
 * Which failed and lost jobs a recovery brings back, and which of them with a larger request: what ran out of memory or
 * time gets more, what was lost comes back as it was, any other failure is left for a person.
 */
import { counted } from '../../base/text.ts';
import { type FailureRule, matchesRule } from '../retry.ts';
import { exceededField, type Growth, type Scale, type ScaledField } from '../scale.ts';
import type { Cause } from '../status.ts';

/** By how much a request grows whose job has no rule of its own. */
export const defaultFactor = 1.5;
/** How often a workflow recovers by itself. */
export const defaultMaxRecoveries = 3;
export const mostRecoveries = 1_000_000;

const firstDelayMs = 60_000;
const longestDelayMs = 3_600_000;

/** How long the next recovery waits after so many without any further success: not at all, a minute, two, up to an hour. */
export function recoveryDelayMs(numWithoutGain: number): number {
  return numWithoutGain === 0 ? 0 : Math.min(longestDelayMs, firstDelayMs * 2 ** (numWithoutGain - 1));
}

export interface RecoveryChoice {
  /** Null leaves jobs that ran out of memory as they are. */
  memoryFactor: number | null;
  runtimeFactor: number | null;
  /** Jobs that failed for any other reason run again, as they are. */
  retriesUnknown: boolean;
}

/** `memory`, `runtime`: ran out of it. `lost`: gone with its worker or allocation. `other`: failed by itself. */
export const failureKinds = ['memory', 'runtime', 'lost', 'other'] as const;
export type FailureKind = (typeof failureKinds)[number];

/** `2 jobs ran out of memory`. */
export function failureWords(kind: FailureKind, numJobs: number): string {
  const words: Readonly<Record<FailureKind, string>> = {
    memory: 'ran out of memory',
    runtime: 'ran out of time',
    lost: numJobs === 1 ? 'was lost' : 'were lost',
    other: 'failed for other reasons',
  };
  return `${counted(numJobs, 'job')} ${words[kind]}`;
}

export interface Failed {
  returnCode: number | null;
  cause: Cause | null;
  /** It has no result: its worker or its allocation has ended. */
  isLost: boolean;
  /** Where memory ran out on a node: whether this job took it. */
  role: 'culprit' | 'victim' | null;
}

export function failureKind({ cause, isLost, role }: Failed): FailureKind {
  const field = cause === null ? null : exceededField(cause);
  // beside the job that took the memory, or where nobody knows which one did, the request was not too small
  if (isLost) return field === 'memory' && role === 'culprit' ? 'memory' : 'lost';
  return field ?? 'other';
}

/** Whether jobs of this kind come back. */
export function isRecovered(kind: FailureKind, choice: RecoveryChoice): boolean {
  if (kind === 'memory') return choice.memoryFactor !== null;
  if (kind === 'runtime') return choice.runtimeFactor !== null;
  return kind === 'lost' || choice.retriesUnknown;
}

/**
 * How the request of a job grows: as the first of its rules for such a failure says, else by the factor; never beyond a
 * `max`. More memory than was asked for may have been seen in use; a runtime ends at its limit.
 */
export function scaleOfRecovery(rules: readonly FailureRule[], failed: Failed, factor: number): Scale {
  const { cause, returnCode } = failed;
  const field: ScaledField = cause === null ? 'memory' : (exceededField(cause) ?? 'memory');
  const matching = rules.filter((rule) => cause !== null && matchesRule(rule, { returnCode, cause }));
  const own = matching.find(({ scale }) => scale?.[field] !== undefined)?.scale;
  const max = (own ?? matching.find(({ scale }) => scale?.max !== undefined)?.scale)?.max;
  const usual: Growth = field === 'memory' ? { peak: factor } : { factor };
  return { [field]: own?.[field] ?? usual, ...(max === undefined ? {} : { max }) };
}
