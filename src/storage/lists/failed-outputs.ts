/** The failed jobs of a workflow with the places of what their newest attempts wrote. */
import type { FailedOutput, Reply, Request } from '../../api/contract.ts';
import { type Json, parseJson } from '../../base/exact-json.ts';
import type { Cause } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { getWorkflow, jobCounts } from '../running/workflows.ts';
import { sqlOf } from './columns.ts';
import { type NamedPlace, placeColumns, placeOf } from './log-places.ts';

const orphansLeft = `SELECT a.job_key FROM orphans o JOIN attempts a ON a.attempt_key = o.attempt_key
  WHERE o.workflow_key = @workflow AND o.is_left = 1 AND a.job_key > @after`;

/** In the order of keys, of jobs with a larger key than `@after`: together, the pages walk the jobs of the workflow once. */
export const failedKeys = `SELECT job_key FROM jobs WHERE workflow_key = @workflow AND job_key > @after
    AND (failed = 1 OR status = 'terminated')
  UNION ${orphansLeft} ORDER BY 1 LIMIT @limit`;

/** The same where no job is terminated: each page finds all that failed, and sorts them. */
const fewFailedKeys = `SELECT job_key FROM jobs INDEXED BY jobs_failed
    WHERE workflow_key = @workflow AND failed = 1 AND job_key > @after
  UNION ${orphansLeft} ORDER BY 1 LIMIT @limit`;

/** Sorting so many takes less time than walking a million jobs. */
const mostSorted = 50_000;

/** In the order of the columns: rows as objects take half as long again. */
type Row = [
  job_key: string,
  job_name: string,
  attempt_key: number | null,
  run_id: number,
  attempt_id: number,
  return_code: number | null,
  cause: Cause | null,
  hostname: string | null,
  memory_bytes: number,
  inherited_from: string | null,
  output_directory: string | null,
  worker_id: NamedPlace['worker_id'],
  stdio: NamedPlace['stdio'],
  log_kind: NamedPlace['log_kind'],
  log_slot: NamedPlace['log_slot'],
  log_offset: number | null,
  log_length: number | null,
];

const failedJobs = (
  keys: string,
): string => `SELECT CAST(j.job_key AS TEXT), j.name, a.attempt_key, a.run_id, a.attempt_id,
    a.return_code, coalesce(a.cause, a.lost_cause), n.hostname, a.memory_bytes, a.inherited_from,
    ${placeColumns.map(sqlOf).join(', ')}
  FROM (${keys}) failed CROSS JOIN jobs j ON j.job_key = failed.job_key
  LEFT JOIN attempts a ON a.attempt_key = j.attempt_key
  LEFT JOIN compute_nodes n ON n.compute_node_key = a.compute_node_key ORDER BY j.job_key`;

/** Throws TorcError 'not_found' for a workflow that is not there. Only right after `flushCounts`. */
export function readFailedOutputs(tx: Transaction, request: Request<'failed_outputs'>): Reply<'failed_outputs'> {
  const { limit } = request;
  const { workflowKey } = getWorkflow(tx, Number(request.workflow_key));
  const scope = { workflow: workflowKey, after: Number(request.after ?? 0), limit: limit + 1 };
  const { failed, terminated } = jobCounts(tx, workflowKey);
  const keys = terminated === 0 && failed <= mostSorted ? fewFailedKeys : failedKeys;
  const rows = tx.db.allRows<Row>(failedJobs(keys), scope);
  return { jobs: rows.slice(0, limit).map(shownFailed), more: rows.length > limit };
}

function shownFailed(row: Row): FailedOutput {
  // by their indices: a pattern of a list goes through an iterator, which takes many times as long
  const { 0: job_key, 1: job_name, 2: attempt_key, 3: run_id, 4: attempt_id, 5: return_code, 6: cause } = row;
  const { 7: hostname, 8: memory_bytes, 9: inherited_from, 10: output_directory, 11: worker_id, 12: stdio } = row;
  const { 13: log_kind, 14: log_slot, 15: log_offset, 16: log_length } = row;
  if (attempt_key === null) return { job_key, job_name, attempt: null };
  const { kind, paths } =
    output_directory === null
      ? ({ kind: 'unknown', paths: null } as const)
      : placeOf({ job_key, run_id, attempt_id, worker_id, stdio, log_kind, log_slot }, output_directory);
  const attempt = {
    job_key,
    run_id,
    attempt_id,
    return_code,
    cause,
    hostname,
    memory_bytes,
    inherited_from: inherited_from === null ? null : (parseJson(inherited_from) as Json),
    log_kind: kind,
    log_offset,
    log_length,
    stdout_path: paths?.stdoutPath ?? null,
    stderr_path: paths?.stderrPath ?? null,
  };
  return { job_key, job_name, attempt };
}
