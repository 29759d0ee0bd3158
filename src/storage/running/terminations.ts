/** What becomes of a job that was stopped before it ended: with its allocation, for a restart, or by a person. */
import type { Cause } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { bringBack } from './losses.ts';
import { type JobState, moveJob } from './transitions.ts';

interface Terminated {
  attemptKey: number;
  job: JobState;
  cause: Cause;
  stopReason: string | null;
  supportsTermination: boolean;
  /** Whether its worker runs in Slurm; a person stops the others. */
  isInSlurm: boolean;
}

/**
 * The job comes back, and its downstream jobs wait. What a restart stops waits for that restart. Ends before a
 * checkpoint and stops of local workers by a person do not count as losses; what the kernel killed does.
 */
export function recordTerminated(tx: Transaction, terminated: Terminated): void {
  const { attemptKey, job, cause, stopReason, supportsTermination, isInSlurm } = terminated;
  const isForRestart = stopReason === 'restart';
  const isByPerson = isForRestart || (cause === 'canceled' && !isInSlurm);
  const waitsForRestart = isForRestart && isStopping(tx, job.workflowKey);
  const isCounted = cause === 'oom' || (!supportsTermination && !isByPerson);
  if (!waitsForRestart && bringBack(tx, job, { attemptKey, cause, isCounted })) return;
  moveJob(tx, job, { to: 'terminated', by: 'report', attemptKey, data: { return_code: null, cause } });
}

function isStopping(tx: Transaction, workflowKey: number): boolean {
  return tx.db.get('SELECT 1 FROM workflows WHERE workflow_key = ? AND is_stopping = 1', workflowKey) !== undefined;
}
