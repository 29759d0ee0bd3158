/** The list of compute nodes: workers, running or ended. */
import { columns, type ListDefinition, labelsColumn } from '../columns.ts';

/** The Slurm job in which a compute node `n` is, its own one or that of the person who started it. */
export const shownSlurmJob = 'coalesce(n.slurm_job_id, n.enclosing_slurm_job_id)';

export const computeNodes: ListDefinition = {
  columns: [
    ...columns('key', 'compute_node_key', 'workflow_key', 'allocation_key'),
    ...columns('text', 'hostname'),
    ...columns('integer', 'pid'),
    ...columns('text', 'cluster', ['slurm_job_id', 'coalesce(slurm_job_id, enclosing_slurm_job_id)']),
    ...columns('integer', 'restart_count', 'num_nodes', 'num_cpus', 'memory_bytes', 'num_gpus', 'max_parallel_jobs'),
    ...columns('text', ['resources', "nullif(resources, '')"]),
    labelsColumn('labels'),
    ...columns('flag', 'takes_unlabelled', 'is_active'),
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
};
