/** The jobs that a plan was asked to change, by their keys: checked all at once, read a page at a time. */
import { TorcError } from '../../base/errors.ts';
import { type JobStatus, jobStatuses } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { jobsListed } from '../running/idle-moves.ts';

/** The part of a plan's changes that a reply has. */
export interface Page {
  skip: number;
  limit: number;
}

export interface Chosen {
  /** As a JSON list, in the order given. */
  keys: string;
}

export interface ChosenRow {
  jobKey: number;
  name: string;
  status: JobStatus;
}

/** Throws 'not_found' for a job of another workflow. */
export function readChosen(tx: Transaction, workflowKey: number, jobKeys: readonly number[]): Chosen {
  const keys = JSON.stringify(jobKeys);
  const [unknown] = tx.db.column<number>(
    `SELECT k.value FROM json_each(?) k LEFT JOIN jobs j ON j.job_key = k.value
     WHERE j.workflow_key IS NOT ? ORDER BY k.key LIMIT 1`,
    keys,
    workflowKey,
  );
  if (unknown === undefined) return { keys };
  throw new TorcError('not_found', `workflow ${workflowKey} has no job ${unknown}`, 'torc jobs list');
}

export function chosenRows(tx: Transaction, keys: string): ChosenRow[] {
  return tx.db.all<ChosenRow>(`SELECT j.job_key AS jobKey, j.name, j.status FROM ${jobsListed} ORDER BY k.key`, keys);
}

/** Jobs that an error names. */
const mostNamed = 5;

/** Throws what `error` makes of the jobs, as text, that have one of these statuses, if there are any. */
export function refuseStatuses(
  tx: Transaction,
  { keys }: Chosen,
  isRefused: (status: JobStatus) => boolean,
  error: (jobs: string) => TorcError,
): void {
  const refused = `FROM ${jobsListed} WHERE j.status IN (SELECT value FROM json_each(?))`;
  const values = [keys, JSON.stringify(jobStatuses.filter(isRefused))];
  const jobs = tx.db.all<ChosenRow>(
    `SELECT j.job_key AS jobKey, j.name, j.status ${refused} ORDER BY k.key LIMIT ${mostNamed}`,
    ...values,
  );
  if (jobs.length === 0) return;
  const [total = 0] = tx.db.column<number>(`SELECT count(*) ${refused}`, ...values);
  const shown = jobs.map(({ jobKey, name, status }) => `${name} (job ${jobKey}) is ${status}`);
  throw error(`${shown.join(', ')}${total > mostNamed ? ` and ${total - mostNamed} more` : ''}`);
}
