-- What a workflow does by itself when something happens: its actions, and each time that one of them was set off.

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

CREATE TABLE action_jobs (
  job_key INTEGER NOT NULL,
  action_key INTEGER NOT NULL,
  PRIMARY KEY (job_key, action_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX action_jobs_action ON action_jobs (action_key);

-- Written in the transaction of the event that sets the action off; the unique index makes that once.
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
