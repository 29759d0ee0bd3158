/** What a recovery adds to a restart: jobs that failed come back first; one that comes by itself is noted. */
import type { Request, RestartPlan } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { failureWords } from '../../model/decide/recovery.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { findRecovery, type Recovery } from '../../storage/running/recoveries.ts';
import type { Workflow } from '../../storage/running/workflows.ts';
import { giveUpRecovery, noteRecovered } from '../../storage/runs/auto-recovery.ts';
import { type RecoveredJobs, recoverJobs } from '../../storage/runs/recovery.ts';
import type { StoredJobs } from '../../storage/runs/restart.ts';

type Recover = NonNullable<Request<'workflow_restart'>['recover']>;

export interface Recovering {
  jobs: RecoveredJobs;
  /** What is due by itself; null for what a person asks for. */
  due: Recovery | null;
}

/** Throws 'conflict' for a workflow that a person has canceled, and where nothing is due by itself. */
export function beginRecovery(
  tx: Transaction,
  { workflowKey, isCanceled }: Workflow,
  jobs: StoredJobs,
  request: Recover,
): Recovering {
  if (isCanceled) {
    const hint = `A restart runs its jobs again: torc workflows restart ${workflowKey}`;
    throw new TorcError('conflict', `workflow ${workflowKey} was canceled`, hint);
  }
  if (request.automatic !== true) return { jobs: recoverJobs(tx, jobs, request), due: null };
  const due = findRecovery(tx, workflowKey);
  if (due?.nextAt == null) throw new TorcError('conflict', `no recovery of workflow ${workflowKey} is due`);
  const choice = {
    memory_factor: due.memoryFactor,
    runtime_factor: due.runtimeFactor,
    retry_unknown: due.retryUnknown,
  };
  return { jobs: recoverJobs(tx, jobs, choice), due };
}

/** Scaled jobs that the history names; each has an event of its own too. */
const namedScaled = 20;

/** What came by itself is done: the next run has begun, or nothing is left that a recovery cures. */
export function noteAutomatic(
  tx: Transaction,
  { jobs: { report }, due }: Recovering,
  {
    begins_run,
    run_id,
    num_ready,
    num_blocked,
  }: Pick<RestartPlan, 'begins_run' | 'run_id' | 'num_ready' | 'num_blocked'>,
): void {
  if (due === null) return;
  if (!begins_run) {
    giveUpRecovery(tx, due, 'nothing is left that a larger request or another node would fix');
    return;
  }
  const back = report.groups.filter(({ num_recovered }) => num_recovered > 0);
  const why = back.map(({ kind, num_recovered }) => failureWords(kind, num_recovered)).join(', ');
  const { groups, scaled, num_scaled } = report;
  const named = scaled.slice(0, namedScaled).map(({ job_key, job_name, why }) => ({ job_key, job_name, why }));
  noteRecovered(tx, due, { run_id, why, groups, num_scaled, scaled: named, num_ready, num_blocked });
}
