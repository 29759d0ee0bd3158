/** What there is, counted for programs that watch a server: from stored counts, at a cost that no number of jobs raises. */
import type { JobStatus, WorkflowStatus } from '../../model/status.ts';
import type { Database } from '../database/database.ts';
import { workflowStatusSql } from './definitions/workflows.ts';

export interface Measured {
  /** Workflows that are not archived. */
  workflows: { status: WorkflowStatus; n: number }[];
  /** Their jobs. */
  jobs: { status: JobStatus; n: number }[];
  numFailedJobs: number;
  /** Jobs of the newest workflows that have started and not ended. */
  unfinished: { workflow_key: number; name: string; status: JobStatus; n: number }[];
  workers: { num_active: number; num_silent: number; num_cpus: number; num_gpus: number; memory_bytes: number };
  held: { num_attempts: number; num_cpus: number; memory_bytes: number };
  allocations: { status: string; n: number }[];
  databaseBytes: number;
}

/** `most`: of how many workflows the jobs are counted one by one. */
export function readMetrics(db: Database, most: number): Measured {
  const shown = `w.phase IN ('created', 'starting', 'started') AND w.is_archived = 0`;
  const jobs = db.all<{ status: JobStatus; failed: number; n: number }>(
    `SELECT c.status, c.failed, sum(c.n) AS n FROM workflows w CROSS JOIN job_counts c ON c.workflow_key = w.workflow_key
     WHERE ${shown} GROUP BY c.status, c.failed`,
  );
  const sums = new Map<JobStatus, number>();
  for (const { status, n } of jobs) sums.set(status, (sums.get(status) ?? 0) + n);
  return {
    workflows: db.all(
      `SELECT status, count(*) AS n FROM (SELECT ${workflowStatusSql} AS status FROM workflows w WHERE ${shown})
       GROUP BY status`,
    ),
    jobs: [...sums].map(([status, n]) => ({ status, n })),
    numFailedJobs: jobs.reduce((sum, { failed, n }) => sum + (failed === 1 ? n : 0), 0),
    unfinished: db.all(
      `SELECT w.workflow_key, w.name, c.status, sum(c.n) AS n FROM (SELECT workflow_key, name FROM workflows w
       WHERE ${shown} AND w.run_id > 0 AND w.ended_at IS NULL ORDER BY workflow_key DESC LIMIT ?) w
       CROSS JOIN job_counts c ON c.workflow_key = w.workflow_key GROUP BY w.workflow_key, c.status HAVING sum(c.n) > 0`,
      most,
    ),
    workers: one(
      db,
      `SELECT count(*) AS num_active, count(contact_lost_at) AS num_silent, coalesce(sum(num_cpus), 0) AS num_cpus,
       coalesce(sum(num_gpus), 0) AS num_gpus, coalesce(sum(memory_bytes), 0) AS memory_bytes
       FROM compute_nodes WHERE is_active = 1`,
    ),
    held: one(
      db,
      `SELECT count(*) AS num_attempts, coalesce(sum(a.num_cpus), 0) AS num_cpus,
       coalesce(sum(a.memory_bytes), 0) AS memory_bytes FROM compute_nodes n
       CROSS JOIN attempts a ON a.compute_node_key = n.compute_node_key AND a.is_occupying = 1
       WHERE n.is_active = 1 AND (a.is_ahead = 0 OR a.started_at IS NOT NULL)`,
    ),
    allocations: db.all('SELECT status, count(*) AS n FROM allocations GROUP BY status'),
    databaseBytes: one<{ n: number }>(
      db,
      'SELECT page_count * page_size AS n FROM pragma_page_count(), pragma_page_size()',
    ).n,
  };
}

function one<T>(db: Database, sql: string): T {
  return db.get(sql) as T;
}
