/** Which jobs read and write what is declared. */
import { TorcError } from '../../base/errors.ts';
import { quoted } from '../../model/spec/names.ts';
import type { Transaction } from '../database/transaction.ts';

/** How many jobs an error names at most. */
const shownJobs = 5;

export interface Declared {
  /** As an error names it. */
  what: string;
  table: 'job_files' | 'job_user_data';
  column: 'file_key' | 'user_data_key';
  key: number;
}

/** Throws 'conflict' naming the jobs that read or write it. */
export function refuseUsed(tx: Transaction, { what, table, column, key }: Declared, hint: string): void {
  const jobs = tx.db.all<{ job_key: number; name: string; is_output: number }>(
    `SELECT j.job_key, j.name, u.is_output FROM ${table} u JOIN jobs j ON j.job_key = u.job_key
     WHERE u.${column} = ? ORDER BY u.is_output DESC, j.job_key LIMIT ?`,
    key,
    shownJobs + 1,
  );
  if (jobs.length === 0) return;
  const shown = jobs.slice(0, shownJobs).map((job) => {
    return `${quoted(job.name)} (key ${job.job_key}) ${job.is_output === 1 ? 'writes' : 'reads'} it`;
  });
  const more = jobs.length > shownJobs ? ', ..' : '';
  throw new TorcError('conflict', `${what} is in use: ${shown.join(', ')}${more}`, hint);
}
