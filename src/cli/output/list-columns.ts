/** The default columns of lists as text; JSON and CSV have all columns. */
import type { ListName } from '../../api/contract.ts';
import type { Context } from '../context/context.ts';

/** Free text is last, so that a space in it shifts no other column. */
export const textColumns: Readonly<Record<ListName, readonly string[]>> = {
  workflows: [
    'workflow_key',
    'status',
    'run_id',
    'num_jobs',
    'num_done',
    'num_failed',
    'num_canceled',
    'num_running',
    'user',
    'created_at',
    'name',
  ],
  jobs: ['job_key', 'status', 'return_code', 'cause', 'orphaned', 'run_id', 'attempt_id', 'hostname', 'name'],
  results: [
    'job_key',
    'run_id',
    'attempt_id',
    'status',
    'return_code',
    'cause',
    'exec_time_seconds',
    'peak_memory_bytes',
    'hostname',
    'slurm_job_id',
    'job_name',
    'result',
  ],
  runs: [
    'run_id',
    'how',
    'who',
    'status',
    'num_jobs',
    'num_done',
    'num_failed',
    'num_canceled',
    'started_at',
    'elapsed_seconds',
  ],
  files: ['file_key', 'size_bytes', 'modified_at', 'name', 'path'],
  compute_nodes: [
    'compute_node_key',
    'hostname',
    'pid',
    'slurm_job_id',
    'num_nodes',
    'num_cpus',
    'memory_bytes',
    'num_gpus',
    'labels',
    'is_active',
    'num_running',
    'started_at',
    'last_heartbeat_at',
    'ended_at',
  ],
  slurm_configs: [
    'slurm_config_key',
    'name',
    'account',
    'partition',
    'qos',
    'walltime_seconds',
    'num_nodes',
    'mem',
    'gres',
    'tmp',
    'labels',
    'extra',
  ],
  allocations: [
    'allocation_key',
    'slurm_job_id',
    'status',
    'slurm_state',
    'hostnames',
    'num_workers',
    'num_jobs_done',
    'time_left_seconds',
    'name',
    'error',
  ],
  notifications: ['notification_key', 'kind', 'events', 'num_sent', 'num_failed', 'state', 'error', 'target'],
  user_data: ['user_data_key', 'is_ephemeral', 'name', 'data'],
  actions: [
    'action_key',
    'trigger_type',
    'action_type',
    'persistent',
    'num_jobs_awaited',
    'run_id',
    'num_firings',
    'num_failed',
    'state',
    'what',
    'error',
  ],
  events: ['event_key', 'timestamp', 'type', 'job_key', 'old_status', 'new_status', 'who', 'data'],
  resource_requirements: [
    'resource_requirements_key',
    'num_cpus',
    'memory_bytes',
    'num_gpus',
    'resources',
    'num_nodes',
    'runtime_seconds',
    'from_data',
    'name',
  ],
};

/** On a terminal names come first, where they are not the first to be left out; in a pipe they are last. */
export function usualColumns({ terminal }: Context, list: ListName, isOfSeveral = false): readonly string[] {
  const columns = [...(isOfSeveral ? ['workflow_key'] : []), ...textColumns[list]];
  if (list === 'events' && terminal.isStdoutTerminal) {
    return [...columns.filter((column) => column !== 'event_key'), 'event_key'];
  }
  const name = list === 'results' ? 'job_name' : 'name';
  if (!terminal.isStdoutTerminal || !columns.includes(name)) return columns;
  return [name, ...columns.filter((column) => column !== name)];
}
