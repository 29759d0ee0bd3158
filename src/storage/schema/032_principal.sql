-- The login name of the person who caused an event; NULL for what workers and the server did by themselves.
ALTER TABLE events ADD COLUMN who TEXT;

-- Every run of a workflow. Its end, status and counts are those at its end; NULL while it has not ended.
CREATE TABLE runs (
  run_key INTEGER PRIMARY KEY,
  workflow_key INTEGER NOT NULL,
  run_id INTEGER NOT NULL,
  -- 'start', 'restart', 'resume', 'rerun', 'clone', 'import'
  how TEXT NOT NULL,
  -- of the first run of a copy
  source_workflow_key INTEGER,
  who TEXT,
  started_at INTEGER,
  ended_at INTEGER,
  status TEXT,
  num_jobs INTEGER,
  num_done INTEGER,
  num_failed INTEGER,
  num_canceled INTEGER,
  UNIQUE (workflow_key, run_id)
) STRICT;
-- of earlier runs the counts are not known
INSERT OR IGNORE INTO runs (workflow_key, run_id, how, started_at, ended_at, status)
SELECT s.workflow_key, s.data ->> 'run_id', CASE s.type WHEN 'workflow_started' THEN 'start' ELSE 'restart' END, s.at,
  e.at, e.status
FROM events s
LEFT JOIN (SELECT workflow_key, data ->> 'run_id' AS run_id, max(at) AS at, data ->> 'status' AS status FROM events
  WHERE type = 'workflow_ended' GROUP BY 1, 2) e
  ON e.workflow_key = s.workflow_key AND e.run_id = s.data ->> 'run_id'
WHERE s.type IN ('workflow_started', 'workflow_restarted') AND s.data ->> 'run_id' IS NOT NULL
ORDER BY s.event_key;
