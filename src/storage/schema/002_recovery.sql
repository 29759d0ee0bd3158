-- What recovery needs: what a result was made from, what is known of a worker that fell silent, why a job was lost.

-- The command or invocation script was changed since the newest attempt was claimed.
ALTER TABLE jobs ADD COLUMN is_command_changed INTEGER NOT NULL DEFAULT 0;

-- A file as this job's newest result saw it: an input when the job began, an output when it ended. Times in microseconds.
-- NULL: never seen; size -1: it was not there.
ALTER TABLE job_files ADD COLUMN size_bytes INTEGER;
ALTER TABLE job_files ADD COLUMN modified_us INTEGER;
ALTER TABLE job_files ADD COLUMN changed_us INTEGER;
ALTER TABLE job_files ADD COLUMN content_hash TEXT;

-- goes up whenever the data becomes something else; a job remembers the version that it was given
ALTER TABLE user_data ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job_user_data ADD COLUMN version INTEGER;
-- the range of keys that was reserved for the user data of the specification
ALTER TABLE workflows ADD COLUMN first_user_data_key INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workflows ADD COLUMN num_spec_user_data INTEGER NOT NULL DEFAULT 0;

-- claims are held back while a restart stops what runs
ALTER TABLE workflows ADD COLUMN is_stopping INTEGER NOT NULL DEFAULT 0;

ALTER TABLE compute_nodes ADD COLUMN working_directory TEXT;
ALTER TABLE compute_nodes ADD COLUMN output_directory TEXT;
-- start time of the worker's process in clock ticks since boot, so that another process with its pid is told apart
ALTER TABLE compute_nodes ADD COLUMN start_ticks INTEGER;
-- since when it has not been heard from for longer than its lease
ALTER TABLE compute_nodes ADD COLUMN contact_lost_at INTEGER;
-- when the server wrote the file that tells a cut-off worker to stop
ALTER TABLE compute_nodes ADD COLUMN fenced_at INTEGER;
ALTER TABLE compute_nodes ADD COLUMN close_reason TEXT;
CREATE INDEX compute_nodes_allocation ON compute_nodes (allocation_key) WHERE allocation_key IS NOT NULL;

-- all attempts of a worker, for what a requeued one left behind and for counts by allocation
CREATE INDEX attempts_node ON attempts (compute_node_key);

-- when the worker last told of memory and processor time of the running attempt
ALTER TABLE attempts ADD COLUMN sampled_at INTEGER;
-- of an attempt whose worker is gone: what became of it, and the evidence as JSON
ALTER TABLE attempts ADD COLUMN lost_cause TEXT;
ALTER TABLE attempts ADD COLUMN diagnosis TEXT;

-- what Slurm last said of the allocation; evidence holds exit codes, who cancelled it and where that was read, as JSON
ALTER TABLE allocations ADD COLUMN slurm_state TEXT;
ALTER TABLE allocations ADD COLUMN slurm_reason TEXT;
ALTER TABLE allocations ADD COLUMN restart_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE allocations ADD COLUMN expires_at INTEGER;
ALTER TABLE allocations ADD COLUMN checked_at INTEGER;
ALTER TABLE allocations ADD COLUMN absent_since INTEGER;
ALTER TABLE allocations ADD COLUMN evidence TEXT;
