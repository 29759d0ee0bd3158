/** Who is told what: messages are written in the transaction that makes true what they say. */
import {
  mostToldJobs,
  type NotificationEvent,
  notificationEvents,
  type ToldFacts,
  type ToldJob,
} from '../../model/notification.ts';
import type { Transaction } from '../database/transaction.ts';
import { setDue } from '../running/due.ts';
import { countLeft } from '../running/losses.ts';
import { isAnyoneTold, rulesFor, type StoredRule } from '../running/notifications.ts';
import { closeDigests, failureMessages, growDigest, writeMessage } from '../running/outbox.ts';
import { getWorkflow, jobCounts, statusOf } from '../running/workflows.ts';

/** After its first message a rule tells of failed jobs at most this often: after a minute, then twice as long and so on. */
const firstPauseMs = 60_000;
const longestPauseMs = 3_600_000;

/** Tells the end of the present run. Only right after `flushCounts`. */
export function tellRunEnd(tx: Transaction, workflowKey: number, status: string): void {
  closeDigests(tx, workflowKey);
  const event = notificationEvents.find((word) => word === status);
  if (event !== undefined) tellOnce(tx, workflowKey, event);
}

function tellOnce(tx: Transaction, workflowKey: number, event: NotificationEvent): void {
  if (!isAnyoneTold(tx, workflowKey, event)) return;
  const facts = { ...workflowFacts(tx, workflowKey), event, ...concernedJobs(tx, workflowKey) };
  for (const rule of rulesFor(tx, workflowKey, event)) writeMessage(tx, workflowKey, rule, facts);
}

/**
 * Tells of jobs that have failed for good, the first time at once; not of those that run again since this very transaction.
 * Only right after `flushCounts`.
 */
export function tellFailures(tx: Transaction, workflowKey: number, jobKeys: readonly number[]): void {
  const rules = rulesFor(tx, workflowKey, 'job_failed');
  if (rules.length === 0) return;
  const failedKeys = jobKeys.filter((key) => tx.db.get('SELECT 1 FROM jobs WHERE job_key = ? AND failed = 1', key));
  if (failedKeys.length === 0) return;
  const known = { ...workflowFacts(tx, workflowKey), event: 'job_failed' as const };
  const failed = { ...known, jobs: toldJobs(tx, failedKeys.slice(0, mostToldJobs)), num_concerned: failedKeys.length };
  for (const rule of rules) tellFailed(tx, workflowKey, rule, failed);
}

function tellFailed(
  tx: Transaction,
  workflowKey: number,
  rule: StoredRule,
  facts: ToldFacts & { event: 'job_failed' },
): void {
  const { open, numClosed, lastAt } = failureMessages(tx, rule.notificationKey, facts.run_id);
  if (open !== null) {
    const jobs = [...open.facts.jobs, ...facts.jobs].slice(0, mostToldJobs);
    growDigest(tx, open, { ...facts, jobs, num_concerned: open.facts.num_concerned + facts.num_concerned });
    return;
  }
  const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (numClosed - 1));
  const nextAt = numClosed === 0 ? 0 : lastAt + pauseMs;
  writeMessage(tx, workflowKey, rule, facts, nextAt <= tx.now ? null : nextAt);
}

/** A minute, in which another worker may come or nodes may be requested. */
const waitingPatienceMs = 60_000;

/** A worker has left, or an allocation has changed: whether ready jobs wait for a worker now is looked at soon. */
export function watchForWaiting(tx: Transaction, workflowKey: number): void {
  if (!isAnyoneTold(tx, workflowKey, 'waiting')) return;
  setDue(tx, { kind: 'waiting', dueAt: tx.now + waitingPatienceMs, workflowKey, subjectKey: workflowKey });
}

/** Tells, once in a run, that ready jobs have no worker and that no allocation is on its way. */
export function tellWaiting(tx: Transaction, workflowKey: number): void {
  tx.flushCounts();
  if (statusOf(tx, getWorkflow(tx, workflowKey)) !== 'waiting') return;
  const open = `SELECT 1 FROM allocations WHERE workflow_key = ? AND status IN ('recorded', 'submitted', 'running') LIMIT 1`;
  if (tx.db.get(open, workflowKey) === undefined) tellOnce(tx, workflowKey, 'waiting');
}

/** What a message says about the workflow as a whole. Only right after `flushCounts`. */
export function workflowFacts(
  tx: Transaction,
  workflowKey: number,
): Omit<ToldFacts, 'event' | 'jobs' | 'num_concerned'> {
  const workflow = getWorkflow(tx, workflowKey);
  const row = tx.db.get<{ user: string; started_at: number | null }>(
    'SELECT user, started_at FROM workflows WHERE workflow_key = ?',
    workflowKey,
  );
  const counts = jobCounts(tx, workflowKey);
  const lost = countLeft(tx, workflowKey);
  const unfinished = counts.uninitialized + counts.blocked + counts.ready + counts.submitted_pending + counts.submitted;
  return {
    workflow_key: String(workflowKey),
    name: workflow.name,
    user: row?.user ?? '',
    run_id: workflow.runId,
    status: statusOf(tx, workflow),
    counts: {
      jobs: unfinished + counts.done + counts.canceled + counts.terminated + counts.disabled,
      succeeded: counts.done - counts.failed,
      failed: counts.failed,
      canceled: counts.canceled,
      terminated: counts.terminated,
      lost,
      unfinished: unfinished - lost,
    },
    cut_off_by: workflow.hasTimedOut ? 'timeout' : workflow.hasFailedOut ? 'max_failures' : null,
    started_at: row?.started_at ?? null,
    told_at: tx.now,
  };
}

const concerned = `FROM jobs j LEFT JOIN attempts a ON a.attempt_key = j.attempt_key
  LEFT JOIN orphans o ON o.attempt_key = a.attempt_key AND o.is_left = 1
  WHERE j.workflow_key = ? AND (j.failed = 1 OR j.status = 'terminated' OR o.attempt_key IS NOT NULL)`;

/** The first jobs that failed, were terminated or lost. */
function concernedJobs(tx: Transaction, workflowKey: number): Pick<ToldFacts, 'jobs' | 'num_concerned'> {
  const num_concerned = tx.db.get<{ n: number }>(`SELECT count(*) AS n ${concerned}`, workflowKey)?.n ?? 0;
  if (num_concerned === 0) return { jobs: [], num_concerned };
  const first = tx.db.all<{ job_key: number }>(
    `SELECT j.job_key ${concerned} ORDER BY a.ended_at IS NULL, a.ended_at, j.job_key LIMIT ?`,
    workflowKey,
    mostToldJobs,
  );
  const keys = first.map(({ job_key }) => job_key);
  return { jobs: toldJobs(tx, keys), num_concerned };
}

interface ToldJobRow {
  job_key: number;
  name: string;
  status: string;
  is_lost: number;
  cause: string | null;
  return_code: number | null;
  attempt_id: number | null;
  log_kind: string | null;
}

function toldJobs(tx: Transaction, jobKeys: readonly number[]): ToldJob[] {
  const sql = `SELECT j.job_key, j.name, j.status, o.is_left IS 1 AS is_lost, coalesce(a.cause, a.lost_cause) AS cause,
      a.return_code, a.attempt_id, a.log_kind
    FROM jobs j LEFT JOIN attempts a ON a.attempt_key = j.attempt_key
    LEFT JOIN orphans o ON o.attempt_key = a.attempt_key AND o.is_left = 1 WHERE j.job_key = ?`;
  return jobKeys.flatMap((jobKey) => {
    const row = tx.db.get<ToldJobRow>(sql, jobKey);
    if (row === undefined) return [];
    const { job_key, is_lost, log_kind, status, ...rest } = row;
    const told = { ...rest, job_key: String(job_key), status: is_lost === 1 ? 'lost' : status };
    return [{ ...told, has_log: row.attempt_id !== null && log_kind !== 'none' && log_kind !== 'empty' }];
  });
}
