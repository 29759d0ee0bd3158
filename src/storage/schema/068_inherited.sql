-- Which reruns have taken over results of a workflow; other attempts never enter this index.
CREATE INDEX attempts_inherited ON attempts (workflow_key, CAST(inherited_from ->> '$.workflow_key' AS INTEGER))
  WHERE inherited_from IS NOT NULL;
