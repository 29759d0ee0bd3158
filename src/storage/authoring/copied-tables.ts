/**
 * What a copy of a workflow consists of: for each table its columns, copied as they are, made anew by an expression, or
 * left at what a new row has. A test compares them with the schema, so that a new column is decided about here.
 *
 * All keys of one table move by the same distance, which keeps every reference between the rows; the named parameters
 * of the expressions are those distances, the two workflows, and `@fresh`: the keys of the jobs that start anew as a
 * JSON list, NULL for all of them.
 */

import { copiedJobParts } from './copied-job-parts.ts';
import { copiedReactions } from './copied-reactions.ts';

export interface CopiedTable {
  table: string;
  /** The rows of the workflow `@source`, and what the expressions need besides. */
  from: string;
  /** Columns that keep their values. */
  same: readonly string[];
  /** Columns that are made anew. */
  made: Readonly<Record<string, string>>;
  /** Columns that a copy has as any new row has them. */
  unset: readonly string[];
}

const isFresh = (jobKey: string): string => `(@fresh IS NULL OR ${jobKey} IN (SELECT value FROM json_each(@fresh)))`;

/** Whether a node of the source holds its downstream back in the copy; the barriers of the copy are already stored. */
const holdsBack = `CASE WHEN e.upstream > 0 THEN ${isFresh('e.upstream')}
  ELSE (SELECT num_blockers FROM barriers b WHERE b.barrier_key = @barriers - e.upstream) > 0 END`;
const numBlockers = (node: string): string =>
  `(SELECT coalesce(sum(${holdsBack}), 0) FROM edges e WHERE e.downstream = ${node})`;
const moved = (node: string): string => `${node} + CASE WHEN ${node} > 0 THEN @jobs ELSE -@barriers END`;

const workflow = { workflow_key: '@target' };

/** In this order: some read what those before them have stored. */
export const copiedTables: readonly CopiedTable[] = [
  {
    table: 'workflows',
    from: 'workflows t WHERE t.workflow_key = @source',
    same: [
      ...[
        'description',
        'project',
        'metadata',
        'attributes',
        'env',
        'has_job_launch',
        'expiration_buffer_ms',
        'wait_for_new_jobs_ms',
      ],
      ...['ignore_workflow_completion', 'wait_for_healthy_database_ms', 'num_spec_jobs', 'num_spec_files'],
      ...['num_barriers', 'num_spec_user_data', 'sample_interval_ms', 'stdio', 'max_losses', 'base_directory'],
      ...['pin', 'execution'],
      ...['termination_signal', 'sigterm_lead_ms', 'create_output_folders', 'max_failures', 'timeout_ms'],
      ...['max_concurrent_jobs', 'has_results', 'max_dynamic_jobs', 'jobs_sort_method'],
    ],
    made: {
      ...workflow,
      name: 'coalesce(@name, t.name)',
      user: '@user',
      parent_workflow_key: '@parent',
      phase: `'created'`,
      first_job_key: 't.first_job_key + @jobs',
      first_file_key: 't.first_file_key + @files',
      first_user_data_key: 't.first_user_data_key + @userData',
      first_barrier_key: 't.first_barrier_key + @barriers',
      created_at: '@now',
    },
    // the original keeps its identity
    unset: [
      ...['tool', 'args', 'identity_hash', 'run_id', 'is_canceled', 'has_timed_out', 'paused_at', 'is_archived'],
      ...['started_at', 'ended_at', 'is_stopping', 'told_run_id', 'num_failures', 'has_failed_out', 'cancel_below'],
    ],
  },
  {
    table: 'slurm_configs',
    from: 'slurm_configs t WHERE t.workflow_key = @source',
    same: [
      ...['name', 'account', 'partition', 'qos', 'walltime_seconds', 'num_nodes', 'ntasks_per_node', 'mem', 'tmp'],
      ...['gres', 'extra', 'labels', 'also_unlabelled', 'fallback_order', 'resources'],
    ],
    made: { ...workflow, slurm_config_key: 't.slurm_config_key + @slurmConfigs' },
    unset: [],
  },
  {
    table: 'limits',
    from: 'limits t WHERE t.workflow_key = @source',
    same: ['name', 'maximum'],
    made: workflow,
    unset: [],
  },
  {
    table: 'failure_handlers',
    from: 'failure_handlers t WHERE t.workflow_key = @source',
    same: ['name', 'rules', 'is_plain'],
    made: { ...workflow, failure_handler_key: 't.failure_handler_key + @handlers' },
    unset: [],
  },
  {
    table: 'shapes',
    from: 'shapes t WHERE t.workflow_key = @source',
    same: [
      ...['num_cpus', 'memory_bytes', 'gpu_thousandths', 'num_nodes', 'runtime_ms', 'is_memory_stated'],
      ...['is_runtime_stated', 'sort_rank', 'supports_termination', 'labels', 'limits', 'expected_ms', 'resources'],
    ],
    made: {
      ...workflow,
      shape_key: 't.shape_key + @shapes',
      slurm_config_key: 'CASE t.slurm_config_key WHEN 0 THEN 0 ELSE t.slurm_config_key + @slurmConfigs END',
    },
    unset: [],
  },
  {
    table: 'resource_requirements',
    from: 'resource_requirements t WHERE t.workflow_key = @source',
    same: ['name'],
    made: {
      ...workflow,
      resource_requirements_key: 't.resource_requirements_key + @requirements',
      shape_key: 't.shape_key + @shapes',
    },
    unset: [],
  },
  {
    table: 'requirements_from_data',
    from: 'requirements_from_data t WHERE t.workflow_key = @source',
    same: ['fields'],
    made: { ...workflow, resource_requirements_key: 't.resource_requirements_key + @requirements' },
    unset: [],
  },
  {
    table: 'barriers',
    from: 'barriers t WHERE t.workflow_key = @source',
    same: [],
    made: {
      ...workflow,
      barrier_key: 't.barrier_key + @barriers',
      num_blockers: `(SELECT coalesce(sum(${isFresh('e.upstream')}), 0) FROM edges e WHERE e.downstream = -t.barrier_key)`,
    },
    unset: ['num_failed_upstreams'],
  },
  {
    table: 'jobs',
    from: 'jobs t WHERE t.workflow_key = @source ORDER BY t.job_key',
    same: [
      ...['name', 'command', 'identity', 'invocation_script', 'priority', 'cancel_on_blocking_job_failure'],
      ...['supports_termination', 'task_failure_is_success', 'max_wait_ms'],
    ],
    made: {
      ...workflow,
      job_key: 't.job_key + @jobs',
      stem_key: 't.stem_key + @stems',
      resource_requirements_key: 't.resource_requirements_key + @requirements',
      shape_key: 't.shape_key + @shapes',
      failure_handler_key: 't.failure_handler_key + @handlers',
      status: `CASE WHEN ${isFresh('t.job_key')} THEN 'uninitialized' ELSE t.status END`,
      num_blockers: numBlockers('t.job_key'),
      attempt_key: `CASE WHEN NOT ${isFresh('t.job_key')} AND t.status = 'done' THEN t.attempt_key + @attempts END`,
    },
    unset: [
      'expires_at',
      ...['failed', 'failure', 'num_failed_upstreams', 'failed_upstream_key', 'is_command_changed', 'num_retries'],
      ...['recovery_attempt_key', 'recovery_rule'],
    ],
  },
  ...copiedJobParts,
  {
    table: 'added_jobs',
    from: 'added_jobs t WHERE t.workflow_key = @source ORDER BY t.job_key',
    same: ['digest'],
    made: { ...workflow, job_key: 't.job_key + @jobs', parent_key: 't.parent_key + @jobs' },
    unset: [],
  },
  {
    table: 'edges',
    from: `edges t WHERE t.upstream IN (SELECT job_key FROM jobs WHERE workflow_key = @source
      UNION ALL SELECT -barrier_key FROM barriers WHERE workflow_key = @source)`,
    same: [],
    made: { upstream: moved('t.upstream'), downstream: moved('t.downstream') },
    unset: [],
  },
  {
    // the ends that are inherited: nothing of them ran in the copy
    table: 'attempts',
    from: `jobs n JOIN attempts t ON t.attempt_key = n.attempt_key - @attempts
      WHERE n.workflow_key = @target AND n.attempt_key IS NOT NULL ORDER BY n.job_key`,
    same: [
      ...['num_cpus', 'memory_bytes', 'gpu_thousandths', 'gpu_indices', 'num_nodes', 'claimed_at', 'started_at'],
      ...['ended_at', 'end_status', 'return_code', 'exit_code', 'exec_ms', 'peak_memory_bytes'],
      ...['average_memory_bytes', 'cpu_ms', 'is_forgiven', 'result', 'inputs_digest'],
    ],
    made: {
      ...workflow,
      attempt_key: 'n.attempt_key',
      job_key: 'n.job_key',
      shape_key: 't.shape_key + @shapes',
      run_id: '0',
      attempt_id: '1',
      compute_node_key: '0',
      is_live: '0',
      is_occupying: '0',
      cause: `'inherited'`,
      inherited_from: `coalesce(t.inherited_from, json_object('workflow_key', CAST(t.workflow_key AS TEXT),
        'job_key', CAST(t.job_key AS TEXT), 'run_id', t.run_id, 'attempt_id', t.attempt_id))`,
    },
    unset: [
      ...['stop_reason', 'signal', 'detail', 'sampled_at', 'lost_cause', 'diagnosis', 'node_indices', 'is_ahead'],
      ...['limits', 'scaled', 'resources', 'slurm_step'],
      ...['log_kind', 'log_slot', 'log_offset', 'log_length', 'claim_event', 'start_event', 'end_event', 'is_loss'],
    ],
  },
  {
    table: 'files',
    from: 'files t WHERE t.workflow_key = @source',
    same: ['name', 'path'],
    made: {
      ...workflow,
      file_key: 't.file_key + @files',
      ...ofInherited('t', ['size_bytes', 'modified_at', 'content_hash'], '@fresh IS NOT NULL'),
    },
    unset: [],
  },
  {
    table: 'job_files',
    from: 'jobs n JOIN job_files t ON t.job_key = n.job_key - @jobs WHERE n.workflow_key = @target ORDER BY n.job_key',
    same: ['is_output'],
    made: {
      job_key: 'n.job_key',
      file_key: 't.file_key + @files',
      ...ofInherited('t', ['size_bytes', 'modified_us', 'changed_us', 'content_hash'], `n.status = 'done'`),
    },
    unset: [],
  },
  {
    // what jobs wrote belongs to their results; what people stored belongs to the workflow
    table: 'user_data',
    from: 'user_data t WHERE t.workflow_key = @source',
    same: ['name', 'is_ephemeral'],
    made: {
      ...workflow,
      user_data_key: 't.user_data_key + @userData',
      data: `CASE WHEN t.version > 0
          AND EXISTS (SELECT 1 FROM job_user_data u WHERE u.user_data_key = t.user_data_key AND u.is_output = 1)
          AND NOT EXISTS (SELECT 1 FROM job_user_data u JOIN jobs n ON n.job_key = u.job_key + @jobs
            WHERE u.user_data_key = t.user_data_key AND u.is_output = 1 AND n.status = 'done')
        THEN NULL ELSE t.data END`,
      version: 'CASE WHEN @fresh IS NULL THEN 0 ELSE t.version END',
    },
    unset: [],
  },
  {
    table: 'job_user_data',
    from: `jobs n JOIN job_user_data t ON t.job_key = n.job_key - @jobs
      WHERE n.workflow_key = @target ORDER BY n.job_key`,
    same: ['is_output'],
    made: {
      job_key: 'n.job_key',
      user_data_key: 't.user_data_key + @userData',
      ...ofInherited('t', ['version'], `n.status = 'done'`),
    },
    unset: [],
  },
  ...copiedReactions,
];

/** Tables of a workflow that a copy has no rows of. */
export const tablesNotCopied = [
  'action_firings',
  'allocations',
  'autoscalers',
  'attempt_gpus',
  'compute_nodes',
  'due',
  'events',
  'holds',
  // counted from the jobs of the copy
  'job_counts',
  'messages',
  'orphans',
  'recoveries',
  'runs',
  // a copy belongs to no schedule
  'ticks',
  // of what ran in the original
  'usage',
  'worker_times',
] as const;

/** Columns that keep their values where a condition holds. */
function ofInherited(table: string, columns: readonly string[], condition: string): Record<string, string> {
  return Object.fromEntries(columns.map((name) => [name, `CASE WHEN ${condition} THEN ${table}.${name} END`]));
}
