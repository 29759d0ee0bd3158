-- Failed jobs are found without reading the others; jobs that succeed never enter this index.
CREATE INDEX jobs_unsuccessful ON jobs (workflow_key) WHERE failed = 1 OR status = 'terminated';
