-- What was answered to requests that changed something, by the key that their client made: one that is repeated after a
-- lost connection gets the same answer and changes nothing more. Kept for a day.
CREATE TABLE replies (
  reply_key INTEGER PRIMARY KEY,
  idempotency_key TEXT NOT NULL UNIQUE,
  endpoint TEXT NOT NULL,
  reply TEXT NOT NULL,
  answered_at INTEGER NOT NULL
) STRICT;
