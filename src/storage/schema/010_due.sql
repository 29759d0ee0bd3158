-- Every instant at which the server acts by itself. One loop sleeps until the next one; the next process that opens the
-- database finds what fell due while no server ran.
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

-- workers that ended before this version and have not reported their commands: fifteen minutes after their end
INSERT INTO due (due_at, set_at, kind, workflow_key, subject_key)
  SELECT DISTINCT n.ended_at + 900000, n.ended_at, 'worker_commands', n.workflow_key, n.compute_node_key
  FROM action_firings f JOIN compute_nodes n ON n.compute_node_key = f.compute_node_key
  JOIN actions a ON a.action_key = f.action_key
  WHERE f.state IN ('claimed', 'reserved') AND a.action_type = 'run_commands' AND n.is_active = 0;
