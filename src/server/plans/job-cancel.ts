/** The plan of canceling single jobs. */
import type { Reply, Request } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { type CanceledJob, cancelJobs, isOver } from '../../storage/runs/job-cancel.ts';
import { chosenJobs } from './chosen-jobs.ts';
import { planned } from './planning.ts';

export function planJobCancel(tx: Transaction, request: Request<'jobs_cancel'>): Reply<'jobs_cancel'> {
  return planned(tx, request, ({ workflowKey }, state) => {
    const jobKeys = chosenJobs(tx, workflowKey, request, (status) => !isOver(status));
    const canceled = cancelJobs(tx, workflowKey, jobKeys);
    const page = canceled.slice(request.skip, request.skip + limits.planPage);
    return {
      dry_run: request.dry_run,
      workflow_key: request.workflow_key,
      state,
      changes: page.map((job) => ({
        job_key: String(job.jobKey),
        job_name: job.name,
        old_status: job.oldStatus,
        new_status: 'canceled',
        reason: reasonOf(job),
        diagnosis: null,
      })),
      num_changes: canceled.length,
      num_stopping: canceled.filter(({ isStopping }) => isStopping).length,
    };
  });
}

function reasonOf({ isStopping, upstreamKey }: CanceledJob): string {
  if (upstreamKey !== null) return `downstream of job ${upstreamKey}`;
  return isStopping ? 'its processes are stopped first' : 'selected';
}
