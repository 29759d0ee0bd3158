/** The list of allocations: Slurm jobs that torc submitted. */
import { allocationStatuses } from '../../../model/status.ts';
import { columns, type ListDefinition, word } from '../columns.ts';

/** The workers of the allocation in the row. */
const ofAllocation = 'FROM compute_nodes n WHERE n.allocation_key = allocations.allocation_key';

export const allocations: ListDefinition = {
  columns: [
    ...columns('key', 'allocation_key', 'workflow_key', 'slurm_config_key'),
    ...columns('text', 'name'),
    word(allocationStatuses, 'status'),
    ...columns('text', 'cluster', 'slurm_job_id', 'slurm_state', 'slurm_reason'),
    ...columns('integer', 'num_nodes', 'min_cpus', 'min_memory_bytes', 'min_gpus'),
    ...columns('text', [
      'hostnames',
      `(SELECT group_concat(hostname) FROM (SELECT DISTINCT hostname ${ofAllocation}))`,
    ]),
    ...columns(
      'integer',
      // once it has ended, those that its last start had
      [
        'num_workers',
        `(SELECT count(*) ${ofAllocation} AND CASE status WHEN 'ended' THEN n.restart_count = allocations.restart_count
          ELSE n.is_active = 1 END)`,
      ],
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
};
