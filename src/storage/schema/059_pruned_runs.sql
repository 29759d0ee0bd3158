-- When what the run left behind was pruned: its events, or the results of attempts that later ones replaced.
ALTER TABLE runs ADD COLUMN pruned_at INTEGER;
