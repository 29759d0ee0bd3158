-- Jobs that were added to a stored workflow, each with a digest of the request: the same request again is the same job.
CREATE TABLE added_jobs (
  job_key INTEGER PRIMARY KEY,
  workflow_key INTEGER NOT NULL,
  -- the job whose attempt added it; NULL for a person
  parent_key INTEGER,
  digest TEXT NOT NULL
) STRICT;
CREATE INDEX added_jobs_workflow ON added_jobs (workflow_key, parent_key);

-- how many jobs the running jobs of a workflow may add
ALTER TABLE workflows ADD COLUMN max_dynamic_jobs INTEGER NOT NULL DEFAULT 100000;
