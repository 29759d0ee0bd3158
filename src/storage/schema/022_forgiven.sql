-- 1: a process that exits with a code other than 0 counts as success.
ALTER TABLE jobs ADD COLUMN task_failure_is_success INTEGER NOT NULL DEFAULT 0;
-- 1: it exited with a code other than 0, which counted as success.
ALTER TABLE attempts ADD COLUMN is_forgiven INTEGER NOT NULL DEFAULT 0;
