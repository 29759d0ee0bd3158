-- The result value of an attempt that succeeded, as JSON; NULL without one.
ALTER TABLE attempts ADD COLUMN result TEXT;
-- Of the result values that the attempt was given; NULL for none.
ALTER TABLE attempts ADD COLUMN inputs_digest TEXT;
-- Whether an attempt has ever had a result value.
ALTER TABLE workflows ADD COLUMN has_results INTEGER NOT NULL DEFAULT 0;
-- The upstream jobs of a job in the order in which it declares them, where that is not the order of their keys:
-- JSON [[first, count], ..], runs of successive keys, each first one less the key of the job.
CREATE TABLE upstream_orders (
  job_key INTEGER PRIMARY KEY,
  runs TEXT NOT NULL
) STRICT;
