/** The list of results: attempts that have ended. */
import { causes, endStatuses, outcomes } from '../../../model/status.ts';
import { columns, type ListDefinition, word } from '../columns.ts';
import { otherResultStatuses } from '../status-words.ts';

const resultOutcome = `CASE a.end_status WHEN 'done' THEN CASE WHEN a.return_code = 0 THEN 'success'
  WHEN a.is_forgiven = 1 THEN 'forgiven' ELSE 'failed' END
  ELSE a.end_status END`;

/** Who marked a job as done; earlier versions kept the name elsewhere. */
const markedBy = `CASE a.cause WHEN 'marked' THEN (SELECT coalesce(e.who, e.data ->> 'by') FROM events e
  WHERE e.job_key = a.job_key AND e.attempt_key = a.attempt_key AND e.type = 'job_marked_done') END`;

export const results: ListDefinition = {
  columns: [
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
    ...columns('text', ['hostname', 'n.hostname'], ['slurm_job_id', 'n.slurm_job_id']),
    ...columns('key', ['compute_node_key', 'nullif(a.compute_node_key, 0)']),
    ...columns('integer', ['num_nodes', 'a.num_nodes']),
    ...columns('integer', ['num_cpus', 'a.num_cpus'], ['memory_bytes', 'a.memory_bytes']),
    ...columns('json', ['gpu_indices', 'a.gpu_indices']),
    ...columns('integer', ['exit_code', 'a.exit_code'], ['signal', 'a.signal']),
    ...columns('text', ['detail', 'a.detail']),
    ...columns('json', ['result', 'a.result'], ['inherited_from', 'a.inherited_from']),
    ...columns('text', ['marked_by', markedBy]),
  ],
  from: `attempts a JOIN jobs j ON j.job_key = a.job_key
    LEFT JOIN compute_nodes n ON n.compute_node_key = a.compute_node_key`,
  where: 'a.cause IS NOT NULL',
  latest: `NOT EXISTS (SELECT 1 FROM attempts later WHERE later.workflow_key = a.workflow_key
    AND later.job_key = a.job_key AND later.attempt_key > a.attempt_key AND later.cause IS NOT NULL)`,
  workflow: 'a.workflow_key',
  key: 'a.attempt_key',
};
