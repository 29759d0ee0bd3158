-- How many jobs with names of one form ask for the same, so that a report need not read every name. Where they are fewer
-- than the jobs of the workflow, some are not counted: those from before, and those of forms beyond the first thousand.
CREATE TABLE stems (
  stem_key INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_key INTEGER NOT NULL,
  -- the names of the jobs with * for each number
  stem TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX stems_stem ON stems (workflow_key, stem);

CREATE TABLE stem_requests (
  workflow_key INTEGER NOT NULL,
  stem_key INTEGER NOT NULL,
  shape_key INTEGER NOT NULL,
  num_jobs INTEGER NOT NULL,
  PRIMARY KEY (workflow_key, stem_key, shape_key)
) STRICT, WITHOUT ROWID;

-- NULL for a job that is not counted
ALTER TABLE jobs ADD COLUMN stem_key INTEGER;

-- new jobs are counted many at a time (storage/authoring/job-stems.ts); these follow whatever changes or deletes jobs later
CREATE TRIGGER jobs_asking AFTER UPDATE OF stem_key, shape_key ON jobs
  WHEN OLD.stem_key IS NOT NEW.stem_key OR OLD.shape_key <> NEW.shape_key
BEGIN
  UPDATE stem_requests SET num_jobs = num_jobs - 1
    WHERE workflow_key = OLD.workflow_key AND stem_key = OLD.stem_key AND shape_key = OLD.shape_key;
  INSERT INTO stem_requests (workflow_key, stem_key, shape_key, num_jobs)
    SELECT NEW.workflow_key, NEW.stem_key, NEW.shape_key, 1 WHERE NEW.stem_key IS NOT NULL
    ON CONFLICT DO UPDATE SET num_jobs = num_jobs + 1;
END;

CREATE TRIGGER jobs_gone AFTER DELETE ON jobs WHEN OLD.stem_key IS NOT NULL
BEGIN
  UPDATE stem_requests SET num_jobs = num_jobs - 1
    WHERE workflow_key = OLD.workflow_key AND stem_key = OLD.stem_key AND shape_key = OLD.shape_key;
END;
