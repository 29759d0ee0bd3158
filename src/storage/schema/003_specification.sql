-- What a specification says beyond its jobs: what follows a failure, and what is measured.

CREATE TABLE failure_handlers (
  failure_handler_key INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_key INTEGER NOT NULL,
  name TEXT NOT NULL,
  -- in order, as JSON: [{exit_codes, match_all_exit_codes, recovery_script, max_retries}]
  rules TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX failure_handlers_name ON failure_handlers (workflow_key, name);

ALTER TABLE jobs ADD COLUMN failure_handler_key INTEGER;
-- failures that were followed by another attempt, since the last start, restart or reset
ALTER TABLE jobs ADD COLUMN num_retries INTEGER NOT NULL DEFAULT 0;
-- the failed attempt whose rule has a recovery script that is still to run, and the number of that rule
ALTER TABLE jobs ADD COLUMN recovery_attempt_key INTEGER;
ALTER TABLE jobs ADD COLUMN recovery_rule INTEGER;
CREATE INDEX jobs_retried ON jobs (workflow_key) WHERE num_retries > 0 OR recovery_attempt_key IS NOT NULL;

-- how often each job's memory and processor time is written down; NULL for not at all
ALTER TABLE workflows ADD COLUMN sample_interval_ms INTEGER;
