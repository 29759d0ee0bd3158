-- What workers do with jobs at the end of their time, and before jobs start.

-- sent to jobs with supports_termination ahead of the end, so that they can write a checkpoint
ALTER TABLE workflows ADD COLUMN termination_signal TEXT NOT NULL DEFAULT 'SIGTERM';
ALTER TABLE workflows ADD COLUMN sigterm_lead_ms INTEGER NOT NULL DEFAULT 30000;
-- 1: the folders of declared output files are made before a job starts
ALTER TABLE workflows ADD COLUMN create_output_folders INTEGER NOT NULL DEFAULT 1;
