-- What makes workflows by itself: at the instants of a schedule, or when a generator has collected enough items.

CREATE TABLE schedules (
  schedule_key INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  user TEXT NOT NULL,
  -- one of the three: a cron expression in its time zone, an interval, or (a generator) the items of one workflow
  cron TEXT,
  every_ms INTEGER,
  most_items INTEGER,
  -- a generator waits no longer than this after its first item; NULL for ever
  longest_wait_ms INTEGER,
  time_zone TEXT NOT NULL,
  overlap TEXT NOT NULL,
  catch_up TEXT NOT NULL,
  most_caught_up INTEGER NOT NULL,
  -- JSON: the text of the specification, its syntax and file, and the place where its paths start
  specification TEXT NOT NULL,
  is_paused INTEGER NOT NULL DEFAULT 0,
  -- the next instant; what is due carries the alarm for it. NULL while there is none
  next_at INTEGER,
  num_runs INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL
) STRICT;

-- what became of the instants, the latest of each schedule
CREATE TABLE ticks (
  tick_key INTEGER PRIMARY KEY AUTOINCREMENT,
  schedule_key INTEGER NOT NULL,
  -- the instant; of several that were missed together the first and the last
  scheduled_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  -- NULL: more than were counted
  num_instants INTEGER,
  -- 'on_time', 'late', 'by_hand', 'items'
  origin TEXT NOT NULL,
  state TEXT NOT NULL,
  -- of those that make a workflow
  run INTEGER,
  workflow_key INTEGER,
  reason TEXT,
  noted_at INTEGER NOT NULL
) STRICT;
-- an instant counts once, whatever servers and clocks do
CREATE UNIQUE INDEX ticks_instant ON ticks (schedule_key, scheduled_at) WHERE origin IN ('on_time', 'late');
CREATE INDEX ticks_schedule ON ticks (schedule_key, tick_key);
CREATE INDEX ticks_open ON ticks (state, tick_key) WHERE state IN ('queued', 'pending', 'created');
CREATE INDEX ticks_workflow ON ticks (workflow_key) WHERE workflow_key IS NOT NULL;
