-- How long a job is expected to run where that is less than its runtime, its limit: what has to be left for it to start.
-- 0: as long as its runtime.
ALTER TABLE shapes ADD COLUMN expected_ms INTEGER NOT NULL DEFAULT 0;
DROP INDEX shapes_request;
CREATE UNIQUE INDEX shapes_request ON shapes (workflow_key, num_cpus, memory_bytes, gpu_thousandths, num_nodes,
  runtime_ms, is_memory_stated, is_runtime_stated, slurm_config_key, supports_termination, labels, limits, expected_ms);
