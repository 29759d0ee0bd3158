-- the Slurm job inside of which a person started a local worker: only shown, as that job may go on without the worker
ALTER TABLE compute_nodes ADD COLUMN enclosing_slurm_job_id TEXT;
