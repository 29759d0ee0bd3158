/** A person sets the autoscaler of a workflow. */
import type { Reply, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { removeAutoscaler, setAutoscaler, showAutoscaler } from '../../storage/authoring/autoscalers.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { getWorkflow } from '../../storage/running/workflows.ts';
import { rehearseScaling } from '../actions/scaling-step.ts';
import type { ServerContext } from '../context.ts';

/** The reply says what it does now; the server does it after this transaction. */
export function autoscaleWorkflow(
  tx: Transaction,
  request: Request<'workflow_autoscale'>,
  context: ServerContext,
): Reply<'workflow_autoscale'> {
  const { workflowKey } = getWorkflow(tx, Number(request.workflow_key));
  const { settings, dry_run, workflow_key } = request;
  if (settings === null) {
    const turnOff = (): string[] | null => removeAutoscaler(tx, workflowKey);
    const queued_slurm_job_ids = (dry_run ? tx.rehearse(turnOff) : turnOff()) ?? [];
    return { dry_run, workflow_key, autoscaler: null, allocations: [], queued_slurm_job_ids };
  }
  const shown = tx.rehearse(() => {
    setAutoscaler(tx, workflowKey, settings);
    const allocations = rehearseScaling(tx, context, workflowKey);
    return { allocations, autoscaler: showAutoscaler(tx, workflowKey) };
  });
  if (shown.autoscaler === null) throw new TorcError('bug', 'an autoscaler was not stored');
  if (!dry_run) setAutoscaler(tx, workflowKey, settings);
  return { dry_run, workflow_key, ...shown, queued_slurm_job_ids: [] };
}
