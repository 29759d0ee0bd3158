/** Whether workers are there, as SQL conditions on a row `w` of workflows. */

/** A worker is there, and is heard from. */
export const hasWorkersSql = (w: string): string =>
  `EXISTS (SELECT 1 FROM compute_nodes n WHERE n.workflow_key = ${w}.workflow_key AND n.is_active = 1
     AND n.contact_lost_at IS NULL)`;

/** A worker was there in the present run. */
export const hasHadWorkersSql = (w: string): string =>
  `EXISTS (SELECT 1 FROM compute_nodes n WHERE n.workflow_key = ${w}.workflow_key
     AND (n.is_active = 1 OR n.ended_at >= ${w}.started_at))`;
