/** Jobs that were added to a stored workflow: the same request again, from whoever added it, is the same job. */
import { hash } from 'node:crypto';
import type { AddedJob, Reply } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { quoted } from '../../model/spec/names.ts';
import type { JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';

/** Who added a job, and what it was. */
export interface Addition {
  /** The job whose attempt added it; null for a person. */
  parentKey: number | null;
  digest: string;
}

/** Equal for requests that state the same, with whatever else says how the job is added. */
export function additionDigest(job: AddedJob, how: object = {}): string {
  const stated = Object.entries({ ...job, attributes: sorted(job.attributes), env: sorted(job.env), ...how });
  const text = JSON.stringify(stated.filter(([, value]) => !isNothing(value)).sort(([a], [b]) => (a < b ? -1 : 1)));
  return hash('sha256', text, 'hex');
}

function sorted(texts: Readonly<Record<string, string>> | undefined): [string, string][] {
  return Object.entries(texts ?? {}).sort();
}

/** What is not stated is the same as what is stated to be missing. */
function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === false || (Array.isArray(value) && value.length === 0);
}

/** The stored job that was added by the same request; null while the name is free. Throws 'conflict' for another job of the name. */
export function knownJob(
  tx: Transaction,
  workflowKey: number,
  { name }: AddedJob,
  { parentKey, digest }: Addition,
): Reply<'jobs_add'>['jobs'][number] | null {
  const known = tx.db.get<{ job_key: number; status: JobStatus; parent_key: number | null; digest: string | null }>(
    `SELECT j.job_key, j.status, a.parent_key, a.digest FROM jobs j LEFT JOIN added_jobs a ON a.job_key = j.job_key
     WHERE j.workflow_key = ? AND j.name = ?`,
    workflowKey,
    name,
  );
  if (known === undefined) return null;
  const { job_key: jobKey, status } = known;
  if (known.digest === digest && known.parent_key === parentKey) {
    return { job_key: String(jobKey), name, status, is_new: false };
  }
  const other = known.digest === null || known.parent_key !== parentKey ? '' : ' and was added with another definition';
  throw new TorcError(
    'conflict',
    `job ${jobKey} already has the name ${quoted(name)}${other}`,
    `Choose another name; torc jobs show ${jobKey} shows what it is.`,
  );
}

export function noteAddition(
  tx: Transaction,
  workflowKey: number,
  jobKey: number,
  { parentKey, digest }: Addition,
): void {
  const sql = 'INSERT OR REPLACE INTO added_jobs (job_key, workflow_key, parent_key, digest) VALUES (?, ?, ?, ?)';
  tx.db.run(sql, jobKey, workflowKey, parentKey, digest);
}

/** How a job was added, as exports say it; null for one that the workflow was created with. */
export function exportedAddition(tx: Transaction, jobKey: number): { added_by: string | null; digest: string } | null {
  const row = tx.db.get<{ added_by: string | null; digest: string }>(
    `SELECT p.name AS added_by, a.digest FROM added_jobs a LEFT JOIN jobs p ON p.job_key = a.parent_key
     WHERE a.job_key = ?`,
    jobKey,
  );
  return row ?? null;
}

/** Whether a job, by this expression for its key, was added by a running job: no specification has it. */
export function isChildSql(jobKey: string): string {
  return `EXISTS (SELECT 1 FROM added_jobs c WHERE c.job_key = ${jobKey} AND c.parent_key IS NOT NULL)`;
}

/** How many jobs the running jobs of a workflow have added. */
export function countChildren(tx: Transaction, workflowKey: number): number {
  const sql = 'SELECT count(*) AS n FROM added_jobs WHERE workflow_key = ? AND parent_key IS NOT NULL';
  return tx.db.get<{ n: number }>(sql, workflowKey)?.n ?? 0;
}
