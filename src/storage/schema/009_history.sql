-- The normal moves of a job (claimed, started, ended) are read from its attempt. The order in which they were committed
-- is kept in events of the type 'job_moves': a JSON list of attempt keys, each with the letter of its move (c claimed,
-- s started, f finished, u finished without a reported start). Each attempt names the rows that hold its moves.
ALTER TABLE attempts ADD COLUMN claim_event INTEGER;
ALTER TABLE attempts ADD COLUMN start_event INTEGER;
ALTER TABLE attempts ADD COLUMN end_event INTEGER;

-- Everything that happened, in the order of commits: (event_key, position) is that order. Position 0 is an event with a
-- row of its own, 1 and above are the moves of one row.
CREATE VIEW history AS
SELECT e.event_key, CASE e.type WHEN 'job_moves' THEN m.key + 1 ELSE 0 END AS position, e.at, e.workflow_key,
  coalesce(a.job_key, e.job_key) AS job_key, coalesce(a.attempt_key, e.attempt_key) AS attempt_key,
  CASE e.type WHEN 'job_moves' THEN 'job_status' ELSE e.type END AS type,
  CASE substr(m.value, -1) WHEN 'c' THEN 'ready' WHEN 's' THEN 'submitted_pending' WHEN 'f' THEN 'submitted'
    WHEN 'u' THEN 'submitted_pending' ELSE e.old_status END AS old_status,
  CASE substr(m.value, -1) WHEN 'c' THEN 'submitted_pending' WHEN 's' THEN 'submitted' WHEN 'f' THEN a.end_status
    WHEN 'u' THEN a.end_status ELSE e.new_status END AS new_status,
  CASE WHEN e.type <> 'job_moves' THEN e.data
    WHEN substr(m.value, -1) IN ('f', 'u') THEN json_object('return_code', a.return_code, 'cause', a.cause) END AS data
FROM events e CROSS JOIN json_each(CASE e.type WHEN 'job_moves' THEN e.data ELSE '[0]' END) m
  LEFT JOIN attempts a ON e.type = 'job_moves' AND a.attempt_key = CAST(m.value AS INTEGER)
WHERE e.type <> 'job_moves' OR a.attempt_key IS NOT NULL;
