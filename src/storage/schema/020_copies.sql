-- Of an attempt with the cause 'inherited': the attempt of another workflow that it comes from, as JSON
-- {workflow_key, job_key, run_id, attempt_id}.
ALTER TABLE attempts ADD COLUMN inherited_from TEXT;
