-- What generators have collected, until its workflow has started; ids are remembered for longer.
CREATE TABLE items (
  item_key INTEGER PRIMARY KEY AUTOINCREMENT,
  schedule_key INTEGER NOT NULL,
  -- an item with an id counts once
  id TEXT,
  -- JSON; empty when its workflow has it
  data TEXT NOT NULL,
  -- the run that takes it; NULL while it waits
  tick_key INTEGER,
  put_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX items_id ON items (schedule_key, id) WHERE id IS NOT NULL;
CREATE INDEX items_waiting ON items (schedule_key, item_key) WHERE tick_key IS NULL;
CREATE INDEX items_tick ON items (tick_key) WHERE tick_key IS NOT NULL;
