/** What follows a failure: whether a job is tried again, by the rules of its failure handler. */
import type { Scale } from './scale.ts';
import type { Cause } from './status.ts';

/** The causes that a rule can name. `walltime`: torc stopped the job because its allocation ended. */
export const retryCauses = ['oom', 'job_timeout', 'walltime', 'signal', 'missing_output'] as const satisfies Cause[];
export type RetryCause = (typeof retryCauses)[number];

export interface FailureRule {
  /** From 1 to 255. */
  exitCodes: readonly number[];
  matchAllExitCodes: boolean;
  /** A failure by one of these matches too, whatever its return code. */
  causes: readonly RetryCause[];
  /** Shell text that must succeed before the next attempt starts. */
  recoveryScript: string | null;
  /** Further attempts after the first. */
  maxRetries: number;
  /** How long the next attempt waits; 0 for not at all. */
  retryDelayMs: number;
  /** From 1: by how much each further retry of the job waits longer than the one before. */
  retryBackoff: number;
  /** No retry waits longer than this. */
  retryMaxDelayMs: number;
  /** How the request of the job grows before the next attempt; undefined for not at all. */
  scale?: Scale;
}

const dayMs = 86_400_000;

/** The longest wait of a rule that does not give one: a day, or the first delay when that is longer. */
export function defaultMaxDelayMs(retryDelayMs: number): number {
  return Math.max(dayMs, retryDelayMs);
}

/** How an attempt failed; it has no return code when torc stopped it. */
export interface Failure {
  returnCode: number | null;
  cause: Cause;
}

/**
 * The number of the rule by which a failed job is tried again, or null when its failure is final. The first rule that
 * matches the return code or the cause decides, whether or not a later one would allow more. `numRetries` counts all
 * rules together.
 */
export function ruleForRetry(rules: readonly FailureRule[], failure: Failure, numRetries: number): number | null {
  const number = rules.findIndex((rule) => matchesRule(rule, failure));
  const rule = rules[number];
  return rule !== undefined && numRetries < rule.maxRetries ? number : null;
}

/** Whether the rule is about such a failure. */
export function matchesRule(rule: FailureRule, { returnCode, cause }: Failure): boolean {
  if (rule.causes.some((named) => named === cause)) return true;
  return returnCode !== null && (rule.matchAllExitCodes || rule.exitCodes.includes(returnCode));
}

/** How long a job waits for its next attempt after this number of retries, in milliseconds. */
export function retryDelayMs(rule: FailureRule, numRetries: number): number {
  // what grows beyond all numbers is cut as well
  return Math.round(Math.min(rule.retryDelayMs * rule.retryBackoff ** numRetries, rule.retryMaxDelayMs)) || 0;
}
