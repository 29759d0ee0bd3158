-- What cuts a run off before all its jobs have run, and a job off before it has started.

-- with this many failures in a run nothing more starts, and what waits is canceled; NULL: never
ALTER TABLE workflows ADD COLUMN max_failures INTEGER;
-- failures of the present run, counted only while there is a limit; 1: it is reached
ALTER TABLE workflows ADD COLUMN num_failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workflows ADD COLUMN has_failed_out INTEGER NOT NULL DEFAULT 0;
-- waiting jobs with keys below this one are still to be canceled; NULL: none
ALTER TABLE workflows ADD COLUMN cancel_below INTEGER;
-- this long after its start nothing more of a run starts; NULL: never
ALTER TABLE workflows ADD COLUMN timeout_ms INTEGER;

-- how long a job may be ready without starting; NULL: for ever. Its instant is kept while it is ready
ALTER TABLE jobs ADD COLUMN max_wait_ms INTEGER;
ALTER TABLE jobs ADD COLUMN expires_at INTEGER;
CREATE INDEX jobs_expiring ON jobs (workflow_key, expires_at) WHERE status = 'ready' AND expires_at IS NOT NULL;
