-- 1: given out before it fitted, to start as soon as something of the worker ends; it takes nothing of the node until then
ALTER TABLE attempts ADD COLUMN is_ahead INTEGER NOT NULL DEFAULT 0;

-- one index for both questions about a worker: what occupies it, and all that it ever ran. With one for each, SQLite
-- answered the first from the second, at a cost that grew with every job
DROP INDEX attempts_occupying;
DROP INDEX attempts_node;
CREATE INDEX attempts_node ON attempts (compute_node_key, is_occupying);
