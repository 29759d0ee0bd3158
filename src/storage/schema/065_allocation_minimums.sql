-- What an allocation asks for on each of its nodes beyond its Slurm config, so that Slurm chooses larger ones; null for nothing.
ALTER TABLE allocations ADD COLUMN min_cpus INTEGER;
ALTER TABLE allocations ADD COLUMN min_memory_bytes INTEGER;
ALTER TABLE allocations ADD COLUMN min_gpus INTEGER;
