-- the command with its op args left open, which a later creation of the same workflow is compared by; NULL: the command
ALTER TABLE jobs ADD COLUMN identity TEXT;
