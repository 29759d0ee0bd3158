-- Where a workflow's relative paths start and its jobs run; fixed when it is created. NULL until the first worker of a
-- workflow that was created without one.

ALTER TABLE workflows ADD COLUMN base_directory TEXT;

UPDATE workflows SET base_directory = coalesce(
  (SELECT a.working_directory FROM actions a WHERE a.workflow_key = workflows.workflow_key LIMIT 1),
  (SELECT n.working_directory FROM compute_nodes n
   WHERE n.workflow_key = workflows.workflow_key AND n.working_directory IS NOT NULL ORDER BY n.compute_node_key LIMIT 1));
