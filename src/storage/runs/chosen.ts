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

/** Jobs that an error names, and jobs left out that a reply lists. */
const mostNamed = 5;
const mostKept = 1000;

/** Those of the chosen jobs that a change leaves as they are; `jobs` are the first of them. */
export interface KeptRows {
  numKept: number;
  jobs: ChosenRow[];
}

/**
 * The chosen jobs without those that have one of these statuses: a job may end while a person types. Throws what
 * `error` makes of them, as text, when no job is left.
 */
export function leaveOut(
  tx: Transaction,
  { keys }: Chosen,
  isLeftOut: (status: JobStatus) => boolean,
  error: (jobs: string) => TorcError,
): Chosen & { kept: KeptRows } {
  const statuses = JSON.stringify(jobStatuses.filter(isLeftOut));
  const listed = (which: 'IN' | 'NOT IN') =>
    `FROM ${jobsListed} WHERE j.status ${which} (SELECT value FROM json_each(?)) ORDER BY k.key`;
  const jobs = tx.db.all<ChosenRow>(
    `SELECT j.job_key AS jobKey, j.name, j.status ${listed('IN')} LIMIT ${mostKept}`,
    keys,
    statuses,
  );
  if (jobs.length === 0) return { keys, kept: { numKept: 0, jobs } };
  const left = tx.db.column<number>(`SELECT j.job_key ${listed('NOT IN')}`, keys, statuses);
  const numKept = (JSON.parse(keys) as number[]).length - left.length;
  if (left.length > 0) return { keys: JSON.stringify(left), kept: { numKept, jobs } };
  const shown = jobs.slice(0, mostNamed).map(({ jobKey, name, status }) => `${name} (job ${jobKey}) is ${status}`);
  throw error(`${shown.join(', ')}${numKept > mostNamed ? ` and ${numKept - mostNamed} more` : ''}`);
}
