-- which workflows ask for nodes by themselves, and what became of that
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

ALTER TABLE allocations ADD COLUMN is_autoscaled INTEGER NOT NULL DEFAULT 0;
-- where it is not that of the Slurm config
ALTER TABLE allocations ADD COLUMN walltime_ms INTEGER;
-- 'worked', 'nothing' (it came to nothing) or 'needless'; only of an autoscaler's, NULL while that is not known
ALTER TABLE allocations ADD COLUMN outcome TEXT;
ALTER TABLE allocations ADD COLUMN judged_at INTEGER;
-- since when no job needs it, and when Slurm was asked to cancel it
ALTER TABLE allocations ADD COLUMN unneeded_since INTEGER;
ALTER TABLE allocations ADD COLUMN cancel_asked_at INTEGER;
