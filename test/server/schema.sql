CREATE TABLE action_firings (
  firing_key INTEGER PRIMARY KEY AUTOINCREMENT,
  action_key INTEGER NOT NULL,
  workflow_key INTEGER NOT NULL,
  run_id INTEGER NOT NULL,
  -- 1, and higher only of persistent actions
  occurrence INTEGER NOT NULL,
  -- 'reserved' for the end of a worker, 'pending', 'claimed', 'done', 'failed'
  state TEXT NOT NULL,
  -- the worker that it is about; it runs the commands of its own start and end
  compute_node_key INTEGER,
  -- the epoch of the server that last took it up, and how often one did
  epoch INTEGER,
  num_attempts INTEGER NOT NULL DEFAULT 0,
  fired_at INTEGER NOT NULL,
  -- when its first command was started
  began_at INTEGER,
  ended_at INTEGER,
  result TEXT,
  error TEXT
) STRICT;

CREATE UNIQUE INDEX action_firings_once ON action_firings (action_key, run_id, occurrence);

CREATE INDEX action_firings_open ON action_firings (state) WHERE state IN ('reserved', 'pending', 'claimed');

CREATE INDEX action_firings_workflow ON action_firings (workflow_key);

CREATE TABLE action_jobs (
  job_key INTEGER NOT NULL,
  action_key INTEGER NOT NULL,
  PRIMARY KEY (job_key, action_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX action_jobs_action ON action_jobs (action_key);

CREATE TABLE actions (
  action_key INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_key INTEGER NOT NULL,
  trigger_type TEXT NOT NULL,
  action_type TEXT NOT NULL,
  is_persistent INTEGER NOT NULL,
  -- JSON: commands, or scheduler and what else nodes are scheduled with
  definition TEXT NOT NULL,
  working_directory TEXT NOT NULL,
  output_directory TEXT NOT NULL,
  num_jobs INTEGER NOT NULL DEFAULT 0,
  -- of the jobs that the trigger is about, those that are not yet ready or have not yet ended
  num_unmet INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX actions_workflow ON actions (workflow_key);

CREATE TABLE added_jobs (
  job_key INTEGER PRIMARY KEY,
  workflow_key INTEGER NOT NULL,
  -- the job whose attempt added it; NULL for a person
  parent_key INTEGER,
  digest TEXT NOT NULL
) STRICT;

CREATE INDEX added_jobs_workflow ON added_jobs (workflow_key, parent_key);

CREATE TABLE allocations (
  allocation_key INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_key INTEGER NOT NULL,
  slurm_config_key INTEGER NOT NULL,
  name TEXT NOT NULL UNIQUE,
  -- 'recorded', 'submitted', 'refused', 'running', 'ended'
  status TEXT NOT NULL,
  cluster TEXT,
  slurm_job_id TEXT,
  num_nodes INTEGER NOT NULL,
  one_worker_per_node INTEGER NOT NULL,
  script_path TEXT NOT NULL,
  output_directory TEXT NOT NULL,
  error TEXT,
  created_at INTEGER NOT NULL,
  submitted_at INTEGER,
  started_at INTEGER,
  ended_at INTEGER
, slurm_state TEXT, slurm_reason TEXT, restart_count INTEGER NOT NULL DEFAULT 0, expires_at INTEGER, checked_at INTEGER, absent_since INTEGER, evidence TEXT, is_autoscaled INTEGER NOT NULL DEFAULT 0, walltime_ms INTEGER, outcome TEXT, judged_at INTEGER, unneeded_since INTEGER, cancel_asked_at INTEGER, min_cpus INTEGER, min_memory_bytes INTEGER, min_gpus INTEGER) STRICT;

CREATE INDEX allocations_workflow ON allocations (workflow_key);

CREATE TABLE attempt_gpus (
  compute_node_key INTEGER NOT NULL,
  gpu_index INTEGER NOT NULL,
  attempt_key INTEGER NOT NULL,
  gpu_thousandths INTEGER NOT NULL,
  PRIMARY KEY (compute_node_key, gpu_index, attempt_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
  attempt_key INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_key INTEGER NOT NULL,
  job_key INTEGER NOT NULL,
  run_id INTEGER NOT NULL,
  attempt_id INTEGER NOT NULL,
  compute_node_key INTEGER NOT NULL,
  -- live: it decides what becomes of the job; occupying: a process of it may exist
  is_live INTEGER NOT NULL DEFAULT 1,
  is_occupying INTEGER NOT NULL DEFAULT 1,
  -- 'cancel' or 'superseded' once it was asked to end
  stop_reason TEXT,
  -- resources frozen at the claim; the GPU indices as a JSON list
  num_cpus INTEGER NOT NULL,
  memory_bytes INTEGER NOT NULL,
  gpu_thousandths INTEGER NOT NULL,
  gpu_indices TEXT,
  claimed_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  -- how it ended: 'done', 'canceled' or 'terminated' of a result; 'returned' or 'lost' without one
  end_status TEXT,
  return_code INTEGER,
  cause TEXT,
  exit_code INTEGER,
  signal INTEGER,
  detail TEXT,
  exec_ms INTEGER,
  peak_memory_bytes INTEGER,
  average_memory_bytes INTEGER,
  cpu_ms INTEGER
, sampled_at INTEGER, lost_cause TEXT, diagnosis TEXT, num_nodes INTEGER NOT NULL DEFAULT 1, node_indices TEXT, is_ahead INTEGER NOT NULL DEFAULT 0, log_kind TEXT, log_slot INTEGER, log_offset INTEGER, log_length INTEGER, claim_event INTEGER, start_event INTEGER, end_event INTEGER, is_loss INTEGER NOT NULL DEFAULT 0, inherited_from TEXT, is_forgiven INTEGER NOT NULL DEFAULT 0, limits TEXT, result TEXT, inputs_digest TEXT, shape_key INTEGER, scaled TEXT, resources TEXT, slurm_step TEXT) STRICT;

CREATE INDEX attempts_inherited ON attempts (workflow_key, CAST(inherited_from ->> '$.workflow_key' AS INTEGER))
  WHERE inherited_from IS NOT NULL;

CREATE INDEX attempts_job ON attempts (workflow_key, job_key);

CREATE INDEX attempts_node ON attempts (compute_node_key, is_occupying);

CREATE INDEX attempts_unsuccessful ON attempts (workflow_key)
  WHERE cause IS NOT NULL AND (return_code IS NOT 0 OR end_status IS NOT 'done');

CREATE INDEX attempts_workflow ON attempts (workflow_key);

CREATE TABLE autoscalers (
  workflow_key INTEGER PRIMARY KEY,
  min_nodes INTEGER NOT NULL,
  max_nodes INTEGER NOT NULL,
  max_queued INTEGER NOT NULL,
  idle_ms INTEGER NOT NULL,
  -- NULL for as long as what is left needs, at most that of the Slurm config
  walltime_ms INTEGER,
  -- NULL for any of the workflow's
  slurm_config_key INTEGER,
  -- NULL for that of the Slurm config
  nodes_per_allocation INTEGER,
  max_parallel_jobs INTEGER,
  is_chain INTEGER NOT NULL,
  output_directory TEXT NOT NULL,
  -- failed starts before this instant are forgiven
  set_at INTEGER NOT NULL,
  -- the decision of the last look, as JSON
  decision TEXT
) STRICT;

CREATE TABLE barriers (
  barrier_key INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_key INTEGER NOT NULL,
  num_blockers INTEGER NOT NULL DEFAULT 0,
  num_failed_upstreams INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX barriers_workflow ON barriers (workflow_key);

CREATE TABLE compute_nodes (
  compute_node_key INTEGER PRIMARY KEY AUTOINCREMENT,
  worker_id TEXT NOT NULL UNIQUE,
  workflow_key INTEGER NOT NULL,
  allocation_key INTEGER,
  hostname TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  pid INTEGER NOT NULL,
  cluster TEXT,
  slurm_job_id TEXT,
  restart_count INTEGER NOT NULL,
  num_cpus INTEGER NOT NULL,
  memory_bytes INTEGER NOT NULL,
  num_gpus INTEGER NOT NULL,
  max_parallel_jobs INTEGER,
  is_active INTEGER NOT NULL DEFAULT 1,
  started_at INTEGER NOT NULL,
  last_heartbeat_at INTEGER NOT NULL,
  ended_at INTEGER
, working_directory TEXT, output_directory TEXT, start_ticks INTEGER, contact_lost_at INTEGER, fenced_at INTEGER, close_reason TEXT, num_nodes INTEGER NOT NULL DEFAULT 1, stdio TEXT NOT NULL DEFAULT 'files', walltime_ms INTEGER, labels TEXT NOT NULL DEFAULT '', takes_unlabelled INTEGER NOT NULL DEFAULT 1, resources TEXT NOT NULL DEFAULT '', enclosing_slurm_job_id TEXT) STRICT;

CREATE INDEX compute_nodes_allocation ON compute_nodes (allocation_key) WHERE allocation_key IS NOT NULL;

CREATE INDEX compute_nodes_workflow ON compute_nodes (workflow_key);

CREATE TABLE drawings (
  workflow_key INTEGER PRIMARY KEY,
  first_job_key INTEGER NOT NULL,
  num_jobs INTEGER NOT NULL,
  -- as JSON: groups, edges between them, and runs of jobs of one group
  drawing TEXT NOT NULL
) STRICT;

CREATE TABLE due (
  due_key INTEGER PRIMARY KEY AUTOINCREMENT,
  -- on the wall clock; a duration moves along when that clock is set
  due_at INTEGER NOT NULL,
  set_at INTEGER NOT NULL,
  -- 'hold': the hold with this key ends; 'firing': scheduling nodes for this firing is tried again; 'worker_commands':
  -- the commands of this compute node, which has ended, are given up
  kind TEXT NOT NULL,
  workflow_key INTEGER NOT NULL,
  subject_key INTEGER NOT NULL
) STRICT;

CREATE INDEX due_next ON due (due_at);

CREATE UNIQUE INDEX due_subject ON due (kind, subject_key);

CREATE INDEX due_workflow ON due (workflow_key, kind, due_at);

CREATE TABLE edges (
  upstream INTEGER NOT NULL,
  downstream INTEGER NOT NULL,
  PRIMARY KEY (upstream, downstream)
) STRICT, WITHOUT ROWID;

CREATE INDEX edges_downstream ON edges (downstream);

CREATE TABLE events (
  event_key INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  workflow_key INTEGER NOT NULL,
  job_key INTEGER,
  attempt_key INTEGER,
  type TEXT NOT NULL,
  old_status TEXT,
  new_status TEXT,
  data TEXT
, who TEXT) STRICT;

CREATE INDEX events_job ON events (job_key) WHERE job_key IS NOT NULL;

CREATE INDEX events_workflow ON events (workflow_key);

CREATE TABLE failure_handlers (
  failure_handler_key INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_key INTEGER NOT NULL,
  name TEXT NOT NULL,
  -- in order, as JSON: [{exit_codes, match_all_exit_codes, recovery_script, max_retries}]
  rules TEXT NOT NULL
, is_plain INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE UNIQUE INDEX failure_handlers_name ON failure_handlers (workflow_key, name);

CREATE TABLE files (
  file_key INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_key INTEGER NOT NULL,
  name TEXT NOT NULL,
  path TEXT NOT NULL,
  size_bytes INTEGER,
  modified_at INTEGER,
  content_hash TEXT
) STRICT;

CREATE UNIQUE INDEX files_name ON files (workflow_key, name);

CREATE TABLE holds (
  hold_key INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_key INTEGER NOT NULL,
  job_key INTEGER NOT NULL,
  kind TEXT NOT NULL,
  until INTEGER
, detail TEXT) STRICT;

CREATE INDEX holds_job ON holds (job_key);

CREATE INDEX holds_person ON holds (workflow_key) WHERE kind = 'person';

CREATE TABLE items (
  item_key INTEGER PRIMARY KEY AUTOINCREMENT,
  schedule_key INTEGER NOT NULL,
  -- an item with an id counts once
  id TEXT,
  -- JSON; empty when its workflow has it
  data TEXT NOT NULL,
  -- the run that takes it; NULL while it waits
  tick_key INTEGER,
  put_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX items_id ON items (schedule_key, id) WHERE id IS NOT NULL;

CREATE INDEX items_tick ON items (tick_key) WHERE tick_key IS NOT NULL;

CREATE INDEX items_waiting ON items (schedule_key, item_key) WHERE tick_key IS NULL;

CREATE TABLE job_attributes (
  job_key INTEGER PRIMARY KEY,
  attributes TEXT NOT NULL
) STRICT;

CREATE TABLE job_counts (
  workflow_key INTEGER NOT NULL,
  status TEXT NOT NULL,
  failed INTEGER NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (workflow_key, status, failed)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_files (
  job_key INTEGER NOT NULL,
  file_key INTEGER NOT NULL,
  is_output INTEGER NOT NULL, size_bytes INTEGER, modified_us INTEGER, changed_us INTEGER, content_hash TEXT,
  PRIMARY KEY (job_key, file_key, is_output)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_files_file ON job_files (file_key);

CREATE TABLE job_launch (
  job_key INTEGER PRIMARY KEY,
  launch TEXT NOT NULL
) STRICT;

CREATE TABLE job_user_data (
  job_key INTEGER NOT NULL,
  user_data_key INTEGER NOT NULL,
  is_output INTEGER NOT NULL, version INTEGER,
  PRIMARY KEY (job_key, user_data_key, is_output)
) STRICT, WITHOUT ROWID;

CREATE INDEX job_user_data_data ON job_user_data (user_data_key);

CREATE TABLE jobs (
  job_key INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_key INTEGER NOT NULL,
  name TEXT NOT NULL,
  command TEXT NOT NULL,
  invocation_script TEXT,
  resource_requirements_key INTEGER,
  shape_key INTEGER NOT NULL,
  status TEXT NOT NULL DEFAULT 'uninitialized',
  failed INTEGER NOT NULL DEFAULT 0,
  priority INTEGER NOT NULL DEFAULT 0,
  -- unfinished upstreams and holds; blocked means above 0
  num_blockers INTEGER NOT NULL DEFAULT 0,
  num_failed_upstreams INTEGER NOT NULL DEFAULT 0,
  -- the upstream for whose failure this job was canceled
  failed_upstream_key INTEGER,
  cancel_on_blocking_job_failure INTEGER NOT NULL DEFAULT 1,
  supports_termination INTEGER NOT NULL DEFAULT 0,
  -- the newest attempt: live while the job is submitted_pending or submitted
  attempt_key INTEGER
, is_command_changed INTEGER NOT NULL DEFAULT 0, failure_handler_key INTEGER, num_retries INTEGER NOT NULL DEFAULT 0, recovery_attempt_key INTEGER, recovery_rule INTEGER, task_failure_is_success INTEGER NOT NULL DEFAULT 0, max_wait_ms INTEGER, expires_at INTEGER, identity TEXT, failure TEXT, stem_key INTEGER) STRICT;

CREATE TRIGGER jobs_asking AFTER UPDATE OF stem_key, shape_key ON jobs
  WHEN OLD.stem_key IS NOT NEW.stem_key OR OLD.shape_key <> NEW.shape_key
BEGIN
  UPDATE stem_requests SET num_jobs = num_jobs - 1
    WHERE workflow_key = OLD.workflow_key AND stem_key = OLD.stem_key AND shape_key = OLD.shape_key;
  INSERT INTO stem_requests (workflow_key, stem_key, shape_key, num_jobs)
    SELECT NEW.workflow_key, NEW.stem_key, NEW.shape_key, 1 WHERE NEW.stem_key IS NOT NULL
    ON CONFLICT DO UPDATE SET num_jobs = num_jobs + 1;
END;

CREATE INDEX jobs_expiring ON jobs (workflow_key, expires_at) WHERE status = 'ready' AND expires_at IS NOT NULL;

CREATE INDEX jobs_failed ON jobs (workflow_key, failure) WHERE failed = 1;

CREATE TRIGGER jobs_gone AFTER DELETE ON jobs WHEN OLD.stem_key IS NOT NULL
BEGIN
  UPDATE stem_requests SET num_jobs = num_jobs - 1
    WHERE workflow_key = OLD.workflow_key AND stem_key = OLD.stem_key AND shape_key = OLD.shape_key;
END;

CREATE UNIQUE INDEX jobs_name ON jobs (workflow_key, name);

CREATE INDEX jobs_ready ON jobs (workflow_key, shape_key, priority DESC, job_key) WHERE status = 'ready';

CREATE TRIGGER jobs_renamed AFTER UPDATE OF name ON jobs WHEN OLD.name <> NEW.name
BEGIN
  DELETE FROM drawings WHERE workflow_key = OLD.workflow_key;
END;

CREATE INDEX jobs_retried ON jobs (workflow_key) WHERE num_retries > 0 OR recovery_attempt_key IS NOT NULL;

CREATE INDEX jobs_workflow ON jobs (workflow_key);

CREATE TABLE lasting_server (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  hostname TEXT NOT NULL,
  host TEXT,
  port INTEGER,
  idle_minutes REAL,
  lease_seconds REAL
, advertise TEXT, relay TEXT) STRICT;

CREATE TABLE limits (
  workflow_key INTEGER NOT NULL,
  name TEXT NOT NULL,
  maximum INTEGER NOT NULL,
  PRIMARY KEY (workflow_key, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
  message_key INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_key INTEGER NOT NULL,
  notification_key INTEGER NOT NULL,
  kind TEXT NOT NULL,
  target TEXT NOT NULL,
  shown_target TEXT NOT NULL,
  token_file TEXT,
  run_id INTEGER NOT NULL,
  event TEXT NOT NULL,
  -- JSON, as they were then
  facts TEXT NOT NULL,
  state TEXT NOT NULL,
  epoch INTEGER,
  num_attempts INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  told_at INTEGER NOT NULL,
  sent_at INTEGER
) STRICT;

CREATE UNIQUE INDEX messages_once ON messages (notification_key, run_id, event) WHERE event <> 'job_failed';

CREATE INDEX messages_open ON messages (message_key) WHERE state IN ('pending', 'sending');

CREATE INDEX messages_rule ON messages (notification_key, run_id);

CREATE INDEX messages_workflow ON messages (workflow_key);

CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE notifications (
  notification_key INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_key INTEGER NOT NULL,
  -- a JSON list of words
  events TEXT NOT NULL,
  kind TEXT NOT NULL,
  -- an address, a URL (a secret), the path of a file with one, or a command
  target TEXT NOT NULL,
  -- the target without what is secret
  shown_target TEXT NOT NULL,
  token_file TEXT
) STRICT;

CREATE INDEX notifications_workflow ON notifications (workflow_key);

CREATE TABLE orphans (
  attempt_key INTEGER PRIMARY KEY,
  workflow_key INTEGER NOT NULL,
  compute_node_key INTEGER NOT NULL,
  since INTEGER NOT NULL,
  -- 0: a further look decides whether the job comes back; 1: it is left for a person
  is_left INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX orphans_node ON orphans (compute_node_key);

CREATE INDEX orphans_workflow ON orphans (workflow_key, is_left);

CREATE TABLE recoveries (
  workflow_key INTEGER PRIMARY KEY,
  max_recoveries INTEGER NOT NULL,
  memory_factor REAL NOT NULL,
  runtime_factor REAL NOT NULL,
  retry_unknown INTEGER NOT NULL,
  -- since a person has set it
  num_recoveries INTEGER NOT NULL,
  -- jobs that had succeeded at the last one
  num_succeeded INTEGER NOT NULL,
  -- how many of the last ones were followed by no further success
  num_without_gain INTEGER NOT NULL,
  -- when the next one is due; NULL for none
  next_at INTEGER,
  -- when nodes for the jobs of the last one are asked for; NULL for no more
  nodes_at INTEGER
) STRICT;

CREATE TABLE replies (
  reply_key INTEGER PRIMARY KEY,
  idempotency_key TEXT NOT NULL UNIQUE,
  endpoint TEXT NOT NULL,
  reply TEXT NOT NULL,
  answered_at INTEGER NOT NULL
) STRICT;

CREATE TABLE requirements_from_data (
  resource_requirements_key INTEGER PRIMARY KEY,
  workflow_key INTEGER NOT NULL,
  fields TEXT NOT NULL
) STRICT;

CREATE INDEX requirements_from_data_workflow ON requirements_from_data (workflow_key);

CREATE TABLE resource_requirements (
  resource_requirements_key INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_key INTEGER NOT NULL,
  name TEXT,
  shape_key INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX resource_requirements_name ON resource_requirements (workflow_key, name);

CREATE TABLE runs (
  run_key INTEGER PRIMARY KEY,
  workflow_key INTEGER NOT NULL,
  run_id INTEGER NOT NULL,
  -- 'start', 'restart', 'resume', 'rerun', 'clone', 'import'
  how TEXT NOT NULL,
  -- of the first run of a copy
  source_workflow_key INTEGER,
  who TEXT,
  started_at INTEGER,
  ended_at INTEGER,
  status TEXT,
  num_jobs INTEGER,
  num_done INTEGER,
  num_failed INTEGER,
  num_canceled INTEGER, pruned_at INTEGER,
  UNIQUE (workflow_key, run_id)
) STRICT;

CREATE TABLE schedules (
  schedule_key INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  user TEXT NOT NULL,
  -- one of the three: a cron expression in its time zone, an interval, or (a generator) the items of one workflow
  cron TEXT,
  every_ms INTEGER,
  most_items INTEGER,
  -- a generator waits no longer than this after its first item; NULL for ever
  longest_wait_ms INTEGER,
  time_zone TEXT NOT NULL,
  overlap TEXT NOT NULL,
  catch_up TEXT NOT NULL,
  most_caught_up INTEGER NOT NULL,
  -- JSON: the text of the specification, its syntax and file, and the place where its paths start
  specification TEXT NOT NULL,
  is_paused INTEGER NOT NULL DEFAULT 0,
  -- the next instant; what is due carries the alarm for it. NULL while there is none
  next_at INTEGER,
  num_runs INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE shapes (
  shape_key INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_key INTEGER NOT NULL,
  num_cpus INTEGER NOT NULL,
  memory_bytes INTEGER NOT NULL,
  gpu_thousandths INTEGER NOT NULL,
  num_nodes INTEGER NOT NULL,
  runtime_ms INTEGER NOT NULL,
  is_memory_stated INTEGER NOT NULL,
  is_runtime_stated INTEGER NOT NULL,
  -- only workers of this Slurm config may take it; 0 for any
  slurm_config_key INTEGER NOT NULL DEFAULT 0,
  -- place in claim order by the workflow's jobs_sort_method: smaller goes first
  sort_rank INTEGER NOT NULL DEFAULT 0
, supports_termination INTEGER NOT NULL DEFAULT 0, labels TEXT NOT NULL DEFAULT '', limits TEXT NOT NULL DEFAULT '', expected_ms INTEGER NOT NULL DEFAULT 0, resources TEXT NOT NULL DEFAULT '') STRICT;

CREATE UNIQUE INDEX shapes_request ON shapes (workflow_key, num_cpus, memory_bytes, gpu_thousandths, num_nodes,
  runtime_ms, is_memory_stated, is_runtime_stated, slurm_config_key, supports_termination, labels, limits, expected_ms,
  resources);

CREATE TABLE site_profiles (
  cluster TEXT PRIMARY KEY,
  refreshed_at INTEGER NOT NULL,
  -- JSON: partitions with their limits and their nodes by kind
  profile TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE slurm_configs (
  slurm_config_key INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_key INTEGER NOT NULL,
  name TEXT NOT NULL,
  account TEXT NOT NULL,
  partition TEXT,
  qos TEXT,
  walltime_seconds INTEGER NOT NULL,
  num_nodes INTEGER NOT NULL,
  ntasks_per_node INTEGER,
  mem TEXT,
  tmp TEXT,
  gres TEXT,
  extra TEXT
, labels TEXT NOT NULL DEFAULT '', also_unlabelled INTEGER NOT NULL DEFAULT 0, fallback_order INTEGER, resources TEXT NOT NULL DEFAULT '') STRICT;

CREATE UNIQUE INDEX slurm_configs_name ON slurm_configs (workflow_key, name);

CREATE TABLE sqlite_sequence(name,seq);

CREATE TABLE stem_requests (
  workflow_key INTEGER NOT NULL,
  stem_key INTEGER NOT NULL,
  shape_key INTEGER NOT NULL,
  num_jobs INTEGER NOT NULL,
  PRIMARY KEY (workflow_key, stem_key, shape_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE stems (
  stem_key INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_key INTEGER NOT NULL,
  -- the names of the jobs with * for each number
  stem TEXT NOT NULL
) STRICT;

CREATE UNIQUE INDEX stems_stem ON stems (workflow_key, stem);

CREATE TABLE ticks (
  tick_key INTEGER PRIMARY KEY AUTOINCREMENT,
  schedule_key INTEGER NOT NULL,
  -- the instant; of several that were missed together the first and the last
  scheduled_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  -- NULL: more than were counted
  num_instants INTEGER,
  -- 'on_time', 'late', 'by_hand', 'items'
  origin TEXT NOT NULL,
  state TEXT NOT NULL,
  -- of those that make a workflow
  run INTEGER,
  workflow_key INTEGER,
  reason TEXT,
  noted_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX ticks_instant ON ticks (schedule_key, scheduled_at) WHERE origin IN ('on_time', 'late');

CREATE INDEX ticks_open ON ticks (state, tick_key) WHERE state IN ('queued', 'pending', 'created');

CREATE INDEX ticks_schedule ON ticks (schedule_key, tick_key);

CREATE INDEX ticks_workflow ON ticks (workflow_key) WHERE workflow_key IS NOT NULL;

CREATE TABLE upstream_orders (
  job_key INTEGER PRIMARY KEY,
  runs TEXT NOT NULL
) STRICT;

CREATE TABLE usage (
  workflow_key INTEGER NOT NULL,
  -- the names of the jobs with * for each number
  stem TEXT NOT NULL,
  -- what the last of them asked for
  shape_key INTEGER NOT NULL,
  num_oom INTEGER NOT NULL,
  num_timeouts INTEGER NOT NULL,
  memory TEXT NOT NULL,
  cpus TEXT NOT NULL,
  runtime TEXT NOT NULL,
  PRIMARY KEY (workflow_key, stem)
) STRICT, WITHOUT ROWID;

CREATE TABLE user_data (
  user_data_key INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_key INTEGER NOT NULL,
  name TEXT NOT NULL,
  data TEXT,
  is_ephemeral INTEGER NOT NULL DEFAULT 0
, version INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE UNIQUE INDEX user_data_name ON user_data (workflow_key, name);

CREATE TABLE worker_times (
  compute_node_key INTEGER PRIMARY KEY,
  -- those whose process started
  num_attempts INTEGER NOT NULL,
  -- CPU-milliseconds
  had_ms REAL NOT NULL,
  used_ms REAL NOT NULL
) STRICT;

CREATE TABLE workflows (
  workflow_key INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  -- identity: tool and args with a hash over canonical JSON; NULL while a workflow has none
  tool TEXT,
  args TEXT,
  identity_hash TEXT,
  parent_workflow_key INTEGER,
  user TEXT NOT NULL,
  description TEXT,
  project TEXT,
  metadata TEXT,
  expiration_buffer_ms INTEGER NOT NULL,
  wait_for_new_jobs_ms INTEGER NOT NULL,
  ignore_workflow_completion INTEGER NOT NULL,
  wait_for_healthy_database_ms INTEGER NOT NULL,
  jobs_sort_method TEXT NOT NULL,
  -- 'creating' and 'starting' are not visible to claims: bigger work goes through them in chunks
  phase TEXT NOT NULL,
  run_id INTEGER NOT NULL DEFAULT 0,
  is_canceled INTEGER NOT NULL DEFAULT 0,
  has_timed_out INTEGER NOT NULL DEFAULT 0,
  is_archived INTEGER NOT NULL DEFAULT 0,
  -- the ranges of keys that were reserved for the jobs and files of the specification
  first_job_key INTEGER NOT NULL,
  num_spec_jobs INTEGER NOT NULL,
  first_file_key INTEGER NOT NULL,
  num_spec_files INTEGER NOT NULL,
  first_barrier_key INTEGER NOT NULL,
  num_barriers INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER
, first_user_data_key INTEGER NOT NULL DEFAULT 0, num_spec_user_data INTEGER NOT NULL DEFAULT 0, is_stopping INTEGER NOT NULL DEFAULT 0, sample_interval_ms INTEGER, stdio TEXT NOT NULL DEFAULT 'files', max_losses INTEGER NOT NULL DEFAULT 3, told_run_id INTEGER NOT NULL DEFAULT 0, base_directory TEXT, termination_signal TEXT NOT NULL DEFAULT 'SIGTERM', sigterm_lead_ms INTEGER NOT NULL DEFAULT 30000, create_output_folders INTEGER NOT NULL DEFAULT 1, max_failures INTEGER, num_failures INTEGER NOT NULL DEFAULT 0, has_failed_out INTEGER NOT NULL DEFAULT 0, cancel_below INTEGER, timeout_ms INTEGER, paused_at INTEGER, max_concurrent_jobs INTEGER, attributes TEXT, has_results INTEGER NOT NULL DEFAULT 0, max_dynamic_jobs INTEGER NOT NULL DEFAULT 100000, env TEXT, has_job_launch INTEGER NOT NULL DEFAULT 0, pin INTEGER NOT NULL DEFAULT 0, execution TEXT NOT NULL DEFAULT 'direct') STRICT;

CREATE UNIQUE INDEX workflows_identity ON workflows (user, identity_hash) WHERE identity_hash IS NOT NULL;

CREATE INDEX workflows_limited ON workflows (workflow_key) WHERE max_concurrent_jobs IS NOT NULL;
