-- Workers that own several nodes, and jobs that take several of them.

ALTER TABLE compute_nodes ADD COLUMN num_nodes INTEGER NOT NULL DEFAULT 1;

-- frozen at the claim like the other resources, which are those of each node; the numbers of the nodes within the worker
-- as a JSON list, of which 0 is its own; NULL for a job of one node, which is always there
ALTER TABLE attempts ADD COLUMN num_nodes INTEGER NOT NULL DEFAULT 1;
ALTER TABLE attempts ADD COLUMN node_indices TEXT;
