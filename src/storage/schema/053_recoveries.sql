-- which workflows recover by themselves after a failed run, and how often they have
CREATE TABLE recoveries (
  workflow_key INTEGER PRIMARY KEY,
  max_recoveries INTEGER NOT NULL,
  memory_factor REAL NOT NULL,
  runtime_factor REAL NOT NULL,
  retry_unknown INTEGER NOT NULL,
  -- since a person has set it
  num_recoveries INTEGER NOT NULL,
  -- jobs that had succeeded at the last one
  num_succeeded INTEGER NOT NULL,
  -- how many of the last ones were followed by no further success
  num_without_gain INTEGER NOT NULL,
  -- when the next one is due; NULL for none
  next_at INTEGER,
  -- when nodes for the jobs of the last one are asked for; NULL for no more
  nodes_at INTEGER
) STRICT;
