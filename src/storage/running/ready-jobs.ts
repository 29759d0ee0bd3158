/** The ready jobs of each workflow, kept in memory: a claim reads only the jobs that it takes. */
import { TorcError } from '../../base/errors.ts';
import { ReadyQueues } from '../../model/decide/ready-queues.ts';
import type { Database } from '../database/database.ts';
import type { Mirror } from '../database/mirrors.ts';
import type { Transaction } from '../database/transaction.ts';
import { findShape, type Shape, type ShapeRow, shapeOf } from './shapes.ts';

const firstJobs = `SELECT job_key, priority FROM jobs
  WHERE workflow_key = ? AND shape_key = ? AND status = 'ready' ORDER BY priority DESC, job_key LIMIT ? OFFSET ?`;

/** The shapes that have ready jobs, from each to the next by one step in the index of ready jobs, with their first job. */
const readyShapes = `WITH RECURSIVE ready (shape_key) AS (
    SELECT min(shape_key) FROM jobs WHERE workflow_key = ? AND status = 'ready'
    UNION ALL
    SELECT (SELECT min(j.shape_key) FROM jobs j
      WHERE j.workflow_key = ? AND j.status = 'ready' AND j.shape_key > ready.shape_key)
    FROM ready WHERE ready.shape_key IS NOT NULL)
  SELECT s.*, f.job_key, f.priority FROM ready LEFT JOIN shapes s ON s.shape_key = ready.shape_key
    LEFT JOIN jobs f ON f.job_key = (SELECT job_key FROM jobs WHERE workflow_key = ? AND shape_key = ready.shape_key
      AND status = 'ready' ORDER BY priority DESC, job_key LIMIT 1)
  WHERE ready.shape_key IS NOT NULL`;

type FirstRow = { job_key: number; priority: number } & (ShapeRow | { shape_key: null });

/** By the key of the workflow. */
export const readyQueues: Mirror<Database, ReadyQueues<Shape>> = {
  load(db, workflowKey) {
    const rows = db.all<FirstRow>(readyShapes, workflowKey, workflowKey, workflowKey);
    const heads = rows.map((row) => {
      if (row.shape_key === null) throw new TorcError('bug', 'a ready job has no stored request');
      return { shape: shapeOf(row), head: { jobKey: row.job_key, priority: row.priority } };
    });
    return new ReadyQueues(heads, ({ shapeKey }, skip, atMost) =>
      db
        .allRows<[jobKey: number, priority: number]>(firstJobs, workflowKey, shapeKey, atMost, skip)
        .map(([jobKey, priority]) => ({ jobKey, priority })),
    );
  },
};

/** The ready jobs of a workflow in claim order; valid until the end of the transaction. */
export function readyJobs(tx: Transaction, workflowKey: number): ReadyQueues<Shape> {
  return tx.db.mirrors.get(readyQueues, workflowKey);
}

/** A job whose row has changed already. */
export interface MovedJob {
  workflowKey: number;
  jobKey: number;
  shapeKey: number;
  priority: number;
}

/** Follows a job that became ready, or is not ready any more. */
export function followReady(tx: Transaction, { workflowKey, shapeKey, ...job }: MovedJob, isReady: boolean): void {
  const queues = tx.db.mirrors.change(readyQueues, workflowKey);
  if (queues === undefined) return;
  if (isReady) queues.add(shapeKey, job, () => findShape(tx, shapeKey));
  else queues.remove(shapeKey, job);
}

/** A job that is claimed. */
export type ClaimedJob = Pick<MovedJob, 'jobKey' | 'shapeKey'>;

/** Follows claimed jobs, the first ones of their shapes in claim order. */
export function followClaims(tx: Transaction, workflowKey: number, jobs: readonly ClaimedJob[]): void {
  tx.db.mirrors.change(readyQueues, workflowKey)?.removeFirst(jobs);
}

/** Many ready jobs of a workflow changed at once, or their place in claim order did. */
export function forgetReadyJobs(tx: Transaction, workflowKey: number): void {
  tx.db.mirrors.forget(readyQueues, workflowKey);
}
