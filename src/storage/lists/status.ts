/** How workflows stand: only from stored counts and indexes, so that a million jobs cost no more than ten. */
import type { FailureGroup, Reply, Request, StatusLine } from '../../api/contract.ts';
import { isoInstant } from '../../base/clock.ts';
import type { CutOff, JobCounts, WorkflowStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { heldBack } from '../demand/held-back.ts';
import { countActiveComputeNodes } from '../running/active-compute-nodes.ts';
import { countLeft } from '../running/losses.ts';
import { findRecovery } from '../running/recoveries.ts';
import { getWorkflow, jobCounts, statusOf, type Workflow } from '../running/workflows.ts';
import { recentPace } from './pace.ts';

/** Jobs that are named for each group of failures. */
const namedJobs = 100;
const mostGroups = 100;
const mostWorkers = 100;
/** A worker reports within seconds of the start of its allocation, on a slow file system within a minute. */
const silentStartMs = 3 * 60_000;
const mostSilentStarts = 20;

/** `isServed`: whether this process answers workers. Throws TorcError 'not_found' for an unknown key. */
export function readStatus(
  tx: Transaction,
  { workflow_keys, user, limit }: Pick<Request<'status'>, 'workflow_keys' | 'user' | 'limit'>,
  isServed: boolean,
): Omit<Reply<'status'>, 'cannot_write'> {
  const keys = workflow_keys === null ? newestWorkflows(tx, user, limit + 1) : workflow_keys.map(Number);
  const workflows = keys.slice(0, limit).map((key) => statusLine(tx, key, isServed));
  return { state: stateOf(tx, workflow_keys), is_served: isServed, workflows, more: keys.length > limit };
}

function newestWorkflows(tx: Transaction, user: string | null, limit: number): number[] {
  return tx.db
    .all<{ key: number }>(
      `SELECT workflow_key AS key FROM workflows WHERE phase IN ('created', 'starting', 'started') AND is_archived = 0
         AND user = coalesce(?, user)
       ORDER BY workflow_key DESC LIMIT ?`,
      user,
      limit,
    )
    .map(({ key }) => key);
}

/** Changes with every event of the workflows, or of all. */
export function stateOf(tx: Transaction, workflowKeys: readonly string[] | null): string {
  const newest = 'SELECT max(event_key) AS n FROM events';
  if (workflowKeys === null) return String(tx.db.get<{ n: number | null }>(newest)?.n ?? 0);
  return workflowKeys
    .map((key) => tx.db.get<{ n: number | null }>(`${newest} WHERE workflow_key = ?`, Number(key))?.n ?? 0)
    .join(' ');
}

const endedStatuses: readonly WorkflowStatus[] = ['done', 'failed', 'canceled', 'timeout'];

interface WorkflowRow {
  user: string;
  started_at: number | null;
  ended_at: number | null;
}

function statusLine(tx: Transaction, workflowKey: number, isServed: boolean): StatusLine {
  const workflow = getWorkflow(tx, workflowKey);
  const row = tx.db.get<WorkflowRow>(
    'SELECT user, started_at, ended_at FROM workflows WHERE workflow_key = ?',
    workflowKey,
  ) as WorkflowRow;
  const counts = jobCounts(tx, workflowKey);
  const numLost = countLeft(tx, workflowKey);
  const status = statusOf(tx, workflow);
  const recoversAt = findRecovery(tx, workflowKey)?.nextAt ?? null;
  const hasEnded = endedStatuses.includes(status) && recoversAt === null;
  const pace = hasEnded || row.started_at === null ? null : recentPace(tx, workflowKey, row.started_at);
  const allocations = countAllocations(tx, workflowKey);
  const of = (...statuses: string[]): number =>
    allocations.reduce((sum, each) => sum + (statuses.includes(each.status) ? each.num_allocations : 0), 0);
  return {
    workflow_key: String(workflowKey),
    name: workflow.name,
    user: row.user,
    run_id: workflow.runId,
    status,
    has_ended: hasEnded,
    cut_off_by: cutOffBy(workflow),
    is_paused: workflow.pausedAt !== null,
    ...countsOf(counts, numLost),
    num_active_workers: countActiveComputeNodes(tx, workflowKey),
    num_queued_allocations: of('recorded', 'submitted'),
    num_running_allocations: of('running'),
    started_at: isoInstant(row.started_at),
    ended_at: isoInstant(row.ended_at),
    recovers_at: isoInstant(recoversAt),
    jobs_per_second: pace,
    eta_seconds: status === 'running' && pace !== null ? numLeft(counts, numLost) / pace : null,
    held_back: hasEnded && counts.uninitialized === 0 ? [] : heldBack(tx, workflowKey, counts, isServed),
  };
}

function cutOffBy({ hasTimedOut, hasFailedOut }: Workflow): CutOff | null {
  return hasTimedOut ? 'timeout' : hasFailedOut ? 'max_failures' : null;
}

function countsOf(counts: JobCounts, numLost: number) {
  const { failed, submitted, submitted_pending, ...others } = counts;
  const num_jobs = Object.values(others).reduce((sum, n) => sum + n, submitted + submitted_pending);
  return {
    num_jobs,
    num_done: counts.done,
    num_failed: failed,
    num_canceled: counts.canceled,
    num_terminated: counts.terminated,
    num_disabled: counts.disabled,
    num_running: submitted + submitted_pending - numLost,
    num_ready: counts.ready,
    num_blocked: counts.blocked,
    num_uninitialized: counts.uninitialized,
    num_lost: numLost,
  };
}

/** Jobs of the run that have still to end. */
function numLeft({ ready, blocked, submitted, submitted_pending }: JobCounts, numLost: number): number {
  return ready + blocked + submitted + submitted_pending - numLost;
}

type CountedAllocations = Reply<'workflow_status'>['allocations'];

function countAllocations(tx: Transaction, workflowKey: number): CountedAllocations {
  return tx.db.all<CountedAllocations[number]>(
    `SELECT status, count(*) AS num_allocations, max(slurm_reason) AS slurm_reason,
       count(iif(status = 'submitted', evidence ->> '$.runningSinceMs', NULL)) AS num_without_worker FROM allocations
     WHERE workflow_key = ? GROUP BY status ORDER BY min(allocation_key)`,
    workflowKey,
  );
}

/** Throws TorcError 'not_found'. */
export function readWorkflowStatus(
  tx: Transaction,
  workflowKey: number,
  isServed: boolean,
): Omit<Reply<'workflow_status'>, 'autoscaler' | 'cannot_write'> {
  const workflow = statusLine(tx, workflowKey, isServed);
  return {
    is_served: isServed,
    workflow,
    failures: [...lostJobs(tx, workflowKey, workflow.num_lost), ...failedJobs(tx, workflowKey, workflow.num_failed)],
    workers: workersOf(tx, workflowKey),
    allocations: countAllocations(tx, workflowKey),
    allocations_without_worker: silentStarts(tx, workflowKey),
  };
}

/** A worker that registers makes its allocation `running`, whatever Slurm has said before. */
function silentStarts(tx: Transaction, workflowKey: number): Reply<'workflow_status'>['allocations_without_worker'] {
  return tx.db
    .all<{ key: number; name: string; slurm_job_id: string; started_at: number }>(
      `SELECT allocation_key AS key, name, slurm_job_id, evidence ->> '$.runningSinceMs' AS started_at FROM allocations
       WHERE workflow_key = ? AND status = 'submitted' AND slurm_job_id IS NOT NULL
         AND evidence ->> '$.runningSinceMs' <= ?
       ORDER BY allocation_key LIMIT ?`,
      workflowKey,
      tx.now - silentStartMs,
      mostSilentStarts,
    )
    .map(({ key, name, slurm_job_id, started_at }) => {
      return { allocation_key: String(key), name, slurm_job_id, running_since: isoInstant(started_at) ?? '' };
    });
}

function failedJobs(tx: Transaction, workflowKey: number, numFailed: number): FailureGroup[] {
  if (numFailed === 0) return [];
  const groups = tx.db.all<{ failure: string | null; n: number }>(
    `SELECT failure, count(*) AS n FROM jobs INDEXED BY jobs_failed WHERE workflow_key = ? AND failed = 1
     GROUP BY failure ORDER BY n DESC LIMIT ?`,
    workflowKey,
    mostGroups,
  );
  return groups.map(({ failure, n }) => {
    const [cause = '', code = ''] = (failure ?? '').split(' ');
    const first = tx.db.all<{ job_key: number }>(
      `SELECT job_key FROM jobs INDEXED BY jobs_failed WHERE workflow_key = ? AND failed = 1 AND failure IS ?
       ORDER BY job_key LIMIT ?`,
      workflowKey,
      failure,
      namedJobs,
    );
    return {
      cause: cause === '' ? null : cause,
      return_code: code === '' ? null : Number(code),
      num_jobs: n,
      first_job_keys: first.map(({ job_key }) => String(job_key)),
    };
  });
}

function lostJobs(tx: Transaction, workflowKey: number, numLost: number): FailureGroup[] {
  if (numLost === 0) return [];
  const first = tx.db.all<{ job_key: number }>(
    `SELECT a.job_key FROM orphans o JOIN attempts a ON a.attempt_key = o.attempt_key
     WHERE o.workflow_key = ? AND o.is_left = 1 ORDER BY o.attempt_key LIMIT ?`,
    workflowKey,
    namedJobs,
  );
  const first_job_keys = first.map(({ job_key }) => String(job_key));
  return [{ cause: null, return_code: null, num_jobs: numLost, first_job_keys }];
}

function workersOf(tx: Transaction, workflowKey: number): Reply<'workflow_status'>['workers'] {
  return tx.db
    .all<{ key: number; hostname: string; slurm_job_id: string | null; n: number; silent: number }>(
      `SELECT n.compute_node_key AS key, n.hostname, n.slurm_job_id, n.contact_lost_at IS NOT NULL AS silent,
         (SELECT count(*) FROM attempts a WHERE a.compute_node_key = n.compute_node_key AND a.is_occupying = 1) AS n
       FROM compute_nodes n WHERE n.workflow_key = ? AND n.is_active = 1 ORDER BY n.compute_node_key LIMIT ?`,
      workflowKey,
      mostWorkers,
    )
    .map(({ key, hostname, slurm_job_id, n, silent }) => {
      return { compute_node_key: String(key), hostname, slurm_job_id, num_jobs: n, is_silent: silent === 1 };
    });
}
