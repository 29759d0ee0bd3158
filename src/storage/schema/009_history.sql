-- The normal moves of a job (claimed, started, ended) are read from its attempt. The order in which they were committed
-- is kept in events of the type 'job_moves': a JSON list of attempt keys, each with the letter of its move (c claimed,
-- s started, f finished, u finished without a reported start). Each attempt names the rows that hold its moves.
ALTER TABLE attempts ADD COLUMN claim_event INTEGER;
ALTER TABLE attempts ADD COLUMN start_event INTEGER;
ALTER TABLE attempts ADD COLUMN end_event INTEGER;
