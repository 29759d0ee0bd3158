/** Ready jobs by shape, counted as far as planning needs it: a million of them cost no more than a few. */
import { labelsIn } from '../../model/labels.ts';
import type { Transaction } from '../database/transaction.ts';
import { findShape } from '../running/shapes.ts';

/** More shapes than this say nothing new. */
export const mostShapes = 100;

/** The first shapes that have ready jobs: one step in the index for each. */
export function readyShapes(tx: Transaction, workflowKey: number): number[] {
  const next = (after: string): string =>
    `(SELECT shape_key FROM jobs WHERE workflow_key = ? AND status = 'ready' AND shape_key > ${after}
      ORDER BY shape_key LIMIT 1)`;
  return tx.db
    .all<{ shapeKey: number }>(
      `WITH RECURSIVE found (shapeKey) AS (SELECT ${next('0')} UNION ALL
         SELECT ${next('found.shapeKey')} FROM found WHERE found.shapeKey IS NOT NULL LIMIT ?)
       SELECT shapeKey FROM found WHERE shapeKey IS NOT NULL`,
      workflowKey,
      workflowKey,
      mostShapes,
    )
    .map(({ shapeKey }) => shapeKey);
}

/** How many jobs of the shape are ready, counted up to `most`. */
export function countReady(tx: Transaction, workflowKey: number, shapeKey: number, most: number): number {
  const sql = `SELECT count(*) AS n FROM (SELECT 1 FROM jobs
    WHERE workflow_key = ? AND status = 'ready' AND shape_key = ? LIMIT ?)`;
  return tx.db.get<{ n: number }>(sql, workflowKey, shapeKey, most)?.n ?? 0;
}

/** Whether jobs are ready that count towards one of these limits. */
export function hasReadyUnder(tx: Transaction, workflowKey: number, limits: ReadonlySet<string>): boolean {
  const isUnder = (shapeKey: number): boolean =>
    labelsIn(findShape(tx, shapeKey).limits).some((name) => limits.has(name));
  return readyShapes(tx, workflowKey).some(isUnder);
}
