/** Hold and release of single jobs. */
import type { Reply, Request } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { isHoldable, setHeld } from '../../storage/runs/pauses.ts';
import { chosenJobs, keptJobs } from './chosen-jobs.ts';
import { planned } from './planning.ts';

export function planHold(tx: Transaction, request: Request<'jobs_hold'>): Reply<'jobs_hold'> {
  return planned(tx, request, ({ workflowKey }, state) => {
    const jobKeys = chosenJobs(tx, workflowKey, request, (status) => !request.hold || isHoldable(status));
    const page = { skip: request.skip, limit: limits.planPage };
    const { numChanges, changes, kept } = setHeld(tx, workflowKey, jobKeys, { isHeld: request.hold, ...page });
    return {
      dry_run: request.dry_run,
      workflow_key: request.workflow_key,
      state,
      changes: changes.map(({ jobKey, name, oldStatus, newStatus }) => ({
        job_key: String(jobKey),
        job_name: name,
        old_status: oldStatus,
        new_status: newStatus,
        reason: request.hold ? 'held until it is released' : 'released',
        diagnosis: null,
      })),
      num_changes: numChanges,
      ...keptJobs(kept),
    };
  });
}
