/** Another attempt for a failed job, by its failure handler: decided where the failure is recorded. */
import type { Recovery, Request } from '../../api/contract.ts';
import { isoInstant } from '../../base/clock.ts';
import { defaultMaxDelayMs, type Failure, type FailureRule, retryDelayMs, ruleForRetry } from '../../model/retry.ts';
import type { Transaction } from '../database/transaction.ts';
import { giveBack, hasFailedUpstream } from './completion.ts';
import { holdJob } from './holds.ts';
import { scaleJob } from './scaling.ts';
import type { JobState } from './transitions.ts';

type StoredRule = Request<'workflow_create_begin'>['failure_handlers'][number]['rules'][number];

/** Stores the failure handlers of a new workflow, in order. */
export function storeFailureHandlers(
  tx: Transaction,
  workflowKey: number,
  handlers: Request<'workflow_create_begin'>['failure_handlers'],
): void {
  for (const { name, rules, is_plain = false } of handlers) {
    tx.db.run(
      'INSERT INTO failure_handlers (workflow_key, name, rules, is_plain) VALUES (?, ?, ?, ?)',
      workflowKey,
      name,
      JSON.stringify(rules),
      is_plain ? 1 : 0,
    );
  }
}

/** The failure handlers of a workflow as they were stored, in order. */
export function failureHandlers(
  tx: Transaction,
  workflowKey: number,
): Request<'workflow_create_begin'>['failure_handlers'] {
  return tx.db
    .all<{ name: string; rules: string; is_plain: number }>(
      'SELECT name, rules, is_plain FROM failure_handlers WHERE workflow_key = ? ORDER BY failure_handler_key',
      workflowKey,
    )
    .map((row) => ({
      name: row.name,
      rules: JSON.parse(row.rules) as StoredRule[],
      ...(row.is_plain === 1 ? { is_plain: true } : {}),
    }));
}

function failureRule(rule: StoredRule): FailureRule {
  return {
    exitCodes: rule.exit_codes,
    matchAllExitCodes: rule.match_all_exit_codes,
    causes: rule.causes ?? [],
    recoveryScript: rule.recovery_script,
    maxRetries: rule.max_retries,
    retryDelayMs: rule.retry_delay_ms ?? 0,
    retryBackoff: rule.retry_backoff ?? 1,
    retryMaxDelayMs: rule.retry_max_delay_ms ?? defaultMaxDelayMs(rule.retry_delay_ms ?? 0),
    ...(rule.scale === undefined ? {} : { scale: rule.scale }),
  };
}

/** The rules of a failure handler. */
export function failureRulesOf(tx: Transaction, failureHandlerKey: number): FailureRule[] {
  const sql = 'SELECT rules FROM failure_handlers WHERE failure_handler_key = ?';
  const rules = tx.db.get<{ rules: string }>(sql, failureHandlerKey)?.rules;
  return rules === undefined ? [] : (JSON.parse(rules) as StoredRule[]).map(failureRule);
}

export interface AttemptFailure extends Failure {
  attemptKey: number;
  /** It is tried again only with a larger request. */
  isOnlyScaled?: boolean;
}

/**
 * Makes a job whose attempt just failed ready again, at once or after the delay of the rule, when its failure handler
 * allows it; returns whether it did. The result of the attempt is already stored and stays. A job of a canceled
 * workflow, or of a run with too many failures, is not retried; nor is one that ran out of what cannot grow further, nor
 * one that a restart kept while an upstream job ran again and failed.
 */
export function retryFailed(tx: Transaction, job: JobState, failure: AttemptFailure): boolean {
  const row = tx.db.get<{ name: string; rules: string; num_retries: number; is_over: number }>(
    `SELECT h.name, h.rules, j.num_retries, w.is_canceled OR w.has_failed_out AS is_over FROM jobs j
     JOIN failure_handlers h ON h.failure_handler_key = j.failure_handler_key
     JOIN workflows w ON w.workflow_key = j.workflow_key WHERE j.job_key = ?`,
    job.jobKey,
  );
  if (row === undefined || row.is_over === 1 || hasFailedUpstream(tx, job.jobKey)) return false;
  const rules = (JSON.parse(row.rules) as StoredRule[]).map(failureRule);
  const numRetries = row.num_retries;
  const number = ruleForRetry(rules, failure, numRetries);
  const rule = number === null ? undefined : rules[number];
  if (number === null || rule === undefined) return false;
  const { attemptKey, returnCode, cause, isOnlyScaled = false } = failure;
  const growth = rule.scale === undefined ? 'same' : scaleJob(tx, job, { attemptKey, cause, scale: rule.scale });
  if (growth === 'capped' || (isOnlyScaled && growth === 'same')) return false;
  const hasScript = rule.recoveryScript !== null;
  tx.db.run(
    'UPDATE jobs SET num_retries = num_retries + 1, recovery_attempt_key = ?, recovery_rule = ? WHERE job_key = ?',
    hasScript ? attemptKey : null,
    hasScript ? number : null,
    job.jobKey,
  );
  const delayMs = retryDelayMs(rule, numRetries);
  if (delayMs > 0) holdJob(tx, job, 'retry', tx.now + delayMs);
  giveBack(tx, job, { by: 'retry', attemptKey });
  tx.event({
    workflowKey: job.workflowKey,
    type: 'job_retried',
    jobKey: job.jobKey,
    attemptKey,
    data: {
      failure_handler: row.name,
      rule: number + 1,
      attempt_id: tx.db.get('SELECT attempt_id FROM attempts WHERE attempt_key = ?', attemptKey)?.attempt_id,
      return_code: returnCode,
      cause,
      retries_left: rule.maxRetries - numRetries - 1,
      ...(delayMs > 0 ? { delay_seconds: delayMs / 1000, not_before: isoInstant(tx.now + delayMs) } : {}),
    },
  });
  return true;
}

/** The recovery script of a job has done its work, or is no longer needed. */
export function forgetRecovery(tx: Transaction, jobKey: number): void {
  tx.db.run('UPDATE jobs SET recovery_attempt_key = NULL, recovery_rule = NULL WHERE job_key = ?', jobKey);
}

/**
 * Gives all jobs their full number of retries for a new run. Claimed jobs keep their recovery script, and with
 * `onlyUninitialized` so do those that wait for their next attempt.
 */
export function forgetRetries(tx: Transaction, workflowKey: number, onlyUninitialized: boolean): void {
  // the condition of the index jobs_retried, so that jobs that never failed are not looked at
  const retried = 'workflow_key = ? AND (num_retries > 0 OR recovery_attempt_key IS NOT NULL)';
  if (!onlyUninitialized) {
    tx.db.run(
      `UPDATE jobs SET recovery_attempt_key = NULL, recovery_rule = NULL
       WHERE ${retried} AND status NOT IN ('submitted_pending', 'submitted')`,
      workflowKey,
    );
  }
  tx.db.run(`UPDATE jobs SET num_retries = 0 WHERE ${retried}`, workflowKey);
}

/**
 * The recovery script that runs before the next attempt of a job, also after attempts that did not end by themselves.
 */
export function recoveryOf(tx: Transaction, jobKey: number): Recovery | null {
  const row = tx.db.get<{
    rules: string;
    recovery_rule: number;
    run_id: number;
    attempt_id: number;
    return_code: number | null;
    cause: string;
  }>(
    `SELECT h.rules, j.recovery_rule, a.run_id, a.attempt_id, a.return_code, a.cause FROM jobs j
     JOIN attempts a ON a.attempt_key = j.recovery_attempt_key
     JOIN failure_handlers h ON h.failure_handler_key = j.failure_handler_key WHERE j.job_key = ?`,
    jobKey,
  );
  if (row === undefined) return null;
  const rule = (JSON.parse(row.rules) as StoredRule[])[row.recovery_rule];
  return {
    script: rule?.recovery_script ?? '',
    run_id: row.run_id,
    attempt_id: row.attempt_id,
    return_code: row.return_code,
    cause: row.cause,
  };
}
