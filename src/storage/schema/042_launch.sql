-- How the processes of jobs are started, besides their commands: environment variables and the like, as JSON objects;
-- NULL or no row: as all others. What a job states itself is apart from its row, which every step of a run writes again.
ALTER TABLE workflows ADD COLUMN env TEXT;
-- Whether some job has a row of its own.
ALTER TABLE workflows ADD COLUMN has_job_launch INTEGER NOT NULL DEFAULT 0;
CREATE TABLE job_launch (
  job_key INTEGER PRIMARY KEY,
  launch TEXT NOT NULL
) STRICT;
