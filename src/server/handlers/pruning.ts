/** Removes what earlier runs have left behind. */
import type { Request } from '../../api/contract.ts';
import { isoInstant } from '../../base/clock.ts';
import { planPrune, pruneSteps } from '../../storage/authoring/pruning.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import type { Steps } from './kinds.ts';

/** At most this many workflows are listed; all are counted. */
const mostListed = 1_000;

export function prune(tx: Transaction, request: Request<'server_prune'>): Steps<'server_prune'> {
  const { older_than_seconds: seconds, attempts, dry_run } = request;
  const before = Math.round(tx.now - seconds * 1000);
  const counts = planPrune(tx, before, attempts);
  const sum = (of: 'numEvents' | 'numAttempts'): number => counts.reduce((total, each) => total + each[of], 0);
  return {
    step: dry_run || counts.length === 0 ? null : pruneSteps(counts, before, attempts),
    reply: {
      dry_run,
      before: isoInstant(before),
      num_workflows: counts.length,
      num_events: sum('numEvents'),
      num_attempts: sum('numAttempts'),
      workflows: counts.slice(0, mostListed).map(({ workflowKey, name, numEvents, numAttempts }) => ({
        workflow_key: String(workflowKey),
        name,
        num_events: numEvents,
        num_attempts: numAttempts,
      })),
    },
  };
}
