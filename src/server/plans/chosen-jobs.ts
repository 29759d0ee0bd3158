/** The jobs that a plan is asked to change: by keys, by names, by patterns. */
import { TorcError } from '../../base/errors.ts';
import type { JobStatus } from '../../model/status.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { jobsNamed } from '../../storage/lists/selection.ts';

interface JobChoice {
  job_keys: readonly string[];
  job_names?: readonly string[] | undefined;
}

/**
 * Their keys, each once. What a pattern matches is left out where the change does not apply to its status: naming such
 * a job is a mistake, matching it is not. Throws 'usage' for no job at all, 'not_found' for a name that is no job's.
 */
export function chosenJobs(
  tx: Transaction,
  workflowKey: number,
  { job_keys, job_names = [] }: JobChoice,
  applies: (status: JobStatus) => boolean = () => true,
): number[] {
  if (job_keys.length === 0 && job_names.length === 0) {
    throw new TorcError('usage', 'no job was chosen', 'Name jobs by key, name or pattern.');
  }
  const { named, matched } = jobsNamed(tx.db, workflowKey, job_names);
  const applicable = matched.flatMap(({ key, status }) => (applies(status) ? [key] : []));
  return [...new Set([...job_keys.map(Number), ...named, ...applicable])];
}
