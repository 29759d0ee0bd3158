/** Lost attempts: they count neither as failures nor more often than allowed, and memory that ran out brings nothing back. */
import type { Database } from '../../src/storage/database/database.ts';

export function brokenLosses(db: Database): string[] {
  const often = db
    .all<{ job_key: number; run_id: number; n: number }>(
      `SELECT a.job_key, a.run_id, count(*) AS n, w.max_losses FROM attempts a JOIN workflows w USING (workflow_key)
       WHERE a.is_loss = 1 GROUP BY 1, 2 HAVING n > w.max_losses`,
    )
    .map((row) => `job ${row.job_key} came back ${row.n} times in run ${row.run_id}`);
  const failures = db
    .all<{ job_key: number; num_retries: number }>(
      `SELECT j.job_key, j.num_retries FROM jobs j WHERE j.num_retries > (SELECT count(*) FROM attempts a
         WHERE a.workflow_key = j.workflow_key AND a.job_key = j.job_key AND (a.end_status = 'done' AND a.return_code <> 0
           OR a.end_status = 'lost' AND a.cause = 'oom' AND a.scaled IS NOT NULL))`,
    )
    .map((row) => `job ${row.job_key} has used ${row.num_retries} retries, more than it has failed`);
  const wrong = db
    .all<{ attempt_key: number; end_status: string; cause: string }>(
      `SELECT attempt_key, end_status, cause FROM attempts WHERE is_loss = 1 AND (return_code IS NOT NULL
         OR end_status NOT IN ('lost', 'terminated')
         OR cause = 'oom' AND json_extract(diagnosis, '$.role') IS NOT 'victim')`,
    )
    .map((row) => `attempt ${row.attempt_key} counts as a loss but ended as ${row.end_status}, cause ${row.cause}`);
  return [...often, ...failures, ...wrong];
}
