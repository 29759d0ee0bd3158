-- The limits that an attempt counts towards while it occupies its worker are a part of it; NULL when there are none.
-- Whether it counts towards max_concurrent_jobs as well follows from its workflow.
ALTER TABLE attempts ADD COLUMN limits TEXT;
UPDATE attempts SET limits = (SELECT group_concat(name, ',') FROM
    (SELECT name FROM attempt_limits l WHERE l.attempt_key = attempts.attempt_key AND name <> '' ORDER BY name))
  WHERE attempt_key IN (SELECT attempt_key FROM attempt_limits);
DROP TABLE attempt_limits;
