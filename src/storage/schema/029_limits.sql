-- How many jobs may run at once: all of a workflow, and those that name a limit. A set of names is one text, sorted,
-- separated by commas.

-- NULL: as many as fit
ALTER TABLE workflows ADD COLUMN max_concurrent_jobs INTEGER;
CREATE INDEX workflows_limited ON workflows (workflow_key) WHERE max_concurrent_jobs IS NOT NULL;

-- of one workflow, or with the key 0 of all workflows that have none of that name
CREATE TABLE limits (
  workflow_key INTEGER NOT NULL,
  name TEXT NOT NULL,
  maximum INTEGER NOT NULL,
  PRIMARY KEY (workflow_key, name)
) STRICT, WITHOUT ROWID;

-- what each occupying attempt counts towards; the name is empty for max_concurrent_jobs
CREATE TABLE attempt_limits (
  attempt_key INTEGER NOT NULL,
  name TEXT NOT NULL,
  workflow_key INTEGER NOT NULL,
  PRIMARY KEY (attempt_key, name)
) STRICT, WITHOUT ROWID;

ALTER TABLE shapes ADD COLUMN limits TEXT NOT NULL DEFAULT '';
DROP INDEX shapes_request;
CREATE UNIQUE INDEX shapes_request ON shapes (workflow_key, num_cpus, memory_bytes, gpu_thousandths, num_nodes,
  runtime_ms, is_memory_stated, is_runtime_stated, slurm_config_key, supports_termination, labels, limits);
