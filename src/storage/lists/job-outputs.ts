/** Jobs with their attempts and the places of what those wrote: those that were named, or the failed ones of a workflow. */
import type { JobOutputs, Reply, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import type { JobStatus } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { getWorkflow } from '../running/workflows.ts';
import { attempts } from './attempts.ts';
import type { ListDefinition } from './columns.ts';
import { failedKeys } from './failed-outputs.ts';
import { lastRecords } from './lists.ts';
import { type StoredAttempt, withPlace } from './log-places.ts';

/** Attempts of one job that are told at most: the newest. */
const mostAttempts = 1000;

/** Results may be large, and nobody asks for them here. */
const withoutResults: ListDefinition = {
  ...attempts,
  columns: attempts.columns.map((column) => (column.name === 'result' ? { ...column, sql: 'NULL' } : column)),
};

interface JobRow {
  job_key: number;
  workflow_key: number;
  name: string;
  command: string;
  status: JobStatus;
  attempt_key: number | null;
  run_id: number | null;
  attempt_id: number | null;
  orphaned: number;
}

const namedKeys = `SELECT job_key FROM jobs WHERE job_key IN (SELECT CAST(value AS INTEGER) FROM json_each(@keys))
  AND (@workflow IS NULL OR workflow_key = @workflow) AND job_key > @after ORDER BY 1 LIMIT @limit`;

/** Throws TorcError 'not_found' for a workflow, or a key, that is not there. */
export function readOutputs(tx: Transaction, request: Request<'jobs_outputs'>): Reply<'jobs_outputs'> {
  const { workflow_key, job_keys, limit } = request;
  if (workflow_key === null && job_keys === null) throw new TorcError('usage', 'jobs_outputs: no workflow and no jobs');
  const workflow = workflow_key === null ? null : getWorkflow(tx, Number(workflow_key)).workflowKey;
  const after = Number(request.after ?? 0);
  const scope = { workflow, after, limit: limit + 1, ...(job_keys === null ? {} : { keys: JSON.stringify(job_keys) }) };
  const rows = tx.db.all<JobRow>(chosenJobs(job_keys === null ? failedKeys : namedKeys), scope);
  if (job_keys !== null && after === 0) refuseUnknown(job_keys, rows, limit, workflow);
  const page = rows.slice(0, limit);
  const found = request.all_attempts ? allAttempts(tx, page) : newestAttempts(tx, page);
  return {
    jobs: page.map((row) => ({ job: shownJob(row), attempts: found.get(row.job_key) ?? [] })),
    more: rows.length > limit,
  };
}

function chosenJobs(keys: string): string {
  return `SELECT j.job_key, j.workflow_key, j.name, j.command, j.status, j.attempt_key, a.run_id, a.attempt_id,
      j.status IN ('submitted', 'submitted_pending') AND coalesce(a.is_occupying = 0 OR n.is_active = 0, 1) AS orphaned
    FROM (${keys}) chosen CROSS JOIN jobs j ON j.job_key = chosen.job_key
    LEFT JOIN attempts a ON a.attempt_key = j.attempt_key
    LEFT JOIN compute_nodes n ON n.compute_node_key = a.compute_node_key ORDER BY j.job_key`;
}

function refuseUnknown(keys: readonly string[], rows: readonly JobRow[], limit: number, workflow: number | null): void {
  const known = new Set(rows.map((row) => String(row.job_key)));
  const unknown = rows.length > limit ? undefined : keys.find((key) => !known.has(key));
  if (unknown === undefined) return;
  if (workflow === null) throw new TorcError('not_found', `there is no job ${unknown}`, 'torc jobs list');
  throw new TorcError('not_found', `workflow ${workflow} has no job ${unknown}`, `torc jobs list -k ${workflow}`);
}

function shownJob({
  job_key,
  workflow_key,
  name,
  command,
  status,
  orphaned,
  run_id,
  attempt_id,
}: JobRow): JobOutputs['job'] {
  const keys = { job_key: String(job_key), workflow_key: String(workflow_key) };
  return { ...keys, name, command, status, orphaned: orphaned === 1, run_id, attempt_id };
}

type Attempts = Map<number, JobOutputs['attempts']>;

function newestAttempts(tx: Transaction, rows: readonly JobRow[]): Attempts {
  const keys = rows.flatMap(({ attempt_key }) => attempt_key ?? []);
  const condition = 'a.attempt_key IN (SELECT value FROM json_each(?))';
  const found = lastRecords<StoredAttempt>(tx.db, withoutResults, condition, [JSON.stringify(keys)], keys.length);
  return new Map(found.map((row) => [Number(row.job_key), [withPlace(row)]]));
}

function allAttempts(tx: Transaction, rows: readonly JobRow[]): Attempts {
  return new Map(
    rows.map(({ job_key, workflow_key }) => {
      const values = [workflow_key, job_key];
      const condition = 'a.workflow_key = ? AND a.job_key = ?';
      return [
        job_key,
        lastRecords<StoredAttempt>(tx.db, withoutResults, condition, values, mostAttempts).map(withPlace),
      ];
    }),
  );
}
