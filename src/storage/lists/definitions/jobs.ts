/** The list of jobs, each with its last attempt. */
import { causes, jobStatuses, outcomes } from '../../../model/status.ts';
import { columns, type ListDefinition, labelsColumn, limitsColumn, word } from '../columns.ts';
import { otherJobStatuses } from '../status-words.ts';
import { requirementColumns } from './resource-requirements.ts';

const outcome = `CASE WHEN j.status = 'done' THEN CASE WHEN j.failed = 1 THEN 'failed'
  WHEN a.is_forgiven = 1 THEN 'forgiven' ELSE 'success' END
  WHEN j.status IN ('canceled', 'terminated') THEN j.status END`;

/** A job is orphaned when it is claimed and nothing that could end its attempt is left. */
const orphaned = `(j.status IN ('submitted', 'submitted_pending') AND coalesce(a.is_occupying = 0 OR n.is_active = 0, 1))`;

/** A person keeps it from starting. */
const held = `EXISTS (SELECT 1 FROM holds h WHERE h.job_key = j.job_key AND h.kind = 'person')`;

/** A result describes the job only while the job still has the status that the result gave it. */
const presentCause = `CASE WHEN a.end_status = j.status THEN a.cause WHEN ${orphaned} THEN a.lost_cause END`;

const attributes = '(SELECT t.attributes FROM job_attributes t WHERE t.job_key = j.job_key)';

export const jobs: ListDefinition = {
  columns: [
    ...columns('key', ['job_key', 'j.job_key'], ['workflow_key', 'j.workflow_key']),
    ...columns('text', ['name', 'j.name']),
    word(jobStatuses, 'status', 'j.status', otherJobStatuses),
    word(outcomes, 'outcome', outcome),
    ...columns('integer', ['return_code', 'CASE WHEN a.end_status = j.status THEN a.return_code END']),
    word(causes, 'cause', presentCause),
    ...columns('flag', ['orphaned', orphaned], ['held', held]),
    ...columns('integer', ['run_id', 'a.run_id'], ['attempt_id', 'a.attempt_id'], ['priority', 'j.priority']),
    ...columns('integer', ['num_blockers', 'j.num_blockers']),
    ...columns('key', ['failed_upstream_key', 'j.failed_upstream_key']),
    ...columns('text', ['hostname', 'n.hostname'], ['slurm_job_id', 'n.slurm_job_id']),
    ...columns('text', ['resource_requirements', 'r.name']),
    ...requirementColumns,
    ...columns('text', ['scheduler', 'sc.name']),
    labelsColumn('s.labels'),
    limitsColumn('s.limits'),
    ...columns('text', ['failure_handler', 'fh.name']),
    ...columns('integer', ['num_retries', 'j.num_retries']),
    ...columns('text', ['command', 'j.command'], ['invocation_script', 'j.invocation_script']),
    ...columns('flag', ['cancel_on_blocking_job_failure', 'j.cancel_on_blocking_job_failure']),
    ...columns('flag', ['supports_termination', 'j.supports_termination']),
    ...columns('flag', ['task_failure_is_success', 'j.task_failure_is_success']),
    ...columns('seconds', ['max_wait_seconds', 'j.max_wait_ms']),
    ...columns('instant', ['expires_at', `CASE j.status WHEN 'ready' THEN j.expires_at END`]),
    ...columns('texts', ['attributes', attributes]),
  ],
  from: `jobs j LEFT JOIN shapes s ON s.shape_key = j.shape_key
    LEFT JOIN slurm_configs sc ON sc.slurm_config_key = s.slurm_config_key
    LEFT JOIN failure_handlers fh ON fh.failure_handler_key = j.failure_handler_key
    LEFT JOIN resource_requirements r ON r.resource_requirements_key = j.resource_requirements_key
    LEFT JOIN attempts a ON a.attempt_key = j.attempt_key
    LEFT JOIN compute_nodes n ON n.compute_node_key = a.compute_node_key`,
  where: '1',
  workflow: 'j.workflow_key',
  key: 'j.job_key',
  attributes,
};
