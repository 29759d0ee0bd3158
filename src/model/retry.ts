/** What follows a failure: whether a job is tried again, by the rules of its failure handler. */

export interface FailureRule {
  /** From 1 to 255. */
  exitCodes: readonly number[];
  matchAllExitCodes: boolean;
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
}

const dayMs = 86_400_000;

/** The longest wait of a rule that does not give one: a day, or the first delay when that is longer. */
export function defaultMaxDelayMs(retryDelayMs: number): number {
  return Math.max(dayMs, retryDelayMs);
}

/**
 * The number of the rule by which a failed job is tried again, or null when its failure is final. The first rule that
 * matches the return code decides, whether or not a later one would allow more. `numRetries` counts all rules together.
 */
export function ruleForRetry(rules: readonly FailureRule[], returnCode: number, numRetries: number): number | null {
  const number = rules.findIndex((rule) => rule.matchAllExitCodes || rule.exitCodes.includes(returnCode));
  const rule = rules[number];
  return rule !== undefined && numRetries < rule.maxRetries ? number : null;
}

/** How long a job waits for its next attempt after this number of retries, in milliseconds. */
export function retryDelayMs(rule: FailureRule, numRetries: number): number {
  // what grows beyond all numbers is cut as well
  return Math.round(Math.min(rule.retryDelayMs * rule.retryBackoff ** numRetries, rule.retryMaxDelayMs)) || 0;
}
