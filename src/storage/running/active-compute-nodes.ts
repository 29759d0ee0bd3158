/** How many workers are active. */
import type { Database } from '../database/database.ts';
import type { Mirror } from '../database/mirrors.ts';
import type { Transaction } from '../database/transaction.ts';

/** In memory, by the key of the workflow: each claim of short jobs asks. */
export const activeComputeNodes: Mirror<Database, number> = {
  load: (db, workflowKey) => count(db, 'workflow_key = ? AND is_active = 1', workflowKey),
};

/** Of a workflow, or of all. */
export function countActiveComputeNodes({ db }: Transaction, workflowKey: number | null): number {
  return workflowKey === null ? count(db, 'is_active = 1') : db.mirrors.get(activeComputeNodes, workflowKey);
}

/** A worker of the workflow has come, or has been closed, or the workflow has been deleted. */
export function forgetActiveComputeNodes({ db }: Transaction, workflowKey: number): void {
  db.mirrors.forget(activeComputeNodes, workflowKey);
}

function count(db: Database, condition: string, ...values: number[]): number {
  return db.column<number>(`SELECT count(*) FROM compute_nodes WHERE ${condition}`, ...values)[0] ?? 0;
}
