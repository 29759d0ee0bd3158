/** Stops what runs, so that a restart can begin. */
import type { Reply, Request } from '../../api/contract.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { requestStop } from '../../storage/running/stops.ts';
import { getWorkflow } from '../../storage/running/workflows.ts';
import { claimedJobs } from '../../storage/runs/claimed-jobs.ts';
import { setStopping } from '../../storage/runs/runs.ts';
import { mostKept } from './rendering.ts';

export function stopRunning(
  tx: Transaction,
  request: Request<'workflow_stop_running'>,
): Reply<'workflow_stop_running'> {
  const { workflowKey } = getWorkflow(tx, Number(request.workflow_key));
  const { numGoingOn, numBack } = setStopping(tx, workflowKey, request.stop);
  const numStopping = request.stop ? requestStop(tx, workflowKey, 'restart') : 0;
  const running = claimedJobs(tx, workflowKey).filter((job) => job.process !== 'gone');
  return {
    num_stopping: numStopping,
    num_going_on: numGoingOn,
    num_back: numBack,
    running: running.slice(0, mostKept).map((job) => ({
      job_key: String(job.jobKey),
      job_name: job.jobName,
      status: job.status,
      reason: job.process === 'running' ? `runs on ${job.hostname}` : `ran on ${job.hostname} when contact was lost`,
    })),
  };
}
