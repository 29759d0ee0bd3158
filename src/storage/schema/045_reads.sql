-- Results of one workflow are read in the order of their keys; without this index all of them were sorted.
CREATE INDEX attempts_workflow ON attempts (workflow_key);
-- Attempts that ended otherwise than with success; those that succeed never enter this index.
CREATE INDEX attempts_unsuccessful ON attempts (workflow_key)
  WHERE cause IS NOT NULL AND (return_code IS NOT 0 OR end_status IS NOT 'done');
-- jobs_failed finds the failed jobs too.
DROP INDEX jobs_unsuccessful;
