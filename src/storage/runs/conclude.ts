/** The last step of every transaction: the consequences of its facts. */
import { type Fact, factsOf, workflowsOf } from '../database/facts.ts';
import type { Transaction } from '../database/transaction.ts';
import { fireJobActions } from '../running/action-triggers.ts';
import { setExpiry } from '../running/max-wait.ts';
import { cancelRest } from './cancel-rest.ts';
import { tellFailures, watchForWaiting } from './messages.ts';
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
  for (const [workflowKey, jobKeys] of failedJobs(tx.facts)) tellFailures(tx, workflowKey, jobKeys);
  for (const workflowKey of mayWait(tx.facts)) watchForWaiting(tx, workflowKey);
  const concerned = tx.facts.filter((fact) => fact.kind === 'jobs_settled' || fact.kind === 'jobs_ready');
  for (const workflowKey of new Set(concerned.map((fact) => fact.workflowKey))) deriveRunEnd(tx, workflowKey);
}

/** The workflows whose jobs may have no worker any more. */
function mayWait(facts: readonly Fact[]): Set<number> {
  const concerned = facts.filter((fact) => fact.kind === 'worker_left' || fact.kind === 'allocation_changed');
  return new Set(concerned.map((fact) => fact.workflowKey));
}

/** The jobs that have failed for good, by workflow; only those whose failure somebody wants to hear about. */
function failedJobs(facts: readonly Fact[]): Map<number, number[]> {
  const jobs = new Map<number, number[]>();
  for (const { workflowKey, jobKey } of factsOf(facts, 'job_failed')) {
    const known = jobs.get(workflowKey);
    if (known === undefined) jobs.set(workflowKey, [jobKey]);
    else known.push(jobKey);
  }
  return jobs;
}

function mayBeCutOff(facts: readonly Fact[]): Set<number> {
  const concerned = facts.filter((fact) => fact.kind === 'failures_reached' || fact.kind === 'jobs_ready');
  return new Set(concerned.map((fact) => fact.workflowKey));
}
