/** When the attempts, workers and allocations of a workflow ran. Instants are in milliseconds. */
import type { Database } from '../database/database.ts';
import { isUnsuccessfulSql } from '../running/attempt-sets.ts';
import { knownTimes, learnTimes } from './attempt-times.ts';
import { resultOutcome } from './definitions/results.ts';
import { endOfWorker, nextAttempt } from './node-hours.ts';

export interface TimedWorker {
  computeNodeKey: number;
  hostname: string;
  allocationKey: number | null;
  slurmJobId: string | null;
  numNodes: number;
  /** These three of each node. */
  numCpus: number;
  memoryBytes: number;
  numGpus: number;
  startedAt: number;
  /** Null while it runs. */
  endedAt: number | null;
}

/** In the order of their nodes' names and their starts. */
export function timedWorkers(db: Database, workflowKey: number): TimedWorker[] {
  return db.all<TimedWorker>(
    `SELECT compute_node_key AS computeNodeKey, hostname, allocation_key AS allocationKey, slurm_job_id AS slurmJobId,
       num_nodes AS numNodes, num_cpus AS numCpus, memory_bytes AS memoryBytes, num_gpus AS numGpus,
       started_at AS startedAt, CASE is_active WHEN 0 THEN ended_at END AS endedAt
     FROM compute_nodes WHERE workflow_key = ? ORDER BY hostname, started_at, compute_node_key`,
    workflowKey,
  );
}

export interface TimedAllocation {
  allocationKey: number;
  name: string;
  slurmJobId: string | null;
  status: string;
  numNodes: number;
  submittedAt: number;
  startedAt: number | null;
  endedAt: number | null;
}

/** Those that Slurm accepted, oldest first. */
export function timedAllocations(db: Database, workflowKey: number): TimedAllocation[] {
  return db.all<TimedAllocation>(
    `SELECT allocation_key AS allocationKey, name, slurm_job_id AS slurmJobId, status, num_nodes AS numNodes,
       submitted_at AS submittedAt, started_at AS startedAt, ended_at AS endedAt
     FROM allocations WHERE workflow_key = ? AND submitted_at IS NOT NULL ORDER BY submitted_at, allocation_key`,
    workflowKey,
  );
}

/** The period of a run, null for one that does not exist; its end is null while it goes on. */
export function timeOfRun(
  db: Database,
  workflowKey: number,
  runId: number,
): { startedAt: number | null; endedAt: number | null } | null {
  const sql = 'SELECT started_at AS startedAt, ended_at AS endedAt FROM runs WHERE workflow_key = ? AND run_id = ?';
  return db.get(sql, workflowKey, runId) ?? null;
}

/** How many attempts one step reads at most: in about 20 milliseconds. */
const attemptsAtATime = 10_000;

interface Window {
  workflowKey: number;
  from: number;
  to: number;
  now: number;
}

/** Calls `each` with the columns of a part of the attempts that ran within the window; see `eachSpan`. Skips parts that did not. */
function eachAttempt<R extends unknown[]>(
  db: Database,
  { workflowKey, from, to, now }: Window,
  { columns, after, each }: { columns: string; after: number; each: (row: R) => void },
): number | null {
  const times = knownTimes(db, workflowKey, after);
  if (times !== null && (times.from > to || times.to < from)) return times.last;
  const first = nextAttempt(db, workflowKey, after);
  if (first === undefined) return null;
  const last = first + attemptsAtATime - 1;
  const sql = `SELECT compute_node_key, started_at, coalesce(ended_at, ${endOfWorker}, ?) AS stopped_at, ${columns}
    FROM attempts a
    WHERE workflow_key = ? AND attempt_key BETWEEN ? AND ? AND compute_node_key > 0 AND inherited_from IS NULL
      AND started_at <= ? AND stopped_at >= ?`;
  for (const row of db.allRows<R>(sql, now, workflowKey, first, last, to, from)) each(row);
  if (times === null) learnTimes(db, workflowKey, { after, first, last });
  return last;
}

/** [worker, start, end, attempt, 1 for one that ended without success] */
export type SpanRow = [number, number, number, number, 0 | 1];

/** Calls `each` with a part of the attempts; returns from where on the next part begins, or null after the last. */
export function eachSpan(
  db: Database,
  window: Window,
  part: { after: number; each: (row: SpanRow) => void },
): number | null {
  return eachAttempt(db, window, { ...part, columns: `attempt_key, ${isUnsuccessfulSql}` });
}

/**
 * [worker, start, end, CPUs, bytes, thousandths of GPUs, all of these on all of its nodes together, milliseconds of CPU
 * time, average bytes], the last two null where they were not measured.
 */
export type UseRow = [number, number, number, number, number, number, number | null, number | null];

/** The same with what they had and used. */
export function eachUse(
  db: Database,
  window: Window,
  part: { after: number; each: (row: UseRow) => void },
): number | null {
  const columns = `num_cpus * num_nodes, memory_bytes * num_nodes, gpu_thousandths * num_nodes, cpu_ms,
    coalesce(average_memory_bytes, peak_memory_bytes)`;
  return eachAttempt(db, window, { ...part, columns });
}

export interface ShownSpan {
  attemptKey: number;
  jobKey: number;
  jobName: string | null;
  runId: number;
  attemptId: number;
  computeNodeKey: number;
  startedAt: number;
  endedAt: number | null;
  /** Null while it runs. */
  outcome: string | null;
  cause: string | null;
  returnCode: number | null;
  numCpus: number;
  gpuThousandths: number;
}

/** These attempts, in the order of their starts. */
export function shownSpans(db: Database, attemptKeys: readonly number[]): ShownSpan[] {
  return db.all<ShownSpan>(
    `SELECT a.attempt_key AS attemptKey, a.job_key AS jobKey, j.name AS jobName, a.run_id AS runId,
       a.attempt_id AS attemptId, a.compute_node_key AS computeNodeKey, a.started_at AS startedAt,
       coalesce(a.ended_at, ${endOfWorker}) AS endedAt, ${resultOutcome} AS outcome, a.cause,
       a.return_code AS returnCode, a.num_cpus * a.num_nodes AS numCpus,
       a.gpu_thousandths * a.num_nodes AS gpuThousandths
     FROM json_each(?) k CROSS JOIN attempts a ON a.attempt_key = k.value
     LEFT JOIN jobs j ON j.job_key = a.job_key
     ORDER BY a.started_at, a.attempt_key`,
    JSON.stringify(attemptKeys),
  );
}
