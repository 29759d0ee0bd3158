/** What the nodes of a workflow did, summed from its attempts. */
import type { JobTime, WorkerTime } from '../../model/decide/node-hours.ts';
import type { Database } from '../database/database.ts';
import { integersIn } from '../database/integers.ts';

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

/** How many attempts one step sums at most: in a few milliseconds. */
const attemptsAtATime = 20_000;

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

/**
 * Adds a part of the attempts to `sums`, by their workers; returns from where on the next part begins, or null after the
 * last. What still runs counts until `now`, and at most as long as its worker.
 */
export function addJobTimes(
  db: Database,
  workflowKey: number,
  { sums, after, now }: { sums: Map<number, JobTime>; after: number; now: number },
): number | null {
  const first = nextAttempt(db, workflowKey, after);
  if (first === undefined) return null;
  const last = first + attemptsAtATime - 1;
  // as texts of numbers: SQLite would sort the attempts to group them, and the index of the workflow costs a look-up for each
  const texts = db.row<[string | null, string, string]>(
    `SELECT group_concat(a.compute_node_key),
       group_concat(a.num_cpus * a.num_nodes * max(0, coalesce(a.ended_at, ${endOfWorker}, CAST(? AS INTEGER)) - a.started_at)),
       group_concat(coalesce(a.cpu_ms, 0))
     FROM attempts a
     WHERE +a.workflow_key = ? AND a.attempt_key BETWEEN ? AND ? AND a.started_at IS NOT NULL
       AND a.inherited_from IS NULL`,
    now,
    workflowKey,
    first,
    last,
  );
  const [workers = [], had = [], used = []] = (texts ?? []).map(integersIn);
  for (let place = 0; place < workers.length; place++) {
    const worker = workers[place] as number;
    let sum = sums.get(worker);
    if (sum === undefined) {
      sum = { numAttempts: 0, hadMs: 0, usedMs: 0 };
      sums.set(worker, sum);
    }
    sum.numAttempts += 1;
    sum.hadMs += had[place] as number;
    sum.usedMs += used[place] as number;
  }
  return last;
}
