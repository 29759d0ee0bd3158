-- how the last attempt of a failed job ended, such as 'exit_code 1': cause and return code; counts only while `failed` is 1
ALTER TABLE jobs ADD COLUMN failure TEXT;
UPDATE jobs SET failure = (SELECT a.cause || ' ' || coalesce(a.return_code, '') FROM attempts a
  WHERE a.attempt_key = jobs.attempt_key) WHERE failed = 1;
CREATE INDEX jobs_failed ON jobs (workflow_key, failure) WHERE failed = 1;
