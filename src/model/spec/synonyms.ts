/** What other systems, and earlier versions, call the keys of this format. */

const synonyms: Readonly<Record<string, readonly string[]>> = {
  jobs: ['tasks', 'rules', 'processes', 'stages', 'targets', 'job_names', 'job_name'],
  slurm_schedulers: ['schedulers', 'slurm', 'slurm_configs', 'executors', 'clusters', 'profiles'],
  slurm_defaults: ['sbatch_defaults', 'cluster_defaults', 'default_resources'],
  failure_handlers: ['error_handlers', 'retry_policies'],
  resource_monitor: ['monitor', 'monitoring'],
  actions: ['hooks', 'triggers', 'events'],
  metadata: ['labels', 'annotations', 'tags'],
  description: ['comment', 'doc', 'summary', 'title'],
  user: ['owner', 'author'],
  name: ['id', 'label', 'title', 'job_name', 'jobname', 'rule', 'task', 'key'],
  command: ['cmd', 'cmds', 'script', 'shell', 'run', 'exec', 'executable', 'cmdline', 'shell_command', 'program'],
  commands: ['command', 'cmd', 'cmds', 'script', 'run'],
  steps: ['tasks', 'commands', 'cmds'],
  invocation_script: ['wrapper', 'prolog', 'pre_script', 'setup', 'shebang', 'interpreter'],
  depends_on: [
    ...[
      'dependencies',
      'dependency',
      'depends',
      'deps',
      'after',
      'afterok',
      'needs',
      'requires',
      'parents',
      'upstream',
    ],
    ...['wait_for', 'runs_after', 'blocked_by', 'blocked_by_job', 'blocked_by_job_names'],
  ],
  depends_on_regexes: ['blocked_by_regexes', 'blocked_by_job_name_regexes'],
  input_files: ['inputs', 'input', 'in', 'reads', 'stage_in'],
  output_files: ['outputs', 'output', 'out', 'writes', 'produces', 'stage_out'],
  output_user_data: ['output_data_names'],
  input_user_data: ['input_data_names'],
  resource_requirements: ['resources', 'requirements', 'resource', 'resource_request', 'requests'],
  failure_handler: ['on_failure', 'on_error', 'error_handler', 'error_strategy', 'retry_policy'],
  parameters: ['params', 'matrix', 'sweep', 'foreach', 'with_items', 'scatter', 'array', 'variables', 'vars'],
  use_parameters: ['use_params', 'use'],
  priority: ['prio', 'nice'],
  scheduler: ['scheduler_name', 'queue', 'partition', 'executor', 'slurm_scheduler', 'config'],
  supports_termination: ['checkpoint', 'checkpointing', 'preemptible'],
  task_failure_is_success: ['ignore_failure', 'allow_failure', 'continue_on_error', 'ignore_exit_code'],
  path: ['file', 'filename', 'file_name', 'location', 'filepath', 'url'],
  data: ['value', 'content', 'json'],
  is_ephemeral: ['ephemeral', 'temporary', 'temp'],
  num_cpus: ['cpus', 'cpu', 'cores', 'ncpus', 'n_cpus', 'num_cores', 'threads', 'cpus_per_task', 'ppn', 'vcpus'],
  num_gpus: ['gpus', 'gpu', 'ngpus', 'n_gpus', 'gres'],
  num_nodes: ['nodes', 'node', 'n_nodes', 'nnodes', 'node_count'],
  memory: ['mem', 'ram', 'mem_mb', 'memory_mb', 'mem_gb', 'memory_gb', 'mem_per_node', 'memory_per_node'],
  runtime: [
    'walltime',
    'wall_time',
    'time',
    'time_limit',
    'timelimit',
    'timeout',
    'duration',
    'max_runtime',
    'maxexectime',
  ],
  walltime: ['time', 'time_limit', 'timelimit', 'runtime', 'wall_time', 'timeout', 'duration', 'max_walltime'],
  nodes: ['num_nodes', 'n_nodes', 'nnodes', 'node_count', 'nodes_per_block', 'select'],
  account: ['project', 'charge_account', 'project_account', 'allocation'],
  partition: ['queue', 'queue_name', 'partitions'],
  qos: ['quality_of_service'],
  mem: ['memory', 'ram', 'mem_per_node', 'memory_per_node'],
  tmp: ['disk', 'scratch', 'tmp_disk'],
  gres: ['gpus', 'gpu', 'num_gpus', 'gpus_per_node'],
  ntasks_per_node: ['tasks_per_node', 'ntasks', 'num_tasks_per_node'],
  extra: [
    'extra_args',
    'extra_options',
    'options',
    'args',
    'sbatch_options',
    'additional_options',
    'scheduler_options',
  ],
  exit_codes: ['exit_code', 'return_codes', 'return_code', 'codes', 'on_exit_code'],
  match_all_exit_codes: ['any', 'all', 'any_exit_code', 'match_all'],
  recovery_script: ['script', 'command', 'recovery', 'recovery_command'],
  causes: ['cause', 'reasons', 'on_cause', 'classes'],
  max_retries: ['retries', 'retry', 'retry_count', 'attempts', 'max_attempts', 'restart_times', 'maxretries'],
  retry_delay: ['delay', 'backoff', 'wait', 'retry_interval'],
  retry_backoff: ['backoff_factor', 'retry_factor'],
  trigger_type: ['trigger', 'on', 'when', 'event'],
  action_type: ['type', 'action'],
  num_allocations: ['allocations', 'count', 'num_jobs'],
  max_parallel_jobs: ['parallel', 'max_parallel', 'concurrency', 'max_jobs'],
  sample_interval_seconds: ['interval', 'sample_interval', 'interval_seconds'],
  granularity: ['mode', 'level'],
};

/** A word without the differences of style: case, dashes, underscores, spaces. */
export function folded(word: string): string {
  return word.toLowerCase().replaceAll(/[-_\s]/g, '');
}

/** The key of an object that a word of another system means; null when none does. */
export function keyMeant(word: string, keys: readonly string[]): string | null {
  const wanted = folded(word);
  const isMeant = (key: string): boolean =>
    folded(key) === wanted || (synonyms[key] ?? []).some((s) => folded(s) === wanted);
  return keys.find(isMeant) ?? null;
}
