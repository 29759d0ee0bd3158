-- The server in the background that was started last, with its options, until a person or its idleness ends it: while
-- workers wait, a command on its host may start it again.
CREATE TABLE lasting_server (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  hostname TEXT NOT NULL,
  host TEXT,
  port INTEGER,
  idle_minutes REAL,
  lease_seconds REAL
) STRICT;
