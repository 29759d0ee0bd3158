-- since when a person lets no more jobs of the workflow start; the column before it was never set
ALTER TABLE workflows DROP COLUMN is_paused;
ALTER TABLE workflows ADD COLUMN paused_at INTEGER;
-- jobs that a person holds keep a run open
CREATE INDEX holds_person ON holds (workflow_key) WHERE kind = 'person';
