/** Work on all jobs of a workflow, cut into short transactions, so that others are served in between. */
import type { Transaction } from './transaction.ts';

/** One step of such work; returns true after the last one. */
export type Step = (tx: Transaction) => boolean;

/** How many jobs one transaction moves. */
export const jobsPerStep = 5_000;

/** The last job key of the step that begins after `after`; null when that step is the last. */
export function lastKeyOfStep(tx: Transaction, workflowKey: number, after: number): number | null {
  const row = tx.db.get<{ job_key: number }>(
    'SELECT job_key FROM jobs WHERE workflow_key = ? AND job_key > ? ORDER BY job_key LIMIT 1 OFFSET ?',
    workflowKey,
    after,
    jobsPerStep - 1,
  );
  return row?.job_key ?? null;
}
