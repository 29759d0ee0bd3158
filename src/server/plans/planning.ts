/** What restart, reset and disable share: a plan is made from the stored state, and a dry run leaves no trace. */
import { TorcError } from '../../base/errors.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import type { Evidence } from '../../storage/evidence/evidence.ts';
import { getWorkflow, stateToken, type Workflow } from '../../storage/running/workflows.ts';
import type { ClaimedJob } from '../../storage/runs/claimed-jobs.ts';
import type { ServerContext } from '../context.ts';
import { gatherEvidence } from '../evidence/gather.ts';
import type { PlanRequest } from './rendering.ts';

/** Jobs or inputs that an error names. */
export const mostNamed = 5;

/** Plans a request: refuses when the state has moved on, and undoes everything after a dry run. */
export function planned<T>(tx: Transaction, request: PlanRequest, work: (workflow: Workflow, state: string) => T): T {
  const workflow = getWorkflow(tx, Number(request.workflow_key));
  const state = stateToken(tx, workflow.workflowKey);
  if (request.expected_state !== null && request.expected_state !== state) {
    throw new TorcError(
      'conflict',
      `workflow ${request.workflow_key} has changed since the plan was made`,
      'Make the plan again with --dry-run.',
    );
  }
  return request.dry_run ? tx.rehearse(() => work(workflow, state)) : work(workflow, state);
}

/** What the machine and Slurm know about the workers and allocations of a workflow. */
export async function evidenceOfWorkflow(context: ServerContext, request: { workflow_key: string }): Promise<Evidence> {
  const workflowKey = Number(request.workflow_key);
  getWorkflow(context.view, workflowKey);
  return gatherEvidence(context, { workflowKey, isAsked: true });
}

/** Names up to five jobs. */
export function named(jobs: readonly ClaimedJob[]): string {
  const shown = jobs.slice(0, mostNamed).map((job) => `${job.jobName} (job ${job.jobKey}) on ${job.hostname}`);
  return `${shown.join(', ')}${jobs.length > mostNamed ? ` and ${jobs.length - mostNamed} more` : ''}`;
}
