/** What the nodes of a workflow did, from the sums of its workers and its live attempts. */
import type { JobTime, WorkerTime } from '../../model/decide/node-hours.ts';
import type { Database } from '../database/database.ts';

/** The workers of a workflow, and the number of nodes of each allocation. */
export function workerTimes(
  db: Database,
  workflowKey: number,
): { workers: WorkerTime[]; numNodes: Map<number, number> } {
  const workers = db.all<WorkerTime>(
    `SELECT compute_node_key AS computeNodeKey, allocation_key AS allocationKey, slurm_job_id AS slurmJobId, hostname,
       restart_count AS restartCount, num_nodes AS numNodes, num_cpus AS numCpus, started_at AS startedAt,
       CASE is_active WHEN 0 THEN ended_at END AS endedAt
     FROM compute_nodes WHERE workflow_key = ? ORDER BY compute_node_key`,
    workflowKey,
  );
  const sql = 'SELECT allocation_key, num_nodes FROM allocations WHERE workflow_key = ?';
  return { workers, numNodes: new Map(db.rows<[number, number]>(sql, workflowKey)) };
}

/** Of attempts `a`. Few have not ended: a join would look at the worker of each. */
export const endOfWorker = '(SELECT n.ended_at FROM compute_nodes n WHERE n.compute_node_key = a.compute_node_key)';

/** The first attempt of a workflow after another one. */
export function nextAttempt(db: Database, workflowKey: number, after: number): number | undefined {
  return db.row<[number]>(
    'SELECT attempt_key FROM attempts WHERE workflow_key = ? AND attempt_key > ? ORDER BY attempt_key LIMIT 1',
    workflowKey,
    after,
  )?.[0];
}

/** How many workers one step looks at: a few milliseconds where each has a hundred jobs. */
const workersAtATime = 100;

/** Of live attempts `a` that have started, of workers `n`. */
const liveTimes = `SELECT a.compute_node_key, count(*),
    total(a.num_cpus * a.num_nodes * max(0, coalesce(n.ended_at, @now) - a.started_at)), total(a.cpu_ms)`;

/** Sums exist of the attempts that are no longer live. Of the others, a process may exist, or they are orphans. */
const timesOfWorkers = `SELECT compute_node_key, num_attempts, had_ms, used_ms
    FROM json_each(@workers) k CROSS JOIN worker_times ON compute_node_key = k.value
  UNION ALL ${liveTimes}
    FROM json_each(@workers) k CROSS JOIN compute_nodes n ON n.compute_node_key = k.value
      CROSS JOIN attempts a ON a.compute_node_key = n.compute_node_key AND a.is_occupying = 1
    WHERE a.is_live = 1 AND a.started_at IS NOT NULL GROUP BY 1
  UNION ALL ${liveTimes}
    FROM orphans o CROSS JOIN attempts a ON a.attempt_key = o.attempt_key
      CROSS JOIN compute_nodes n ON n.compute_node_key = a.compute_node_key
    WHERE o.workflow_key = @workflow AND a.compute_node_key IN (SELECT value FROM json_each(@workers))
      AND a.started_at IS NOT NULL GROUP BY 1`;

/**
 * Adds what the attempts of a part of the workers had and used to `sums`; returns from where on the next part begins, or
 * null after the last. What still runs counts until `now`, and at most as long as its worker.
 */
export function addJobTimes(
  db: Database,
  workflowKey: number,
  { sums, after, now }: { sums: Map<number, JobTime>; after: number; now: number },
): number | null {
  const sql = `SELECT compute_node_key FROM compute_nodes WHERE workflow_key = ? AND compute_node_key > ?
    ORDER BY compute_node_key LIMIT ${workersAtATime}`;
  const workers = db.column<number>(sql, workflowKey, after);
  const values = { workflow: workflowKey, workers: JSON.stringify(workers), now };
  for (const [worker, numAttempts, hadMs, usedMs] of db.allRows<[number, number, number, number]>(
    timesOfWorkers,
    values,
  )) {
    const sum = sums.get(worker) ?? { numAttempts: 0, hadMs: 0, usedMs: 0 };
    sums.set(worker, sum);
    sum.numAttempts += numAttempts;
    sum.hadMs += hadMs;
    sum.usedMs += usedMs;
  }
  return workers.length < workersAtATime ? null : (workers.at(-1) ?? null);
}
