/**
 * Workflows that recover by themselves. When a run has failed with something that a recovery cures, the next one becomes
 * due; until then the end of the run is no end for people: their messages and actions wait for the last run.
 */
import { isoInstant } from '../../base/clock.ts';
import { counted } from '../../base/text.ts';
import { recoveryDelayMs } from '../../model/decide/recovery.ts';
import type { WorkflowStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { fireWorkflowActions } from '../running/action-triggers.ts';
import { findRecovery, type Recovery, setInstants } from '../running/recoveries.ts';
import { findWorkflow, jobCounts, statusOf } from '../running/workflows.ts';
import { tellRunEnd } from './messages.ts';

/** Workers that were told to leave at the end of the run have left by then, and the others have taken what they can. */
const beforeNodesMs = 20_000;

/** A run has ended like this: returns whether a recovery follows. Only right after `flushCounts`. */
export function recoverAfterEnd(tx: Transaction, workflowKey: number, status: WorkflowStatus): boolean {
  const recovery = findRecovery(tx, workflowKey);
  if (recovery === null) return false;
  setInstants(tx, workflowKey, { nextAt: null, nodesAt: null });
  const workflow = findWorkflow(tx, workflowKey);
  if (status !== 'failed' || workflow === null || workflow.hasFailedOut) return false;
  if (!hasCurable(tx, recovery)) return false;
  if (recovery.numRecoveries >= recovery.maxRecoveries) {
    endRecoveries(tx, recovery, `it has recovered ${counted(recovery.maxRecoveries, 'time')}, which is its maximum`);
    return false;
  }
  const hasGained = recovery.numRecoveries === 0 || countSucceeded(tx, workflowKey) > recovery.numSucceeded;
  planNext(tx, recovery, hasGained ? 0 : recovery.numWithoutGain + 1);
  return true;
}

/** Anything that a larger request or another node cures. */
function hasCurable(tx: Transaction, { workflowKey, retryUnknown }: Recovery): boolean {
  const row = tx.db.get(
    `SELECT 1 FROM jobs j WHERE workflow_key = ? AND failed = 1
       AND (? = 1 OR failure LIKE 'oom %' OR failure LIKE 'job_timeout %')
     UNION ALL SELECT 1 FROM jobs WHERE workflow_key = ? AND status = 'terminated'
     UNION ALL SELECT 1 FROM orphans WHERE workflow_key = ? AND is_left = 1 LIMIT 1`,
    workflowKey,
    retryUnknown ? 1 : 0,
    workflowKey,
    workflowKey,
  );
  return row !== undefined;
}

function countSucceeded(tx: Transaction, workflowKey: number): number {
  const { done, failed } = jobCounts(tx, workflowKey);
  return done - failed;
}

function planNext(tx: Transaction, { workflowKey }: Recovery, numWithoutGain: number): void {
  const sql = 'UPDATE recoveries SET num_without_gain = ? WHERE workflow_key = ?';
  tx.db.run(sql, numWithoutGain, workflowKey);
  const nextAt = tx.now + recoveryDelayMs(numWithoutGain);
  setInstants(tx, workflowKey, { nextAt, nodesAt: null });
  tx.event({
    workflowKey,
    type: 'recovery_planned',
    data: { due_at: isoInstant(nextAt), num_without_gain: numWithoutGain },
  });
}

/** A run began that the recovery has made; what it did is `data`. */
export function noteRecovered(
  tx: Transaction,
  { workflowKey, numRecoveries, maxRecoveries }: Recovery,
  data: object,
): void {
  tx.flushCounts();
  const number = numRecoveries + 1;
  tx.db.run(
    'UPDATE recoveries SET num_recoveries = ?, num_succeeded = ? WHERE workflow_key = ?',
    number,
    countSucceeded(tx, workflowKey),
    workflowKey,
  );
  setInstants(tx, workflowKey, { nextAt: null, nodesAt: tx.now + beforeNodesMs });
  const numbers = { number, max_recoveries: maxRecoveries };
  tx.event({ workflowKey, type: 'workflow_recovered', data: { ...numbers, ...data } });
}

/** It could not be done now: it counts, and is tried again later unless it was the last one. */
export function noteRecoveryFailed(tx: Transaction, workflowKey: number, why: string): void {
  const recovery = findRecovery(tx, workflowKey);
  if (recovery?.nextAt == null) return;
  const numRecoveries = recovery.numRecoveries + 1;
  tx.db.run('UPDATE recoveries SET num_recoveries = ? WHERE workflow_key = ?', numRecoveries, workflowKey);
  const data = { number: numRecoveries, max_recoveries: recovery.maxRecoveries, why };
  tx.event({ workflowKey, type: 'recovery_failed', data });
  if (numRecoveries < recovery.maxRecoveries) planNext(tx, recovery, recovery.numWithoutGain + 1);
  else
    giveUpRecovery(
      tx,
      { ...recovery, numRecoveries },
      `it has tried ${counted(recovery.maxRecoveries, 'time')}, which is its maximum`,
    );
}

/** Slurm has refused nodes for the jobs of a recovery: they are asked for again later, as often as it may recover. */
export function noteNodesRefused(
  tx: Transaction,
  workflowKey: number,
  { why, numRefused }: { why: string; numRefused: number },
): void {
  const recovery = findRecovery(tx, workflowKey);
  if (recovery?.nodesAt == null) return;
  const isLast = numRefused > recovery.maxRecoveries;
  const nodesAt = isLast ? null : tx.now + recoveryDelayMs(numRefused);
  setInstants(tx, workflowKey, { nextAt: recovery.nextAt, nodesAt });
  const due_at = nodesAt === null ? null : isoInstant(nodesAt);
  tx.event({ workflowKey, type: 'recovery_nodes_refused', data: { why, num_refused: numRefused, due_at } });
}

/** None follows: the end of the run is announced now. */
export function giveUpRecovery(tx: Transaction, recovery: Recovery, why: string): void {
  const { workflowKey } = recovery;
  setInstants(tx, workflowKey, { nextAt: null, nodesAt: null });
  endRecoveries(tx, recovery, why);
  const workflow = findWorkflow(tx, workflowKey);
  if (workflow?.hasEnded !== true) return;
  tx.flushCounts();
  tellCompletion(tx, workflowKey, statusOf(tx, workflow));
}

function endRecoveries(tx: Transaction, { workflowKey, numRecoveries }: Recovery, why: string): void {
  tx.event({ workflowKey, type: 'recovery_ended', data: { num_recoveries: numRecoveries, why } });
}

/** People and actions that wait for the end learn of it. */
export function tellCompletion(tx: Transaction, workflowKey: number, status: WorkflowStatus): void {
  fireWorkflowActions(tx, workflowKey, 'on_workflow_complete');
  tellRunEnd(tx, workflowKey, status);
}
