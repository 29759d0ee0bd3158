/** Work on all jobs of a workflow, cut into steps: each is a transaction of at most about 50 ms. */
import type { Transaction } from './transaction.ts';

/** One step of such work; returns true when it was the last one. */
export type Step = (tx: Transaction) => boolean;

/** Jobs moved in one transaction. */
export const jobsPerStep = 5_000;

/** The last job key of the step that begins behind `after`; null when the step reaches the end. */
export function lastKeyOfStep(tx: Transaction, workflowKey: number, after: number): number | null {
  const row = tx.db.get(
    'SELECT job_key FROM jobs WHERE workflow_key = ? AND job_key > ? ORDER BY job_key LIMIT 1 OFFSET ?',
    workflowKey,
    after,
    jobsPerStep - 1,
  );
  return row === undefined ? null : (row.job_key as number);
}
