/** The last step of every transaction: the consequences of its facts. */
import { type Fact, factsOf, workflowsOf } from '../database/facts.ts';
import type { Transaction } from '../database/transaction.ts';
import { fireJobActions } from '../running/action-triggers.ts';
import { setExpiry } from '../running/max-wait.ts';
import { cancelRest } from './cancel-rest.ts';
import { deriveRunEnd } from './runs.ts';

/**
 * Fires the actions whose jobs have reached what they wait for, cancels what waits in runs with too many failures, and
 * calls `giveOut`, which looks at the facts from number `since` on, until there are no new facts. The ends of runs are
 * derived after that, so that no order of steps misses one.
 */
export function conclude(tx: Transaction, giveOut: (since: number) => void): void {
  for (let since = 0; since < tx.facts.length; ) {
    const news = tx.facts.slice(since);
    tx.flushCounts();
    fireJobActions(tx, new Set(factsOf(news, 'action_advanced').map(({ actionKey }) => actionKey)));
    for (const workflowKey of mayBeCutOff(news)) cancelRest(tx, workflowKey);
    giveOut(since);
    since += news.length;
  }
  for (const workflowKey of workflowsOf(tx.facts, 'jobs_ready')) setExpiry(tx, workflowKey);
  tx.flushCounts();
  const concerned = tx.facts.filter((fact) => fact.kind === 'jobs_settled' || fact.kind === 'jobs_ready');
  for (const workflowKey of new Set(concerned.map((fact) => fact.workflowKey))) deriveRunEnd(tx, workflowKey);
}

function mayBeCutOff(facts: readonly Fact[]): Set<number> {
  const concerned = facts.filter((fact) => fact.kind === 'failures_reached' || fact.kind === 'jobs_ready');
  return new Set(concerned.map((fact) => fact.workflowKey));
}
