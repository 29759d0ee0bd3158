/** The list of jobs, each with its last attempt. */
import { causes, jobStatuses, outcomes } from '../../../model/status.ts';
import { causesOfSuccess, isUnsuccessfulSql, liveAttemptsSql } from '../../running/attempt-sets.ts';
import {
  type Column,
  type Condition,
  columns,
  findable,
  type ListDefinition,
  labelsColumn,
  limitsColumn,
  word,
} from '../columns.ts';
import { otherJobStatuses } from '../status-words.ts';
import { shownSlurmJob } from './compute-nodes.ts';
import { requirementColumns } from './resource-requirements.ts';

/** How a job `j` with the last attempt `a` ended. */
export const outcomeSql = `CASE WHEN j.status = 'done' THEN CASE WHEN j.failed = 1 THEN 'failed'
  WHEN a.is_forgiven = 1 THEN 'forgiven' ELSE 'success' END
  WHEN j.status IN ('canceled', 'terminated') THEN j.status END`;

/** A job is orphaned when it is claimed and nothing that could end its attempt is left. */
const orphaned = `(j.status IN ('submitted', 'submitted_pending') AND coalesce(a.is_occupying = 0 OR n.is_active = 0, 1))`;

/** A person keeps it from starting. */
const held = `EXISTS (SELECT 1 FROM holds h WHERE h.job_key = j.job_key AND h.kind = 'person')`;

/** A result describes the job only while the job still has the status that the result gave it. */
const presentCause = `CASE WHEN a.end_status = j.status THEN a.cause WHEN ${orphaned} THEN a.lost_cause END`;

const attributes = '(SELECT t.attributes FROM job_attributes t WHERE t.job_key = j.job_key)';

const jobColumns: Column[] = [
  ...columns('key', ['job_key', 'j.job_key'], ['workflow_key', 'j.workflow_key']),
  ...columns('text', ['name', 'j.name']),
  word(jobStatuses, 'status', 'j.status', otherJobStatuses),
  word(outcomes, 'outcome', outcomeSql),
  ...columns('integer', ['return_code', 'CASE WHEN a.end_status = j.status THEN a.return_code END']),
  word(causes, 'cause', presentCause),
  ...columns('flag', ['orphaned', orphaned], ['held', held]),
  ...columns('integer', ['run_id', 'a.run_id'], ['attempt_id', 'a.attempt_id'], ['priority', 'j.priority']),
  ...columns('integer', ['num_blockers', 'j.num_blockers']),
  ...columns('key', ['failed_upstream_key', 'j.failed_upstream_key']),
  ...columns('text', ['hostname', 'n.hostname'], ['slurm_job_id', shownSlurmJob]),
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
];

const claimed = (workflowKey: number): Condition => {
  return { sql: liveAttemptsSql('a.job_key'), values: [workflowKey, workflowKey] };
};

/** Jobs of which an attempt meets a condition, whether or not it is the last one. */
const tried = (column: string) => (workflowKey: number, values: readonly unknown[]) => {
  const sql = `SELECT a.job_key FROM attempts a WHERE a.workflow_key = ? AND ${column} IN (SELECT value FROM json_each(?))`;
  return { sql, values: [workflowKey, JSON.stringify(values)] };
};

/** The same, where attempts with other values than these did not succeed: they are in an index of their own. */
const triedUnsuccessfully =
  (column: string, ofSuccess: readonly unknown[]) => (workflowKey: number, values: readonly unknown[]) => {
    const { sql, ...rest } = tried(column)(workflowKey, values);
    return { sql: values.some((each) => ofSuccess.includes(each)) ? sql : `${sql} AND ${isUnsuccessfulSql}`, ...rest };
  };

/** Jobs that ran on these workers. */
const ranOn = (column: string) => (workflowKey: number, values: readonly unknown[]) => {
  const sql = `SELECT a.job_key FROM compute_nodes n CROSS JOIN attempts a ON a.compute_node_key = n.compute_node_key
    WHERE n.workflow_key = ? AND ${column} IN (SELECT value FROM json_each(?))`;
  return { sql, values: [workflowKey, JSON.stringify(values)] };
};

function withStatus(workflowKey: number, statuses: readonly unknown[]): Condition | null {
  if (statuses.every((status) => status === 'submitted' || status === 'submitted_pending')) return claimed(workflowKey);
  if (statuses.some((status) => status !== 'ready')) return null;
  return { sql: `SELECT job_key FROM jobs WHERE workflow_key = ? AND status = 'ready'`, values: [workflowKey] };
}

function withOutcome(workflowKey: number, found: readonly unknown[]): Condition | null {
  if (found.some((each) => each !== 'failed')) return null;
  return { sql: 'SELECT job_key FROM jobs WHERE workflow_key = ? AND failed = 1', values: [workflowKey] };
}

const endedWith = triedUnsuccessfully('a.cause', causesOfSuccess);

/** That of the last attempt, or, of a claimed job, of what lost it. */
function withCause(workflowKey: number, found: readonly unknown[]): Condition {
  const [ended, open] = [endedWith(workflowKey, found), claimed(workflowKey)];
  return { sql: `${ended.sql} UNION ALL ${open.sql}`, values: [...ended.values, ...open.values] };
}

function withHold(workflowKey: number, [isHeld]: readonly unknown[]): Condition | null {
  const sql = `SELECT job_key FROM holds WHERE workflow_key = ? AND kind = 'person'`;
  return isHeld === 1 ? { sql, values: [workflowKey] } : null;
}

const found = {
  status: withStatus,
  outcome: withOutcome,
  cause: withCause,
  held: withHold,
  orphaned: (workflowKey: number, [isOrphaned]: readonly unknown[]) => (isOrphaned === 1 ? claimed(workflowKey) : null),
  return_code: triedUnsuccessfully('a.return_code', [0]),
  run_id: tried('a.run_id'),
  hostname: ranOn('n.hostname'),
  slurm_job_id: ranOn(shownSlurmJob),
};

export const jobs: ListDefinition = {
  columns: findable(jobColumns, found),
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
