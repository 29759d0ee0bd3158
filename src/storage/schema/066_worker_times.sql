-- What the attempts of a worker had and used that are no longer live: their sum, so that a report reads few of them.
CREATE TABLE worker_times (
  compute_node_key INTEGER PRIMARY KEY,
  -- those whose process started
  num_attempts INTEGER NOT NULL,
  -- CPU-milliseconds
  had_ms REAL NOT NULL,
  used_ms REAL NOT NULL
) STRICT;

INSERT INTO worker_times (compute_node_key, num_attempts, had_ms, used_ms)
  SELECT compute_node_key, count(*), total(num_cpus * num_nodes * max(0, coalesce(ended_at, started_at) - started_at)),
    total(cpu_ms)
  FROM attempts WHERE is_live = 0 AND started_at IS NOT NULL AND compute_node_key > 0 GROUP BY compute_node_key;
