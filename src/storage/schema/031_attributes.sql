-- Short texts by name that people give workflows and jobs, as a JSON object; NULL or no row: none. Those of a job are
-- apart from its row, which every step of a run writes again.
ALTER TABLE workflows ADD COLUMN attributes TEXT;
CREATE TABLE job_attributes (
  job_key INTEGER PRIMARY KEY,
  attributes TEXT NOT NULL
) STRICT;
