/** A new workflow whose jobs would wait for each other: a client refuses it with more words, the server makes sure. */
import { TorcError } from '../../base/errors.ts';
import { buildGraph, topologicalOrder } from '../../model/graph/graph.ts';
import type { Transaction } from '../database/transaction.ts';
import type { Workflow } from '../running/workflows.ts';

/**
 * Throws TorcError 'usage' when the edges of a workflow that is being created hold a cycle. Its barriers are stored, and
 * each of them waits for something.
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
    const rows = tx.db.rows('SELECT upstream, downstream FROM edges WHERE upstream BETWEEN ? AND ?', low, high);
    for (const [upstream, downstream] of rows as Iterable<[number, number]>) {
      edges.push([nodeOf(upstream), nodeOf(downstream)]);
    }
  }
  const order = topologicalOrder(buildGraph(numSpecJobs, numBarriers, edges));
  if (order.length === numSpecJobs + numBarriers) return;
  throw new TorcError('usage', 'the jobs wait for each other in a cycle, in which none could ever start');
}

/**
 * Whether every edge between jobs leads to a later one, and every barrier from earlier to later ones, as in most
 * specifications: that costs a tenth of reading the edges. Barriers have negative numbers, so that one which leads to
 * another does not count as forward, and neither does a ring of them.
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
