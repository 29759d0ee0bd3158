/** Shapes of requests that come after the workflow was created. */
import { sortRanks } from '../../model/decide/claim-order.ts';
import type { JobsSortMethod } from '../../model/expanded.ts';
import type { Transaction } from '../database/transaction.ts';
import { forgetReadyJobs } from './ready-jobs.ts';
import {
  internShape,
  type JobRequest,
  requestColumns,
  requestValues,
  requirementsOf,
  type ShapeRow,
} from './shapes.ts';

/** The shape of a request that is added later: ranks are relative, so all shapes of the workflow are ranked again. */
export function addShape(tx: Transaction, workflowKey: number, request: JobRequest): number {
  const known = tx.db.get<{ shape_key: number }>(
    `SELECT shape_key FROM shapes WHERE ${requestColumns.map((column) => `${column} = ?`).join(' AND ')}`,
    ...requestValues(workflowKey, request),
  );
  if (known !== undefined) return known.shape_key;
  const shapeKey = internShape(tx, workflowKey, request, 0);
  rankShapes(tx, workflowKey);
  return shapeKey;
}

/** Puts all shapes of a workflow into the order of its sort method. */
export function rankShapes(tx: Transaction, workflowKey: number): void {
  const sql = 'SELECT jobs_sort_method AS method FROM workflows WHERE workflow_key = ?';
  const method = tx.db.get<{ method: JobsSortMethod }>(sql, workflowKey)?.method ?? 'none';
  const shapes = tx.db.all<ShapeRow>('SELECT * FROM shapes WHERE workflow_key = ?', workflowKey);
  const ranks = sortRanks(method, shapes.map(requirementsOf));
  for (const [index, shape] of shapes.entries()) {
    if (shape.sort_rank === ranks[index]) continue;
    tx.db.run('UPDATE shapes SET sort_rank = ? WHERE shape_key = ?', ranks[index], shape.shape_key);
  }
  forgetReadyJobs(tx, workflowKey);
}
