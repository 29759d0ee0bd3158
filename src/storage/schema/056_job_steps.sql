-- How jobs start that do not state it themselves: bound to their CPUs (0 or 1), and by what: 'direct' or 'slurm'.
ALTER TABLE workflows ADD COLUMN pin INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workflows ADD COLUMN execution TEXT NOT NULL DEFAULT 'direct';
-- The number of the step of Slurm that an attempt was, within its allocation.
ALTER TABLE attempts ADD COLUMN slurm_step TEXT;
