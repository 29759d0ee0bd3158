/** What a job of an exported workflow waits for, in the words of a specification. */
import type { ExportedJob } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import type { Transaction } from '../database/transaction.ts';
import { hasUpstreamOrder, inDeclaredOrder } from '../running/upstream-orders.ts';

/** A job with an order of its own names every job behind its barriers, unless there are more than a request can have. */
export function dependencesOf(tx: Transaction, jobKey: number): Pick<ExportedJob, 'depends_on' | 'barriers'> {
  const sql = 'SELECT -upstream AS key FROM edges WHERE downstream = ? AND upstream < 0';
  const barriers = tx.db.all<{ key: number }>(sql, jobKey).map(({ key }) => String(key));
  if (barriers.length > 0 && hasUpstreamOrder(tx, jobKey)) {
    const jobs = tx.db.all<{ name: string; jobKey: number }>(
      `SELECT DISTINCT j.name, j.job_key AS jobKey FROM jobs j WHERE j.job_key IN (
         SELECT upstream FROM edges WHERE downstream = ? AND upstream > 0
         UNION SELECT b.upstream FROM edges e JOIN edges b ON b.downstream = e.upstream
           WHERE e.downstream = ? AND e.upstream < 0) ORDER BY j.job_key LIMIT ?`,
      jobKey,
      jobKey,
      limits.listPage + 1,
    );
    const depends_on = inDeclaredOrder(tx, jobKey, jobs).map((row) => row.name);
    if (depends_on.length <= limits.listPage) return { depends_on, barriers: [] };
  }
  return { depends_on: dependsOn(tx, jobKey), barriers };
}

/** The jobs that it names as dependencies: without those that write what it reads, which follow from that. */
function dependsOn(tx: Transaction, jobKey: number): string[] {
  const jobs = tx.db.all<{ name: string; jobKey: number }>(
    `SELECT j.name, j.job_key AS jobKey FROM edges e JOIN jobs j ON j.job_key = e.upstream WHERE e.downstream = ?
       AND e.upstream NOT IN (SELECT o.job_key FROM job_files i JOIN job_files o ON o.file_key = i.file_key
         WHERE i.job_key = ? AND i.is_output = 0 AND o.is_output = 1)
       AND e.upstream NOT IN (SELECT o.job_key FROM job_user_data i JOIN job_user_data o
         ON o.user_data_key = i.user_data_key WHERE i.job_key = ? AND i.is_output = 0 AND o.is_output = 1)
       ORDER BY j.job_key`,
    jobKey,
    jobKey,
    jobKey,
  );
  return inDeclaredOrder(tx, jobKey, jobs).map((row) => row.name);
}

/** The names of the files or user data that a job reads, or with `isOutput` 1 writes. */
export function usedNames(tx: Transaction, jobKey: number, kind: 'files' | 'user_data', isOutput: number): string[] {
  const [uses, key] = kind === 'files' ? ['job_files', 'file_key'] : ['job_user_data', 'user_data_key'];
  return tx.db
    .all<{ name: string }>(
      `SELECT d.name FROM ${uses} u JOIN ${kind} d ON d.${key} = u.${key}
       WHERE u.job_key = ? AND u.is_output = ? ORDER BY d.${key}`,
      jobKey,
      isOutput,
    )
    .map((row) => row.name);
}
