-- What an attempt asked for when it was claimed; NULL of attempts from before.
ALTER TABLE attempts ADD COLUMN shape_key INTEGER;
-- JSON: by how much the job's request grew after this attempt, or why it did not.
ALTER TABLE attempts ADD COLUMN scaled TEXT;
-- Its place among the configs that jobs take when they have outgrown their own; NULL for none.
ALTER TABLE slurm_configs ADD COLUMN fallback_order INTEGER;
