/** Refuses a new workflow whose jobs would wait for each other; a client that checks first gives a longer message. */
import { TorcError } from '../../base/errors.ts';
import { buildGraph, topologicalOrder } from '../../model/graph/graph.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Workflow } from '../running/workflows.ts';

/**
 * Throws TorcError 'usage' when the edges of a workflow that is being created contain a cycle. Its barriers must be
 * stored, and each must wait for something.
 */
export function refuseCycles(tx: Transaction, workflow: Workflow): void {
  if (leadsForward(tx, workflow)) return;
  const { firstJobKey, numSpecJobs, firstBarrierKey, numBarriers } = workflow;
  const nodeOf = (key: number) => (key > 0 ? key - firstJobKey : key + firstBarrierKey - 1);
  const edges: [number, number][] = [];
  for (const [low, high] of [
    [firstJobKey, firstJobKey + numSpecJobs - 1],
    [-(firstBarrierKey + numBarriers - 1), -firstBarrierKey],
  ]) {
    const sql = 'SELECT upstream, downstream FROM edges WHERE upstream BETWEEN ? AND ?';
    for (const [upstream, downstream] of tx.db.rows<[number, number]>(sql, low, high)) {
      edges.push([nodeOf(upstream), nodeOf(downstream)]);
    }
  }
  const order = topologicalOrder(buildGraph(numSpecJobs, numBarriers, edges));
  if (order.length === numSpecJobs + numBarriers) return;
  throw new TorcError('usage', 'some jobs wait for each other in a cycle, so none of them could ever start');
}

/**
 * Whether every edge between jobs leads to a later one, and every barrier from earlier to later jobs, as in most
 * specifications: this is much cheaper than reading the edges. Barriers have negative numbers, so an edge between two
 * barriers does not count as forward, nor does a ring of barriers.
 */
function leadsForward(tx: Transaction, { workflowKey, firstJobKey, numSpecJobs }: Workflow): boolean {
  const back = tx.db.get(
    'SELECT 1 FROM edges WHERE upstream BETWEEN ? AND ? AND downstream BETWEEN ? AND upstream LIMIT 1',
    firstJobKey,
    firstJobKey + numSpecJobs - 1,
    firstJobKey,
  );
  const backOverBarrier = tx.db.get(
    `SELECT 1 FROM barriers b WHERE workflow_key = ? AND (SELECT max(upstream) FROM edges WHERE downstream = -b.barrier_key)
       >= (SELECT min(downstream) FROM edges WHERE upstream = -b.barrier_key) LIMIT 1`,
    workflowKey,
  );
  return back === undefined && backOverBarrier === undefined;
}
