/** What a running job adds to its workflow, from a program. */
import type { Reply } from '../../api/contract.ts';
import { expandChildren } from '../../model/expand/children.ts';
import type { JobSpec } from '../../model/spec/spec.ts';
import { callerFor } from '../actions/jobs-add-children.ts';
import { contextAt, type Keys, type Place, placeKeys, refuseUnknown } from './place.ts';

/** How children are added. */
export interface ChildrenOptions extends Place {
  /** Names of jobs that will wait for all of them; they must still be blocked. */
  before?: readonly string[];
  /** They do not wait for the job that adds them. */
  now?: boolean;
  /** The key of the attempt that adds them; by default the one in which the program runs. */
  attempt?: string;
  /** Returns what would be added. */
  dryRun?: boolean;
}

const childrenKeys: Keys<ChildrenOptions> = { ...placeKeys, before: true, now: true, attempt: true, dryRun: true };

/**
 * Adds jobs to the workflow of the job in which the program runs, all of them or none. The same jobs again are the ones
 * that are there (`is_new` is false). Throws TorcError: 'usage' outside of a job, 'conflict' for another job of the same
 * name, an attempt that has ended, or a job of `before` that no longer waits.
 */
export async function addChildren(
  jobs: readonly JobSpec[],
  options: ChildrenOptions = {},
): Promise<Reply<'jobs_add_children'>['jobs']> {
  refuseUnknown(options, childrenKeys);
  const context = contextAt(options);
  const { jobs: added } = await callerFor(
    context,
    options.attempt,
  )({
    jobs: expandChildren([...jobs], { file: 'addChildren' }),
    before: [...(options.before ?? [])],
    now: options.now === true,
    dry_run: options.dryRun === true,
  });
  return added;
}
