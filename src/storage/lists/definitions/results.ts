/** The list of results: attempts that have ended. */
import { causes, endStatuses, outcomes } from '../../../model/status.ts';
import { causesOfSuccess, isUnsuccessfulSql } from '../../running/attempt-sets.ts';
import { type Column, type Condition, columns, findable, type ListDefinition, word } from '../columns.ts';
import { otherResultStatuses } from '../status-words.ts';
import { shownSlurmJob } from './compute-nodes.ts';

/** Of attempts `a`. */
export const resultOutcome = `CASE a.end_status WHEN 'done' THEN CASE WHEN a.return_code = 0 THEN 'success'
  WHEN a.is_forgiven = 1 THEN 'forgiven' ELSE 'failed' END
  ELSE a.end_status END`;

/** Who marked a job as done; earlier versions kept the name elsewhere. */
const markedBy = `CASE a.cause WHEN 'marked' THEN (SELECT coalesce(e.who, e.data ->> 'by') FROM events e
  WHERE e.job_key = a.job_key AND e.attempt_key = a.attempt_key AND e.type = 'job_marked_done') END`;

const resultColumns: Column[] = [
  ...columns('key', ['job_key', 'a.job_key']),
  ...columns('text', ['job_name', 'j.name']),
  ...columns('key', ['workflow_key', 'a.workflow_key']),
  ...columns('integer', ['run_id', 'a.run_id'], ['attempt_id', 'a.attempt_id']),
  word(endStatuses, 'status', 'a.end_status', otherResultStatuses),
  word([...outcomes, 'lost'], 'outcome', resultOutcome),
  ...columns('integer', ['return_code', 'a.return_code']),
  word(causes, 'cause', 'a.cause'),
  ...columns('instant', ['start_time', 'a.started_at'], ['end_time', 'a.ended_at']),
  ...columns('seconds', ['exec_time_seconds', 'a.exec_ms']),
  ...columns('integer', ['peak_memory_bytes', 'a.peak_memory_bytes']),
  ...columns('integer', ['average_memory_bytes', 'a.average_memory_bytes']),
  ...columns('seconds', ['cpu_seconds', 'a.cpu_ms']),
  ...columns('text', ['hostname', 'n.hostname'], ['slurm_job_id', shownSlurmJob]),
  ...columns('text', ['slurm_step_id', `${shownSlurmJob} || '.' || a.slurm_step`]),
  ...columns('key', ['compute_node_key', 'nullif(a.compute_node_key, 0)']),
  ...columns('integer', ['num_nodes', 'a.num_nodes']),
  ...columns('integer', ['num_cpus', 'a.num_cpus'], ['memory_bytes', 'a.memory_bytes']),
  ...columns('integer', ['requested_memory_bytes', 'CASE s.is_memory_stated WHEN 1 THEN s.memory_bytes END']),
  ...columns('seconds', ['requested_runtime_seconds', 'CASE s.is_runtime_stated WHEN 1 THEN s.runtime_ms END']),
  ...columns('json', ['scaled', 'a.scaled']),
  ...columns('json', ['gpu_indices', 'a.gpu_indices']),
  ...columns('integer', ['exit_code', 'a.exit_code'], ['signal', 'a.signal']),
  ...columns('text', ['detail', 'a.detail']),
  ...columns('json', ['result', 'a.result'], ['inherited_from', 'a.inherited_from']),
  ...columns('text', ['marked_by', markedBy]),
];

/** Rows with one of these values in a column, among those that did not end with success. */
const unsuccessful =
  (sql: string, ...ofSuccess: readonly unknown[]) =>
  (workflowKey: number, values: readonly unknown[]) => {
    if (values.some((each) => ofSuccess.includes(each))) return null;
    const rows = `SELECT a.attempt_key FROM attempts a WHERE a.workflow_key = ? AND ${isUnsuccessfulSql}
    AND ${sql} IN (SELECT value FROM json_each(?))`;
    return { sql: rows, values: [workflowKey, JSON.stringify(values)] };
  };

/** Rows of these workers. */
const ranOn = (column: string) => (workflowKey: number, values: readonly unknown[]) => {
  const sql = `SELECT a.attempt_key FROM compute_nodes n CROSS JOIN attempts a ON a.compute_node_key = n.compute_node_key
    WHERE n.workflow_key = ? AND ${column} IN (SELECT value FROM json_each(?))`;
  return { sql, values: [workflowKey, JSON.stringify(values)] };
};

function ofJobs(workflowKey: number, jobKeys: readonly unknown[]): Condition {
  const sql = `SELECT a.attempt_key FROM attempts a WHERE a.workflow_key = ? AND a.job_key IN (SELECT value FROM json_each(?))`;
  return { sql, values: [workflowKey, JSON.stringify(jobKeys)] };
}

function ofJobNames(workflowKey: number, names: readonly unknown[]): Condition {
  const sql = `SELECT a.attempt_key FROM jobs j CROSS JOIN attempts a ON a.workflow_key = j.workflow_key AND a.job_key = j.job_key
    WHERE j.workflow_key = ? AND j.name IN (SELECT value FROM json_each(?))`;
  return { sql, values: [workflowKey, JSON.stringify(names)] };
}

const found = {
  job_key: ofJobs,
  job_name: ofJobNames,
  status: unsuccessful('a.end_status', 'done'),
  outcome: unsuccessful(resultOutcome, 'success'),
  return_code: unsuccessful('a.return_code', 0),
  cause: unsuccessful('a.cause', ...causesOfSuccess),
  hostname: ranOn('n.hostname'),
  slurm_job_id: ranOn(shownSlurmJob),
  compute_node_key: ranOn('n.compute_node_key'),
};

export const results: ListDefinition = {
  columns: findable(resultColumns, found),
  from: `attempts a LEFT JOIN jobs j ON j.job_key = a.job_key
    LEFT JOIN compute_nodes n ON n.compute_node_key = a.compute_node_key
    LEFT JOIN shapes s ON s.shape_key = a.shape_key`,
  where: 'a.cause IS NOT NULL',
  latest: `NOT EXISTS (SELECT 1 FROM attempts later WHERE later.workflow_key = a.workflow_key
    AND later.job_key = a.job_key AND later.attempt_key > a.attempt_key AND later.cause IS NOT NULL)`,
  workflow: 'a.workflow_key',
  key: 'a.attempt_key',
};
