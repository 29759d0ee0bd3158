/** Failed and lost jobs before a recovery: which of them come back, and the larger requests of those that need them. */
import type { Recovered, Request } from '../../api/contract.ts';
import {
  type Failed,
  type FailureKind,
  failureKind,
  failureKinds,
  isRecovered,
  type RecoveryChoice,
  scaleOfRecovery,
} from '../../model/decide/recovery.ts';
import { aims, type JobAims, statusCode } from '../../model/decide/restart.ts';
import type { FailureRule } from '../../model/retry.ts';
import type { Transaction } from '../database/transaction.ts';
import { failureRulesOf } from '../running/retries.ts';
import { type Growth, grow, growthOf } from '../running/scaling.ts';
import { getWorkflow } from '../running/workflows.ts';
import type { StoredJobs } from './restart.ts';

/** What a recovery makes of the jobs, by their numbers. */
export interface RecoveredJobs {
  /** Failed jobs that run again. */
  again: ReadonlySet<number>;
  /** Lost jobs that stay so: with the same request they would take down the next node. */
  leftLost: readonly number[];
  staysCanceled: readonly number[];
  /** Why jobs come back, where their request grows. */
  whyAgain: ReadonlyMap<number, string>;
  /** Why jobs stay as they are, beyond how they failed. */
  notes: ReadonlyMap<number, string>;
  report: Pick<Recovered, 'groups' | 'scaled' | 'num_scaled'>;
}

/** At most this many scaled jobs are listed. */
const mostScaled = 1000;

interface FailedJob extends Failed {
  job: number;
  jobKey: number;
  jobName: string;
  failureHandlerKey: number | null;
  attemptKey: number | null;
}

/** Gives jobs that ran out of memory or time their larger requests; moves none. */
export function recoverJobs(
  tx: Transaction,
  jobs: StoredJobs,
  { memory_factor, runtime_factor, retry_unknown }: NonNullable<Request<'workflow_restart'>['recover']>,
): RecoveredJobs {
  const choice = { memoryFactor: memory_factor, runtimeFactor: runtime_factor, retriesUnknown: retry_unknown };
  const counts = new Map<FailureKind, { all: number; back: number }>();
  const again = new Set<number>();
  const leftLost: number[] = [];
  const whyAgain = new Map<number, string>();
  const notes = new Map<number, string>();
  const scaled: Recovered['scaled'] = [];
  let numScaled = 0;
  const rulesOf = rulesByHandler(tx);
  for (const failed of failedJobs(tx, jobs)) {
    const kind = failureKind(failed);
    const growth = isRecovered(kind, choice) ? growthFor(tx, jobs, failed, { kind, choice, rulesOf }) : null;
    const isBack = isRecovered(kind, choice) && growth?.kind !== 'capped' && growth?.kind !== 'unknown';
    const count = counts.get(kind) ?? { all: 0, back: 0 };
    counts.set(kind, { all: count.all + 1, back: count.back + (isBack ? 1 : 0) });
    const { job, jobKey, jobName, attemptKey } = failed;
    if (isBack && !failed.isLost) again.add(job);
    if (!isBack && failed.isLost) leftLost.push(job);
    const note = isBack ? null : noteFor(failed, kind, growth);
    if (note !== null) notes.set(job, note);
    if (growth?.kind !== 'scaled' || attemptKey === null) continue;
    grow(tx, { jobKey, workflowKey: jobs.workflowKey }, attemptKey, growth);
    whyAgain.set(job, `${wordsOf[kind]}: ${growth.data.why}`);
    numScaled += 1;
    if (scaled.length < mostScaled) scaled.push({ job_key: String(jobKey), job_name: jobName, ...growth.data });
  }
  const groups = failureKinds.flatMap((kind) => {
    const { all = 0, back = 0 } = counts.get(kind) ?? {};
    const factor = kind === 'memory' ? memory_factor : kind === 'runtime' ? runtime_factor : null;
    return all === 0 ? [] : [{ kind, num_jobs: all, num_recovered: back, factor }];
  });
  const staysCanceled = canceledByPerson(tx, jobs);
  for (const job of staysCanceled) notes.set(job, 'was canceled');
  return { again, leftLost, staysCanceled, whyAgain, notes, report: { groups, scaled, num_scaled: numScaled } };
}

/** Takes what a person canceled out of the plan of a restart. */
export function keepCanceled({ aim, reason }: JobAims, { staysCanceled }: RecoveredJobs): void {
  for (const job of staysCanceled) {
    aim[job] = aims.keep;
    reason[job] = 0;
  }
}

const wordsOf: Readonly<Record<FailureKind, string>> = {
  memory: 'out of memory',
  runtime: 'out of time',
  lost: 'lost',
  other: 'failed',
};

function noteFor({ isLost }: FailedJob, kind: FailureKind, growth: Growth | null): string | null {
  if (growth?.kind === 'capped') return `${wordsOf[kind]}: ${growth.data.why}`;
  if (growth?.kind === 'unknown') return `${wordsOf[kind]}: it states no ${kind}, and it is not known how much it used`;
  return isLost ? `lost: ${wordsOf[kind]}` : null;
}

interface Scaling {
  kind: FailureKind;
  choice: RecoveryChoice;
  rulesOf: (failureHandlerKey: number | null) => readonly FailureRule[];
}

/** Null where it does not matter what the job asked for. */
function growthFor(
  tx: Transaction,
  { workflowKey }: StoredJobs,
  failed: FailedJob,
  { kind, choice, rulesOf }: Scaling,
): Growth | null {
  const factor = kind === 'memory' ? choice.memoryFactor : kind === 'runtime' ? choice.runtimeFactor : null;
  const { jobKey, attemptKey, cause, failureHandlerKey } = failed;
  if (factor === null || cause === null || attemptKey === null) return null;
  const scale = scaleOfRecovery(rulesOf(failureHandlerKey), failed, factor);
  return growthOf(tx, { jobKey, workflowKey }, { attemptKey, cause, scale });
}

function rulesByHandler(tx: Transaction): Scaling['rulesOf'] {
  const known = new Map<number, FailureRule[]>();
  return (key) => {
    if (key === null) return [];
    const rules = known.get(key) ?? failureRulesOf(tx, key);
    known.set(key, rules);
    return rules;
  };
}

interface FailedRow {
  job_key: number;
  name: string;
  status: string;
  failure_handler_key: number | null;
  attempt_key: number | null;
  return_code: number | null;
  cause: Failed['cause'];
  role: Failed['role'];
}

/** Those with a failed result, those that a worker stopped with its allocation, and those without any result. */
function failedJobs(tx: Transaction, jobs: StoredJobs): FailedJob[] {
  const { workflowKey } = jobs;
  const columns = 'j.job_key, j.name, j.status, j.failure_handler_key, a.attempt_key, a.return_code';
  return tx.db
    .all<FailedRow>(
      `SELECT ${columns}, a.cause, NULL AS role FROM jobs j LEFT JOIN attempts a ON a.attempt_key = j.attempt_key
         WHERE j.workflow_key = ? AND (j.failed = 1 OR j.status = 'terminated')
       UNION ALL SELECT ${columns}, a.lost_cause, json_extract(a.diagnosis, '$.role') FROM orphans o
         JOIN attempts a ON a.attempt_key = o.attempt_key JOIN jobs j ON j.job_key = a.job_key WHERE o.workflow_key = ?
       ORDER BY 1`,
      workflowKey,
      workflowKey,
    )
    .map((row) => ({
      job: jobs.numberOf(row.job_key) as number,
      jobKey: row.job_key,
      jobName: row.name,
      failureHandlerKey: row.failure_handler_key,
      attemptKey: row.attempt_key,
      returnCode: row.return_code,
      cause: row.cause,
      isLost: jobs.failed[jobs.numberOf(row.job_key) as number] === 0,
      role: row.role,
    }));
}

/** Not those that were canceled because something else failed. */
function canceledByPerson(tx: Transaction, jobs: StoredJobs): number[] {
  if (getWorkflow(tx, jobs.workflowKey).hasFailedOut) return [];
  return tx.db
    .all<{ job_key: number }>(
      `SELECT job_key FROM jobs WHERE workflow_key = ? AND status = 'canceled' AND failed_upstream_key IS NULL`,
      jobs.workflowKey,
    )
    .map(({ job_key }) => jobs.numberOf(job_key) as number)
    .filter((job) => jobs.status[job] === statusCode.canceled);
}
