-- what clusters offer, as Slurm said it last
CREATE TABLE site_profiles (
  cluster TEXT PRIMARY KEY,
  refreshed_at INTEGER NOT NULL,
  -- JSON: partitions with their limits and their nodes by kind
  profile TEXT NOT NULL
) STRICT, WITHOUT ROWID;
