/**
 * What the end of a job does to its downstream jobs, in the transaction that records the end.
 *
 * Two signals travel along the edges. `end`: nothing waits for the upstream any more. `fail`: it ended without success.
 * A job sends both at once. A barrier passes `fail` on at its first failed upstream and `end` when the last one has
 * ended, so that everything downstream is canceled at once although other upstreams still run. A worklist, not
 * recursion: each edge is walked at most once for each signal. First in, first out: `end` must not overtake a barrier's
 * `fail`, or jobs behind the barrier would be unblocked.
 */
import type { JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { jobsListed, moveIdleJobs } from './idle-moves.ts';
import { type JobState, type Move, moveJob } from './transitions.ts';

interface Signal {
  /** job_key, or minus barrier_key. */
  node: number;
  end: boolean;
  fail: boolean;
  /** The job whose failure started this. */
  failedJobKey: number | null;
}

interface DownstreamJob {
  job_key: number;
  workflow_key: number;
  status: JobStatus;
  failed: number;
  num_blockers: number;
  cancel_on_blocking_job_failure: number;
}

/**
 * Unblocks or cancels the downstream jobs of `jobKey`, which has ended, transitively. `culprit`: the job whose failure this
 * was, if not its own.
 */
export function propagateEnd(tx: Transaction, jobKey: number, failed: boolean, culprit: number | null = null): void {
  const work: Signal[] = [{ node: jobKey, end: true, fail: failed, failedJobKey: failed ? (culprit ?? jobKey) : null }];
  // grows while it is walked
  for (const signal of work) {
    const downstream = tx.db.column<number>('SELECT downstream FROM edges WHERE upstream = ?', signal.node);
    if (downstream.length >= many) {
      const jobs = downstream.filter((node) => node > 0);
      for (let at = 0; at < jobs.length; at += mostTogether) {
        for (const next of signalJobs(tx, jobs.slice(at, at + mostTogether), signal)) work.push(next);
      }
    }
    for (const node of downstream) {
      if (node > 0 && downstream.length >= many) continue;
      const next = node > 0 ? signalJob(tx, node, signal) : signalBarrier(tx, -node, signal);
      if (next !== null) work.push(next);
    }
  }
}

/** The same for jobs that ended with success; most jobs have no downstream ones. */
export function propagateSuccesses(tx: Transaction, jobKeys: readonly number[]): void {
  for (const jobKey of withDownstream(tx, jobKeys)) propagateEnd(tx, jobKey, false);
}

/** Those of the nodes that others wait for, in the same order. */
function withDownstream(tx: Transaction, nodes: readonly number[]): number[] {
  return tx.db.column<number>(
    'SELECT k.value FROM json_each(?) k WHERE EXISTS (SELECT 1 FROM edges e WHERE e.upstream = k.value) ORDER BY k.key',
    JSON.stringify(nodes),
  );
}

/** From this many downstream nodes on, jobs move together, which takes a few statements instead of some for each. */
const many = 32;
/** How many jobs one statement takes. */
const mostTogether = 50_000;

/** As `signalJob` for each of these jobs of one workflow; returns the signals of those that are canceled and have downstream jobs. */
function signalJobs(tx: Transaction, jobKeys: readonly number[], { end, fail, failedJobKey }: Signal): Signal[] {
  const keys = JSON.stringify(jobKeys);
  const [first] = tx.db.column<number>('SELECT workflow_key FROM jobs WHERE job_key = ?', jobKeys[0]);
  if (first === undefined) return [];
  const workflowKey = first;
  tx.db.run(
    `UPDATE jobs SET num_blockers = num_blockers - ?, num_failed_upstreams = num_failed_upstreams + ?
     WHERE job_key IN (SELECT value FROM json_each(?))`,
    end ? 1 : 0,
    fail ? 1 : 0,
    keys,
  );
  const blocked = (condition: string): number[] =>
    tx.db.column(
      `SELECT j.job_key FROM ${jobsListed} WHERE j.status = 'blocked' AND ${condition} ORDER BY k.key`,
      keys,
    );
  const canceled = fail ? blocked('j.cancel_on_blocking_job_failure = 1') : [];
  if (canceled.length > 0) {
    const canceledKeys = JSON.stringify(canceled);
    const sql = 'UPDATE jobs SET failed_upstream_key = ? WHERE job_key IN (SELECT value FROM json_each(?))';
    tx.db.run(sql, failedJobKey, canceledKeys);
    const data = { failed_upstream_key: String(failedJobKey) };
    moveIdleJobs(tx, workflowKey, canceled, { to: 'canceled', by: 'cancel', data });
  }
  moveIdleJobs(tx, workflowKey, blocked('j.num_blockers = 0'), { to: 'ready', by: 'unblock' });
  return withDownstream(tx, canceled).map((node) => ({ node, end: true, fail: true, failedJobKey }));
}

function signalJob(tx: Transaction, jobKey: number, signal: Signal): Signal | null {
  const job = tx.db.get<DownstreamJob>(
    `UPDATE jobs SET num_blockers = num_blockers - ?, num_failed_upstreams = num_failed_upstreams + ?
     WHERE job_key = ?
     RETURNING job_key, workflow_key, status, failed, num_blockers, cancel_on_blocking_job_failure`,
    signal.end ? 1 : 0,
    signal.fail ? 1 : 0,
    jobKey,
  );
  if (job?.status !== 'blocked') return null;
  const state = { jobKey, workflowKey: job.workflow_key, status: job.status, failed: job.failed === 1 };
  if (signal.fail && job.cancel_on_blocking_job_failure === 1) {
    tx.db.run('UPDATE jobs SET failed_upstream_key = ? WHERE job_key = ?', signal.failedJobKey, jobKey);
    moveJob(tx, state, { to: 'canceled', by: 'cancel', data: { failed_upstream_key: String(signal.failedJobKey) } });
    return { node: jobKey, end: true, fail: true, failedJobKey: signal.failedJobKey };
  }
  if (job.num_blockers === 0) moveJob(tx, state, { to: 'ready', by: 'unblock' });
  return null;
}

function signalBarrier(tx: Transaction, barrierKey: number, signal: Signal): Signal | null {
  const barrier = tx.db.get<{ num_blockers: number; num_failed_upstreams: number }>(
    `UPDATE barriers SET num_blockers = num_blockers - ?, num_failed_upstreams = num_failed_upstreams + ?
     WHERE barrier_key = ? RETURNING num_blockers, num_failed_upstreams`,
    signal.end ? 1 : 0,
    signal.fail ? 1 : 0,
    barrierKey,
  );
  if (barrier === undefined) return null;
  const end = signal.end && barrier.num_blockers === 0;
  const fail = signal.fail && barrier.num_failed_upstreams === 1;
  return end || fail ? { node: -barrierKey, end, fail, failedJobKey: signal.failedJobKey } : null;
}

/**
 * Makes a claimed job wait to be claimed again. A restart may have set back its upstream jobs while this one was kept: then it
 * is blocked, or canceled when one of them has failed meanwhile.
 */
export function giveBack(tx: Transaction, job: JobState, move: Omit<Move, 'to'>): void {
  const isToBeCanceled = hasFailedUpstream(tx, job.jobKey);
  const isBlocked = tx.db.get('SELECT 1 FROM jobs WHERE job_key = ? AND num_blockers > 0', job.jobKey) !== undefined;
  const status = moveJob(tx, job, { ...move, to: isBlocked || isToBeCanceled ? 'blocked' : 'ready' });
  if (!isToBeCanceled) return;
  const failedJobKey = failedUpstream(tx, job.jobKey);
  tx.db.run('UPDATE jobs SET failed_upstream_key = ? WHERE job_key = ?', failedJobKey, job.jobKey);
  const data = { failed_upstream_key: String(failedJobKey) };
  moveJob(tx, { ...job, status, failed: false }, { to: 'canceled', by: 'cancel', data });
  propagateEnd(tx, job.jobKey, true, failedJobKey);
}

/** Whether the job is to be canceled because an upstream job has failed. */
export function hasFailedUpstream(tx: Transaction, jobKey: number): boolean {
  const sql =
    'SELECT 1 FROM jobs WHERE job_key = ? AND num_failed_upstreams > 0 AND cancel_on_blocking_job_failure = 1';
  return tx.db.get(sql, jobKey) !== undefined;
}

/** The job whose failure cancels this one. */
function failedUpstream(tx: Transaction, jobKey: number): number | null {
  const sql = `WITH RECURSIVE above (node) AS (SELECT upstream FROM edges WHERE downstream = ?
      UNION SELECT e.upstream FROM above JOIN edges e ON e.downstream = above.node WHERE above.node < 0)
    SELECT coalesce(j.failed_upstream_key, j.job_key) FROM above JOIN jobs j ON j.job_key = above.node
    WHERE j.status = 'canceled' OR j.failed = 1 ORDER BY j.job_key LIMIT 1`;
  return tx.db.column<number>(sql, jobKey)[0] ?? null;
}
