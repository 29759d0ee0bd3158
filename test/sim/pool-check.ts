/** A running job is where it belongs: its worker has all of its labels, and takes jobs without labels if it has none. */
import type { Database } from '../../src/storage/database/database.ts';

interface Row {
  attempt_key: number;
  asked: string;
  had: string;
  takes_unlabelled: number;
  is_own_config: number | null;
}

/** Broken rules, each as a sentence. */
export function brokenPools(db: Database): string[] {
  const rows = db.all<Row>(
    `SELECT a.attempt_key, s.labels AS asked, n.labels AS had, n.takes_unlabelled,
       s.slurm_config_key = l.slurm_config_key AS is_own_config
     FROM attempts a JOIN jobs j ON j.job_key = a.job_key JOIN shapes s ON s.shape_key = j.shape_key
     JOIN compute_nodes n ON n.compute_node_key = a.compute_node_key
     LEFT JOIN allocations l ON l.allocation_key = n.allocation_key
     WHERE a.is_live = 1 AND a.is_occupying = 1`,
  );
  return rows.flatMap(({ attempt_key, asked, had, takes_unlabelled, is_own_config }) => {
    const has = had.split(',');
    const lacking = asked === '' ? [] : asked.split(',').filter((label) => !has.includes(label));
    if (lacking.length > 0) return [`attempt ${attempt_key} is on a worker without the label ${lacking[0]}`];
    const isElsewhere = asked === '' && takes_unlabelled === 0 && is_own_config !== 1;
    return isElsewhere
      ? [`attempt ${attempt_key} has no labels but is on a worker that takes only jobs with labels`]
      : [];
  });
}
