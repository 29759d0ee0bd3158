-- Labels: a job runs only on workers that have all of its labels. A set of labels is one text, sorted, separated by commas.

ALTER TABLE shapes ADD COLUMN labels TEXT NOT NULL DEFAULT '';
DROP INDEX shapes_request;
CREATE UNIQUE INDEX shapes_request ON shapes (workflow_key, num_cpus, memory_bytes, gpu_thousandths, num_nodes,
  runtime_ms, is_memory_stated, is_runtime_stated, slurm_config_key, supports_termination, labels);

-- what its workers are given
ALTER TABLE slurm_configs ADD COLUMN labels TEXT NOT NULL DEFAULT '';
ALTER TABLE slurm_configs ADD COLUMN also_unlabelled INTEGER NOT NULL DEFAULT 0;

-- what it was given and what it has by itself
ALTER TABLE compute_nodes ADD COLUMN labels TEXT NOT NULL DEFAULT '';
ALTER TABLE compute_nodes ADD COLUMN takes_unlabelled INTEGER NOT NULL DEFAULT 1;
UPDATE compute_nodes SET labels = CASE WHEN slurm_job_id IS NULL THEN 'local' ELSE 'slurm' END;
