-- Where the output of jobs goes: 'files', 'combined', 'on-failure' or 'none'; a worker keeps what it was told at its start.
ALTER TABLE workflows ADD COLUMN stdio TEXT NOT NULL DEFAULT 'files';
ALTER TABLE compute_nodes ADD COLUMN stdio TEXT NOT NULL DEFAULT 'files';

-- where the output of the attempt is, as its worker said at the end: 'combined' (offset and length in the worker's one
-- file), 'slot' (left in the files that log_slot numbers), 'empty' or 'removed'; NULL before that, or in files of its own
ALTER TABLE attempts ADD COLUMN log_kind TEXT;
ALTER TABLE attempts ADD COLUMN log_slot INTEGER;
ALTER TABLE attempts ADD COLUMN log_offset INTEGER;
ALTER TABLE attempts ADD COLUMN log_length INTEGER;
