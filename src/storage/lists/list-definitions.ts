/**
 * Lists: each one's columns, as data, from which filters, sorting and the rows' rendering follow. A column that is not
 * here cannot be asked for, so no text of a request ever becomes SQL.
 */
import type { ListName } from '../../api/contract.ts';
import { actionTypes, stdioModes, triggerTypes } from '../../model/expanded.ts';
import { causes, jobStatuses, workflowStatuses } from '../../model/status.ts';
import { anyConfig } from '../running/shapes.ts';

export type Kind = 'text' | 'key' | 'integer' | 'seconds' | 'instant' | 'flag' | 'json';

export interface Column {
  name: string;
  kind: Kind;
  /** SQL expression; the name itself where it is not given. */
  sql?: string;
  /** Of a text that can be nothing else: what it can be. */
  values?: readonly string[];
}

export interface ListDefinition {
  columns: readonly Column[];
  from: string;
  /** Fixed condition. */
  where: string;
  /** Condition of the newest row of each job, where a list has several. */
  latest?: string;
  /** The column that filters by workflow, and the one that orders when nothing else is asked for. */
  workflow: string;
  key: string;
}

/** Columns of one kind: names, or names with the expression that they stand for. */
export function columns(kind: Kind, ...names: (string | [name: string, sql: string])[]): Column[] {
  return names.map((name) => (typeof name === 'string' ? { name, kind } : { name: name[0], kind, sql: name[1] }));
}

/** A text that is one of `values`. */
function word(values: readonly string[], name: string, sql: string = name): Column {
  return { name, kind: 'text', sql, values };
}

const outcomes = ['success', 'failed', 'canceled', 'terminated'] as const;
const endStatuses = ['done', 'canceled', 'terminated', 'lost'] as const;

const outcome = `CASE WHEN j.status = 'done' THEN CASE j.failed WHEN 1 THEN 'failed' ELSE 'success' END
  WHEN j.status IN ('canceled', 'terminated') THEN j.status END`;

const resultOutcome = `CASE a.end_status WHEN 'done' THEN CASE a.return_code WHEN 0 THEN 'success' ELSE 'failed' END
  ELSE a.end_status END`;

/** A job is orphaned when it is claimed and nothing that could end its attempt is left. */
const orphaned = `(j.status IN ('submitted', 'submitted_pending') AND coalesce(a.is_occupying = 0 OR n.is_active = 0, 1))`;

/** A result belongs to the job as it stands only while the status is still the one that the result gave it. */
const presentCause = `CASE WHEN a.end_status = j.status THEN a.cause WHEN ${orphaned} THEN a.lost_cause END`;

const requirementColumns: Column[] = [
  ...columns('integer', ['num_cpus', 's.num_cpus'], ['memory_bytes', 's.memory_bytes']),
  { name: 'num_gpus', kind: 'integer', sql: 's.gpu_thousandths / 1000.0' },
  ...columns('integer', ['num_nodes', 's.num_nodes']),
  ...columns('seconds', ['runtime_seconds', 's.runtime_ms']),
];

const countColumns: Column[] = [
  ...columns('integer', [
    'num_jobs',
    '(SELECT coalesce(sum(n), 0) FROM job_counts c WHERE c.workflow_key = w.workflow_key)',
  ]),
  ...['done', 'failed', 'canceled', 'terminated', 'ready', 'submitted', 'blocked'].map(
    (status): Column => ({
      name: `num_${status === 'submitted' ? 'running' : status}`,
      kind: 'integer',
      sql: `(SELECT coalesce(sum(n), 0) FROM job_counts c WHERE c.workflow_key = w.workflow_key AND ${countCondition(status)})`,
    }),
  ),
];

function countCondition(status: string): string {
  if (status === 'failed') return 'c.failed = 1';
  if (status === 'submitted') return `c.status IN ('submitted', 'submitted_pending')`;
  return `c.status = '${status}'`;
}

const anyActive = `EXISTS (SELECT 1 FROM job_counts c WHERE c.workflow_key = w.workflow_key AND c.n > 0 AND c.status IN`;

/** The same decision as `workflowStatus` of the model, as an expression; a test holds the two together. */
const workflowStatusSql = `CASE
  WHEN w.run_id = 0 THEN CASE w.is_canceled WHEN 1 THEN 'canceled' ELSE 'uninitialized' END
  WHEN ${anyActive} ('submitted', 'submitted_pending')) THEN 'running'
  WHEN w.is_canceled = 1 THEN 'canceled'
  WHEN ${anyActive} ('ready')) THEN CASE WHEN ${anyActive} ('done', 'terminated')) THEN 'running' ELSE 'ready' END
  WHEN w.has_timed_out = 1 THEN 'timeout'
  WHEN ${anyActive} ('terminated', 'canceled')) OR EXISTS (SELECT 1 FROM job_counts c
    WHERE c.workflow_key = w.workflow_key AND c.n > 0 AND c.failed = 1) THEN 'failed'
  WHEN ${anyActive} ('uninitialized')) THEN 'uninitialized'
  WHEN ${anyActive} ('blocked')) THEN 'running'
  ELSE 'done' END`;

/** The workers of the allocation in the row. */
const ofAllocation = 'FROM compute_nodes n WHERE n.allocation_key = allocations.allocation_key';

/** What has fired of the action in the row; what is only promised to a worker has not. */
const firingsOfAction = `FROM action_firings g WHERE g.action_key = a.action_key AND g.state <> 'reserved'`;

/** The commands, or the Slurm config and how many allocations. */
const actionWords = `CASE a.action_type
  WHEN 'run_commands' THEN (SELECT group_concat(value, '; ') FROM json_each(a.definition, '$.commands'))
  ELSE coalesce(json_extract(a.definition, '$.scheduler') || ' x ' || json_extract(a.definition, '$.num_allocations'),
    'a worker on this host') END`;

/** The newest firings of the action in the row. */
const firingsJson = `(SELECT json_group_array(json_object('firing_key', CAST(firing_key AS TEXT), 'run_id', run_id,
    'occurrence', occurrence, 'state', state, 'compute_node_key', CAST(compute_node_key AS TEXT),
    'num_attempts', num_attempts, 'fired_at', strftime('%Y-%m-%dT%H:%M:%fZ', fired_at / 1000.0, 'unixepoch'),
    'ended_at', strftime('%Y-%m-%dT%H:%M:%fZ', ended_at / 1000.0, 'unixepoch'), 'result', json(result), 'error', error))
  FROM (SELECT * ${firingsOfAction} ORDER BY g.firing_key DESC LIMIT 100))`;

export const definitions: Readonly<Record<ListName, ListDefinition>> = {
  workflows: {
    columns: [
      ...columns('key', ['workflow_key', 'w.workflow_key']),
      ...columns('text', ['name', 'w.name'], ['args', 'w.args'], ['user', 'w.user'], ['description', 'w.description']),
      ...columns('text', ['project', 'w.project']),
      ...columns('integer', ['run_id', 'w.run_id']),
      word(workflowStatuses, 'status', workflowStatusSql),
      ...countColumns,
      ...columns('flag', ['is_archived', 'w.is_archived']),
      word(stdioModes, 'stdio', 'w.stdio'),
      ...columns('instant', ['created_at', 'w.created_at'], ['started_at', 'w.started_at'], ['ended_at', 'w.ended_at']),
      ...columns('json', ['metadata', 'w.metadata']),
    ],
    from: 'workflows w',
    where: `w.phase IN ('created', 'starting', 'started')`,
    workflow: 'w.workflow_key',
    key: 'w.workflow_key',
  },
  jobs: {
    columns: [
      ...columns('key', ['job_key', 'j.job_key'], ['workflow_key', 'j.workflow_key']),
      ...columns('text', ['name', 'j.name']),
      word(jobStatuses, 'status', 'j.status'),
      word(outcomes, 'outcome', outcome),
      ...columns('integer', ['return_code', 'CASE WHEN a.end_status = j.status THEN a.return_code END']),
      word(causes, 'cause', presentCause),
      ...columns('flag', ['orphaned', orphaned]),
      ...columns('integer', ['run_id', 'a.run_id'], ['attempt_id', 'a.attempt_id'], ['priority', 'j.priority']),
      ...columns('integer', ['num_blockers', 'j.num_blockers']),
      ...columns('key', ['failed_upstream_key', 'j.failed_upstream_key']),
      ...columns('text', ['hostname', 'n.hostname'], ['slurm_job_id', 'n.slurm_job_id']),
      ...columns('text', ['resource_requirements', 'r.name']),
      ...requirementColumns,
      ...columns('text', ['scheduler', 'sc.name'], ['failure_handler', 'fh.name']),
      ...columns('integer', ['num_retries', 'j.num_retries']),
      ...columns('text', ['command', 'j.command'], ['invocation_script', 'j.invocation_script']),
      ...columns('flag', ['cancel_on_blocking_job_failure', 'j.cancel_on_blocking_job_failure']),
      ...columns('flag', ['supports_termination', 'j.supports_termination']),
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
  },
  results: {
    columns: [
      ...columns('key', ['job_key', 'a.job_key']),
      ...columns('text', ['job_name', 'j.name']),
      ...columns('key', ['workflow_key', 'a.workflow_key']),
      ...columns('integer', ['run_id', 'a.run_id'], ['attempt_id', 'a.attempt_id']),
      word(endStatuses, 'status', 'a.end_status'),
      word([...outcomes, 'lost'], 'outcome', resultOutcome),
      ...columns('integer', ['return_code', 'a.return_code']),
      word(causes, 'cause', 'a.cause'),
      ...columns('instant', ['start_time', 'a.started_at'], ['end_time', 'a.ended_at']),
      ...columns('seconds', ['exec_time_seconds', 'a.exec_ms']),
      ...columns('integer', ['peak_memory_bytes', 'a.peak_memory_bytes']),
      ...columns('integer', ['average_memory_bytes', 'a.average_memory_bytes']),
      ...columns('seconds', ['cpu_seconds', 'a.cpu_ms']),
      ...columns('text', ['hostname', 'n.hostname'], ['slurm_job_id', 'n.slurm_job_id']),
      ...columns('key', ['compute_node_key', 'a.compute_node_key']),
      ...columns('integer', ['num_nodes', 'a.num_nodes']),
      ...columns('integer', ['num_cpus', 'a.num_cpus'], ['memory_bytes', 'a.memory_bytes']),
      ...columns('json', ['gpu_indices', 'a.gpu_indices']),
      ...columns('integer', ['exit_code', 'a.exit_code'], ['signal', 'a.signal']),
      ...columns('text', ['detail', 'a.detail']),
    ],
    from: `attempts a JOIN jobs j ON j.job_key = a.job_key
      JOIN compute_nodes n ON n.compute_node_key = a.compute_node_key`,
    where: 'a.cause IS NOT NULL',
    latest: `NOT EXISTS (SELECT 1 FROM attempts later WHERE later.workflow_key = a.workflow_key
      AND later.job_key = a.job_key AND later.attempt_key > a.attempt_key AND later.cause IS NOT NULL)`,
    workflow: 'a.workflow_key',
    key: 'a.attempt_key',
  },
  files: {
    columns: [
      ...columns('key', 'file_key', 'workflow_key'),
      ...columns('text', 'name', 'path'),
      ...columns('integer', 'size_bytes'),
      ...columns('instant', 'modified_at'),
    ],
    from: 'files',
    where: '1',
    workflow: 'workflow_key',
    key: 'file_key',
  },
  compute_nodes: {
    columns: [
      ...columns('key', 'compute_node_key', 'workflow_key', 'allocation_key'),
      ...columns('text', 'hostname'),
      ...columns('integer', 'pid'),
      ...columns('text', 'cluster', 'slurm_job_id'),
      ...columns('integer', 'restart_count', 'num_nodes', 'num_cpus', 'memory_bytes', 'num_gpus', 'max_parallel_jobs'),
      ...columns('flag', 'is_active'),
      ...columns('integer', [
        'num_running',
        `(SELECT count(*) FROM attempts a WHERE a.compute_node_key = compute_nodes.compute_node_key AND a.is_occupying = 1)`,
      ]),
      ...columns('instant', 'started_at', 'last_heartbeat_at', 'contact_lost_at', 'ended_at'),
      ...columns('text', 'close_reason'),
    ],
    from: 'compute_nodes',
    where: '1',
    workflow: 'workflow_key',
    key: 'compute_node_key',
  },
  slurm_configs: {
    columns: [
      ...columns('key', 'slurm_config_key', 'workflow_key'),
      ...columns('text', 'name', 'account', 'partition', 'qos'),
      ...columns('integer', 'walltime_seconds', 'num_nodes', 'ntasks_per_node'),
      ...columns('text', 'mem', 'tmp', 'gres', 'extra'),
      // ready jobs that only workers of this config may take
      ...columns('integer', [
        'num_ready_jobs',
        `(SELECT count(*) FROM jobs j WHERE j.workflow_key = slurm_configs.workflow_key AND j.status = 'ready'
          AND j.shape_key IN (SELECT shape_key FROM shapes s WHERE s.workflow_key = slurm_configs.workflow_key
            AND s.slurm_config_key = slurm_configs.slurm_config_key))`,
      ]),
      // of ready jobs that workers of this config may take
      ...columns('integer', [
        'most_nodes_asked_for',
        `(SELECT coalesce(max(s.num_nodes), 0) FROM shapes s WHERE s.workflow_key = slurm_configs.workflow_key
          AND s.slurm_config_key IN (${anyConfig}, slurm_configs.slurm_config_key) AND EXISTS (SELECT 1 FROM jobs j
            WHERE j.workflow_key = s.workflow_key AND j.shape_key = s.shape_key AND j.status = 'ready'))`,
      ]),
    ],
    from: 'slurm_configs',
    where: '1',
    workflow: 'workflow_key',
    key: 'slurm_config_key',
  },
  allocations: {
    columns: [
      ...columns('key', 'allocation_key', 'workflow_key', 'slurm_config_key'),
      ...columns('text', 'name', 'status', 'cluster', 'slurm_job_id', 'slurm_state', 'slurm_reason'),
      ...columns('integer', 'num_nodes'),
      ...columns('text', [
        'hostnames',
        `(SELECT group_concat(hostname) FROM (SELECT DISTINCT hostname ${ofAllocation}))`,
      ]),
      ...columns(
        'integer',
        ['num_workers', `(SELECT count(*) ${ofAllocation} AND n.is_active = 1)`],
        [
          'num_jobs_done',
          `(SELECT count(*) FROM attempts a WHERE a.end_status = 'done'
            AND a.compute_node_key IN (SELECT n.compute_node_key ${ofAllocation}))`,
        ],
      ),
      ...columns('seconds', [
        'time_left_seconds',
        `CASE WHEN status = 'running' THEN max(0, expires_at - CAST(unixepoch('subsec') * 1000 AS INTEGER)) END`,
      ]),
      ...columns('integer', 'restart_count'),
      ...columns('flag', 'one_worker_per_node'),
      ...columns('text', 'script_path', 'output_directory', 'error'),
      ...columns('instant', 'created_at', 'submitted_at', 'started_at', 'expires_at', 'ended_at', 'checked_at'),
    ],
    from: 'allocations',
    where: '1',
    workflow: 'workflow_key',
    key: 'allocation_key',
  },
  actions: {
    columns: [
      ...columns('key', ['action_key', 'a.action_key'], ['workflow_key', 'a.workflow_key']),
      word(triggerTypes, 'trigger_type', 'a.trigger_type'),
      word(actionTypes, 'action_type', 'a.action_type'),
      ...columns('flag', ['persistent', 'a.is_persistent']),
      ...columns('integer', ['num_jobs', 'a.num_jobs'], ['num_jobs_awaited', 'a.num_unmet']),
      ...columns('integer', ['run_id', 'f.run_id']),
      ...columns('text', ['state', 'f.state']),
      ...columns('integer', ['num_firings', `(SELECT count(*) ${firingsOfAction})`]),
      ...columns('integer', ['num_failed', `(SELECT count(*) ${firingsOfAction} AND g.state = 'failed')`]),
      ...columns('text', ['what', actionWords], ['error', 'f.error']),
      ...columns('json', ['definition', 'a.definition'], ['firings', firingsJson]),
    ],
    from: `actions a LEFT JOIN action_firings f ON f.firing_key = (SELECT max(g.firing_key) ${firingsOfAction})`,
    where: '1',
    workflow: 'a.workflow_key',
    key: 'a.action_key',
  },
  user_data: {
    columns: [
      ...columns('key', 'user_data_key', 'workflow_key'),
      ...columns('text', 'name'),
      ...columns('flag', 'is_ephemeral'),
      ...columns('integer', 'version'),
      ...columns('json', 'data'),
    ],
    from: 'user_data',
    where: '1',
    workflow: 'workflow_key',
    key: 'user_data_key',
  },
  events: {
    columns: [
      ...columns('key', 'event_key'),
      ...columns('instant', ['timestamp', 'at']),
      ...columns('key', 'workflow_key', 'job_key'),
      ...columns('text', 'type'),
      word(jobStatuses, 'old_status'),
      word(jobStatuses, 'new_status'),
      ...columns('json', 'data'),
    ],
    from: 'events',
    where: '1',
    workflow: 'workflow_key',
    key: 'event_key',
  },
  resource_requirements: {
    columns: [
      ...columns(
        'key',
        ['resource_requirements_key', 'r.resource_requirements_key'],
        ['workflow_key', 'r.workflow_key'],
      ),
      ...columns('text', ['name', 'r.name']),
      ...requirementColumns,
    ],
    from: 'resource_requirements r JOIN shapes s ON s.shape_key = r.shape_key',
    where: 'r.name IS NOT NULL',
    workflow: 'r.workflow_key',
    key: 'r.resource_requirements_key',
  },
};
