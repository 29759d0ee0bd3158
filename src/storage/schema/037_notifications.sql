-- Messages to people: the rules of workflows, and the messages that were written because of them.

CREATE TABLE notifications (
  notification_key INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_key INTEGER NOT NULL,
  -- a JSON list of words
  events TEXT NOT NULL,
  kind TEXT NOT NULL,
  -- an address, a URL (a secret), the path of a file with one, or a command
  target TEXT NOT NULL,
  -- the target without what is secret
  shown_target TEXT NOT NULL,
  token_file TEXT
) STRICT;
CREATE INDEX notifications_workflow ON notifications (workflow_key);

-- The outbox: written in the transaction that made the message true. State: `collecting` (a digest that grows),
-- `pending`, `sending` (the server of the epoch), `sent`, `failed` (given up). The target is copied: a rule may be
-- replaced before its message is sent.
CREATE TABLE messages (
  message_key INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_key INTEGER NOT NULL,
  notification_key INTEGER NOT NULL,
  kind TEXT NOT NULL,
  target TEXT NOT NULL,
  shown_target TEXT NOT NULL,
  token_file TEXT,
  run_id INTEGER NOT NULL,
  event TEXT NOT NULL,
  -- JSON, as they were then
  facts TEXT NOT NULL,
  state TEXT NOT NULL,
  epoch INTEGER,
  num_attempts INTEGER NOT NULL DEFAULT 0,
  error TEXT,
  told_at INTEGER NOT NULL,
  sent_at INTEGER
) STRICT;
CREATE UNIQUE INDEX messages_once ON messages (notification_key, run_id, event) WHERE event <> 'job_failed';
CREATE INDEX messages_rule ON messages (notification_key, run_id);
CREATE INDEX messages_workflow ON messages (workflow_key);
CREATE INDEX messages_open ON messages (message_key) WHERE state IN ('pending', 'sending');
