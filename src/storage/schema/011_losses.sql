-- What is lost comes back by itself: how often, and which jobs without a process are still to be decided.

-- how often in a run a job comes back whose attempt was lost by infrastructure; 0: never
ALTER TABLE workflows ADD COLUMN max_losses INTEGER NOT NULL DEFAULT 3;
-- the newest run whose end was told: a job that is added later lets that run go on, and its end is not told again
ALTER TABLE workflows ADD COLUMN told_run_id INTEGER NOT NULL DEFAULT 0;
UPDATE workflows SET told_run_id = run_id WHERE ended_at IS NOT NULL;

-- 1: lost by infrastructure; counts towards max_losses of its run
ALTER TABLE attempts ADD COLUMN is_loss INTEGER NOT NULL DEFAULT 0;

-- Live attempts whose process is known to be gone.
CREATE TABLE orphans (
  attempt_key INTEGER PRIMARY KEY,
  workflow_key INTEGER NOT NULL,
  compute_node_key INTEGER NOT NULL,
  since INTEGER NOT NULL,
  -- 0: a further look decides whether the job comes back; 1: it is left for a person
  is_left INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX orphans_workflow ON orphans (workflow_key, is_left);
CREATE INDEX orphans_node ON orphans (compute_node_key);

INSERT INTO orphans (attempt_key, workflow_key, compute_node_key, since)
  SELECT attempt_key, workflow_key, compute_node_key, 0 FROM attempts WHERE is_live = 1 AND is_occupying = 0;

-- 1: it was stopped with its allocation and continues from its checkpoint, so its stated runtime need not fit
ALTER TABLE jobs ADD COLUMN is_continuing INTEGER NOT NULL DEFAULT 0;
CREATE INDEX jobs_continuing ON jobs (workflow_key, shape_key) WHERE is_continuing = 1;
