/** The jobs that a plan is asked to change: by keys, by names, by patterns; and those of them that it leaves out. */
import type { KeptJob } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import type { JobStatus } from '../../model/status.ts';
import type { Transaction } from '../../storage/database/transaction.ts';
import { jobsNamed } from '../../storage/lists/selection.ts';
import type { KeptRows } from '../../storage/runs/chosen.ts';

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

/** Of a plan that does what it can: the jobs that it leaves as they are, because of their status. */
export function keptJobs({ numKept, jobs }: KeptRows): { kept: KeptJob[]; num_kept: number } {
  const kept = jobs.map(({ jobKey, name, status }) => {
    return { job_key: String(jobKey), job_name: name, status, reason: reasons[status] ?? `it is ${status}` };
  });
  return { kept, num_kept: numKept };
}

const reasons: Partial<Record<JobStatus, string>> = {
  done: 'it has ended',
  terminated: 'it has ended',
  disabled: 'it never runs',
  submitted: 'it has started',
  submitted_pending: 'it has started',
};
