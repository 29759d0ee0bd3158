/** Attempts of one workflow that an index finds without reading the others, as SQL. */

/**
 * A query for those that are live, with their jobs: exactly the jobs that are claimed. They occupy a worker, or are
 * orphans. The columns are those of `a`; two values follow, each the key of the workflow.
 */
export const liveAttemptsSql = (columns: string): string =>
  `SELECT ${columns} FROM compute_nodes w CROSS JOIN attempts a
     ON a.compute_node_key = w.compute_node_key AND a.is_occupying = 1 AND a.is_live = 1 WHERE w.workflow_key = ?
   UNION ALL SELECT ${columns} FROM orphans o CROSS JOIN attempts a ON a.attempt_key = o.attempt_key
     WHERE o.workflow_key = ?`;

/** The condition of the index attempts_unsuccessful, word for word. */
export const isUnsuccessfulSql = `a.cause IS NOT NULL AND (a.return_code IS NOT 0 OR a.end_status IS NOT 'done')`;

/** Causes with which attempts succeed; all others are found with `isUnsuccessfulSql`. */
export const causesOfSuccess: readonly unknown[] = ['success', 'inherited', 'marked'];
