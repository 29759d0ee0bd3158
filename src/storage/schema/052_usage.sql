-- What the attempts of jobs with names of one form have used, rolled up: JSON of a sketch for each measure.
CREATE TABLE usage (
  workflow_key INTEGER NOT NULL,
  -- the names of the jobs with * for each number
  stem TEXT NOT NULL,
  -- what the last of them asked for
  shape_key INTEGER NOT NULL,
  num_oom INTEGER NOT NULL,
  num_timeouts INTEGER NOT NULL,
  memory TEXT NOT NULL,
  cpus TEXT NOT NULL,
  runtime TEXT NOT NULL,
  PRIMARY KEY (workflow_key, stem)
) STRICT, WITHOUT ROWID;
