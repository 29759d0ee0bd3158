/** The plan of canceling single jobs. */
import type { Reply, Request } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { type CanceledJob, cancelJobs, isOver } from '../../storage/runs/job-cancel.ts';
import { chosenJobs, keptJobs } from './chosen-jobs.ts';
import { planned } from './planning.ts';

export function planJobCancel(tx: Transaction, request: Request<'jobs_cancel'>): Reply<'jobs_cancel'> {
  return planned(tx, request, ({ workflowKey }, state) => {
    const jobKeys = chosenJobs(tx, workflowKey, request, (status) => !isOver(status));
    const page = { skip: request.skip, limit: limits.planPage };
    const { numChanges, numStopping, changes, kept } = cancelJobs(tx, workflowKey, jobKeys, page);
    return {
      dry_run: request.dry_run,
      workflow_key: request.workflow_key,
      state,
      changes: changes.map((job) => ({
        job_key: String(job.jobKey),
        job_name: job.name,
        old_status: job.oldStatus,
        new_status: 'canceled',
        reason: reasonOf(job),
        diagnosis: null,
      })),
      num_changes: numChanges,
      num_stopping: numStopping,
      ...keptJobs(kept),
    };
  });
}

function reasonOf({ isStopping, upstreamKey }: CanceledJob): string {
  if (upstreamKey !== null) return `downstream of job ${upstreamKey}`;
  return isStopping ? 'its processes are stopped first' : 'selected';
}
