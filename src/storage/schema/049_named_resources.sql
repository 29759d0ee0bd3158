-- Named resources of nodes, such as fpga: what jobs ask for, what workers have, what attempts hold. A set of them is one
-- text, sorted by name: `fpga=1,scratch_gb=200`; '' for none.

ALTER TABLE shapes ADD COLUMN resources TEXT NOT NULL DEFAULT '';
DROP INDEX shapes_request;
CREATE UNIQUE INDEX shapes_request ON shapes (workflow_key, num_cpus, memory_bytes, gpu_thousandths, num_nodes,
  runtime_ms, is_memory_stated, is_runtime_stated, slurm_config_key, supports_termination, labels, limits, expected_ms,
  resources);

-- what its workers have, besides what its gres names
ALTER TABLE slurm_configs ADD COLUMN resources TEXT NOT NULL DEFAULT '';

ALTER TABLE compute_nodes ADD COLUMN resources TEXT NOT NULL DEFAULT '';

ALTER TABLE attempts ADD COLUMN resources TEXT;
