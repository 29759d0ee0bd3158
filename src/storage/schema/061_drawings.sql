-- The groups that the jobs of a large workflow are drawn in, as they were when it was created: how they are grouped follows
-- from names and edges, which seldom change later. Valid while the workflow has the same jobs: as many, from this key on
-- and without a gap.
CREATE TABLE drawings (
  workflow_key INTEGER PRIMARY KEY,
  first_job_key INTEGER NOT NULL,
  num_jobs INTEGER NOT NULL,
  -- as JSON: groups, edges between them, and runs of jobs of one group
  drawing TEXT NOT NULL
) STRICT;

CREATE TRIGGER jobs_renamed AFTER UPDATE OF name ON jobs WHEN OLD.name <> NEW.name
BEGIN
  DELETE FROM drawings WHERE workflow_key = OLD.workflow_key;
END;
