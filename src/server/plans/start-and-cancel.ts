/** The changes that a command makes, listed for people and programs: the first `limits.listPage` of them. */
import type { PlannedChange } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import type { JobStatus } from '../../model/status.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { jobsInStatuses } from '../../storage/running/workflows.ts';
import { claimedJobs } from '../../storage/runs/claimed-jobs.ts';

/** Uninitialized jobs become ready, or blocked when an upstream has not ended. */
export function planStartChanges(tx: Transaction, workflowKey: number): PlannedChange[] {
  return jobsInStatuses(tx, workflowKey, ['uninitialized'], limits.listPage).map((job) => ({
    job_key: String(job.jobKey),
    job_name: job.name,
    old_status: job.status,
    new_status: job.numBlockers === 0 ? 'ready' : 'blocked',
    reason: job.numBlockers === 0 ? 'nothing unfinished upstream' : `waits for ${job.numBlockers} upstream`,
    diagnosis: null,
  }));
}

/** Unclaimed jobs become canceled at once; running ones are stopped, and their end decides what they become. */
export function planCancel(tx: Transaction, workflowKey: number): PlannedChange[] {
  const statuses: JobStatus[] = ['uninitialized', 'blocked', 'ready', 'submitted_pending', 'submitted'];
  const claimed = new Map(claimedJobs(tx, workflowKey).map((job) => [job.jobKey, job]));
  return jobsInStatuses(tx, workflowKey, statuses, limits.listPage).map((job) => {
    const { process, diagnosis = null } = claimed.get(job.jobKey) ?? {};
    return {
      job_key: String(job.jobKey),
      job_name: job.name,
      old_status: job.status,
      new_status: 'canceled',
      reason:
        process === undefined || process === 'gone' ? 'the workflow is canceled' : 'its processes are stopped first',
      diagnosis,
    };
  });
}
