/**
 * Limits on jobs that run at once. Every attempt of a limited job counts while it occupies its worker, that is while its
 * process may exist.
 */
import {
  Concurrency,
  type Limit,
  type LimitSet,
  noLimits,
  shared,
  wholeWorkflow,
} from '../../model/decide/concurrency.ts';
import type { Database } from '../database/database.ts';
import type { Mirror } from '../database/mirrors.ts';
import type { Transaction } from '../database/transaction.ts';

/** One for the whole database, under the key 0. */
export const concurrency: Mirror<Database, Concurrency> = {
  load(db) {
    const limits = db.all<Limit>('SELECT workflow_key AS workflowKey, name, maximum FROM limits');
    const wholes = db.all<Limit>(
      `SELECT workflow_key AS workflowKey, '${wholeWorkflow}' AS name, max_concurrent_jobs AS maximum FROM workflows
       INDEXED BY workflows_limited WHERE max_concurrent_jobs IS NOT NULL`,
    );
    const running = db.all<{ attemptKey: number; workflowKey: number; limits: LimitSet | null; isLimited: number }>(
      `SELECT a.attempt_key AS attemptKey, a.workflow_key AS workflowKey, a.limits,
         w.max_concurrent_jobs IS NOT NULL AS isLimited
       FROM compute_nodes n CROSS JOIN attempts a ON a.compute_node_key = n.compute_node_key AND a.is_occupying = 1
         CROSS JOIN workflows w ON w.workflow_key = a.workflow_key
       WHERE a.limits IS NOT NULL OR isLimited`,
    );
    const known = new Concurrency([...limits, ...wholes]);
    for (const { attemptKey, workflowKey, limits: names, isLimited } of running)
      known.begin(attemptKey, workflowKey, namesOf(known, names ?? noLimits, isLimited !== 0));
    return known;
  },
};

/** Limits and what runs under them; valid until the end of the transaction. Look before a row changes, not after. */
export function limitsNow(tx: Transaction): Concurrency {
  return tx.db.mirrors.get(concurrency, 0);
}

/** The names under which an attempt counts. */
function namesOf(known: Concurrency, limits: LimitSet, isWorkflowLimited: boolean): readonly string[] {
  const names = known.namesIn(limits);
  return isWorkflowLimited ? [...names, wholeWorkflow] : names;
}

/** Counts a claimed job. */
export function beginLimited(tx: Transaction, attemptKey: number, workflowKey: number, limits: LimitSet): void {
  const now = limitsNow(tx);
  const names = namesOf(now, limits, now.maximum(workflowKey, wholeWorkflow) !== null);
  if (names.length > 0) now.begin(attemptKey, workflowKey, names);
}

/** The process of an attempt is gone, which is not stored yet: what waits for its slots may go on. */
export function endLimited(tx: Transaction, attemptKey: number): void {
  const now = limitsNow(tx);
  const ended = now.end(attemptKey);
  if (ended === null) return;
  const { workflowKey, names } = ended;
  // one more has run until now: a limit with room for exactly one had none
  for (const name of names) if (now.room(workflowKey, name) === 1) tellRoom(tx, workflowKey, name);
}

/** Others may start: those of the workflow, or of every workflow that the shared limit counts. */
function tellRoom(tx: Transaction, workflowKey: number, name: string): void {
  const isShared = limitsNow(tx).isShared(workflowKey, name);
  tx.tell(isShared || workflowKey === shared ? { kind: 'limit_freed', name } : { kind: 'jobs_ready', workflowKey });
}

/** Sets or, with null, deletes a limit of one workflow, or with the key `shared` of all; returns what it was. */
export function storeLimit(tx: Transaction, limit: Omit<Limit, 'maximum'> & { maximum: number | null }): number | null {
  const { workflowKey, name, maximum } = limit;
  const now = limitsNow(tx);
  const before = now.maximum(workflowKey, name);
  if (maximum === null) {
    tx.db.run('DELETE FROM limits WHERE workflow_key = ? AND name = ?', workflowKey, name);
    now.delete(workflowKey, name);
  } else {
    tx.db.run(
      `INSERT INTO limits (workflow_key, name, maximum) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET maximum = excluded.maximum`,
      workflowKey,
      name,
      maximum,
    );
    now.set({ workflowKey, name, maximum });
  }
  // a workflow with a limit of its own takes nothing of the shared one any more
  tx.tell({ kind: 'limit_freed', name });
  if (workflowKey !== shared) tx.tell({ kind: 'jobs_ready', workflowKey });
  return before;
}

/** A workflow's `max_concurrent_jobs` has changed: what runs counts towards it now, or no more. */
export function maxConcurrentChanged(tx: Transaction, workflowKey: number): void {
  forgetLimits(tx);
  tx.tell({ kind: 'jobs_ready', workflowKey });
}

/** Whether a limit has this name for a workflow. */
export function knowsLimit(tx: Transaction, workflowKey: number, name: string): boolean {
  return limitsNow(tx).state(workflowKey, name) !== null;
}

/** The workflow is being deleted, with its attempts. */
export function deleteLimits(tx: Transaction, workflowKey: number): void {
  tx.db.run('DELETE FROM limits WHERE workflow_key = ?', workflowKey);
  forgetLimits(tx);
}

/** Rows of limits were written by other means. */
export function forgetLimits(tx: Transaction): void {
  tx.db.mirrors.forget(concurrency, 0);
}
