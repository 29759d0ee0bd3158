-- A job that supports termination starts in less time than the runtime that it states, and so is a shape of its own.

ALTER TABLE shapes ADD COLUMN supports_termination INTEGER NOT NULL DEFAULT 0;
DROP INDEX shapes_request;
CREATE UNIQUE INDEX shapes_request ON shapes (workflow_key, num_cpus, memory_bytes, gpu_thousandths, num_nodes,
  runtime_ms, is_memory_stated, is_runtime_stated, slurm_config_key, supports_termination);

INSERT INTO shapes (workflow_key, num_cpus, memory_bytes, gpu_thousandths, num_nodes, runtime_ms, is_memory_stated,
    is_runtime_stated, slurm_config_key, sort_rank, supports_termination)
  SELECT workflow_key, num_cpus, memory_bytes, gpu_thousandths, num_nodes, runtime_ms, is_memory_stated,
    is_runtime_stated, slurm_config_key, sort_rank, 1
  FROM shapes s WHERE s.shape_key IN (SELECT shape_key FROM jobs WHERE supports_termination = 1);
UPDATE jobs SET shape_key = (
  SELECT t.shape_key FROM shapes s JOIN shapes t USING (workflow_key, num_cpus, memory_bytes, gpu_thousandths, num_nodes,
    runtime_ms, is_memory_stated, is_runtime_stated, slurm_config_key)
  WHERE s.shape_key = jobs.shape_key AND t.supports_termination = 1)
WHERE supports_termination = 1;

DROP INDEX jobs_continuing;
ALTER TABLE jobs DROP COLUMN is_continuing;

-- the whole time that the worker had when it started; NULL for no end
ALTER TABLE compute_nodes ADD COLUMN walltime_ms INTEGER;
