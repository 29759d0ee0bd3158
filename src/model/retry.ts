/** What follows a failure: whether a job is tried again, by the rules of its failure handler. */

export interface FailureRule {
  /** From 1 to 255. */
  exitCodes: readonly number[];
  matchAllExitCodes: boolean;
  /** Shell text that must have succeeded before the next attempt begins. */
  recoveryScript: string | null;
  /** Further attempts after the first. */
  maxRetries: number;
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
