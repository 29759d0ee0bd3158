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
import { moveJob } from './transitions.ts';

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

/** Unblocks or cancels the downstream jobs of `jobKey`, which has ended, transitively. */
export function propagateEnd(tx: Transaction, jobKey: number, failed: boolean): void {
  const work: Signal[] = [{ node: jobKey, end: true, fail: failed, failedJobKey: failed ? jobKey : null }];
  // grows while it is walked
  for (const signal of work) {
    for (const row of tx.db.all<{ downstream: number }>(
      'SELECT downstream FROM edges WHERE upstream = ?',
      signal.node,
    )) {
      const downstream = row.downstream;
      const next = downstream > 0 ? signalJob(tx, downstream, signal) : signalBarrier(tx, -downstream, signal);
      if (next !== null) work.push(next);
    }
  }
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
