/** Reading all jobs of a workflow into a plan's compact form, and applying what a plan settled. */
import type { Diagnosis } from '../../model/decide/diagnosis-fields.ts';
import { type JobStates, type Settled, statusCode } from '../../model/decide/restart.ts';
import { buildGraph, topologicalOrder } from '../../model/graph/graph.ts';
import { type JobStatus, jobStatuses, type Mover } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { giveUpAttempt } from '../running/attempts.ts';
import { dropRetryHold } from '../running/holds.ts';
import { moveJob } from '../running/transitions.ts';

/** The jobs of a workflow as plans see them; `keys[n]` is the key of job number n. */
export interface StoredJobs extends JobStates {
  workflowKey: number;
  keys: Float64Array;
  barrierKeys: Float64Array;
  /** Counters as they are stored, by node, and the newest attempt of each job or 0. */
  storedBlockers: Int32Array;
  storedFailedUpstreams: Int32Array;
  attemptKeys: Float64Array;
  /** The number of a job; undefined for a key of another workflow. */
  numberOf(jobKey: number): number | undefined;
}

type Row = (number | string | null)[];

/** Reads every job and edge once: about 2 us for each. */
export function loadJobs(tx: Transaction, workflowKey: number): StoredJobs {
  const [numJobs, numBarriers] = ['jobs', 'barriers'].map(
    (table) => tx.db.get(`SELECT count(*) AS n FROM ${table} WHERE workflow_key = ?`, workflowKey)?.n as number,
  ) as [number, number];
  const numNodes = numJobs + numBarriers;
  const jobs = {
    workflowKey,
    numJobs,
    keys: new Float64Array(numJobs),
    barrierKeys: new Float64Array(numBarriers),
    status: new Uint8Array(numJobs),
    failed: new Uint8Array(numJobs),
    cancelsOnFailure: new Uint8Array(numJobs),
    numHolds: new Int32Array(numJobs),
    numRetryHolds: new Int32Array(numJobs),
    storedBlockers: new Int32Array(numNodes),
    storedFailedUpstreams: new Int32Array(numNodes),
    attemptKeys: new Float64Array(numJobs),
  };
  let job = 0;
  for (const row of tx.db.rows(
    `SELECT job_key, status, failed, cancel_on_blocking_job_failure, num_blockers, num_failed_upstreams, attempt_key
     FROM jobs WHERE workflow_key = ? ORDER BY job_key`,
    workflowKey,
  ) as Iterable<Row>) {
    jobs.keys[job] = row[0] as number;
    jobs.status[job] = statusCode[row[1] as JobStatus];
    jobs.failed[job] = row[2] as number;
    jobs.cancelsOnFailure[job] = row[3] as number;
    jobs.storedBlockers[job] = row[4] as number;
    jobs.storedFailedUpstreams[job] = row[5] as number;
    jobs.attemptKeys[job] = row[6] as number;
    job += 1;
  }
  let barrier = 0;
  for (const row of tx.db.rows(
    'SELECT barrier_key, num_blockers, num_failed_upstreams FROM barriers WHERE workflow_key = ? ORDER BY barrier_key',
    workflowKey,
  ) as Iterable<Row>) {
    jobs.barrierKeys[barrier] = row[0] as number;
    jobs.storedBlockers[numJobs + barrier] = row[1] as number;
    jobs.storedFailedUpstreams[numJobs + barrier] = row[2] as number;
    barrier += 1;
  }
  const numberOf = numbering(jobs.keys);
  for (const [jobKey, numHolds, numRetryHolds] of tx.db.rows<[number, number, number]>(
    `SELECT job_key, count(*), sum(kind = 'retry') FROM holds WHERE workflow_key = ? GROUP BY 1`,
    workflowKey,
  )) {
    const number = numberOf(jobKey) as number;
    jobs.numHolds[number] = numHolds;
    jobs.numRetryHolds[number] = numRetryHolds;
  }
  const graph = buildGraph(numJobs, numBarriers, [...edgesOf(tx, jobs.keys, jobs.barrierKeys, numberOf)]);
  return { ...jobs, numberOf, graph, order: topologicalOrder(graph) };
}

/** The names of the jobs in the order of `loadJobs`. */
export function* jobNames(tx: Transaction, workflowKey: number): Generator<string> {
  const rows = tx.db.rows('SELECT name FROM jobs WHERE workflow_key = ? ORDER BY job_key', workflowKey);
  for (const [name] of rows as Iterable<[string]>) yield name;
}

/** Keys of one workflow are mostly one range without gaps, where counting does for looking up. */
function numbering(keys: Float64Array): (key: number) => number | undefined {
  const first = keys[0] ?? 0;
  const isRange = keys.length === 0 || (keys.at(-1) as number) - first === keys.length - 1;
  if (isRange) return (key) => (key >= first && key < first + keys.length ? key - first : undefined);
  const numbers = new Map<number, number>();
  for (const [number, key] of keys.entries()) numbers.set(key, number);
  return (key) => numbers.get(key);
}

/** The workflow's edges as graph nodes. Keys of other workflows may lie in between and are passed over. */
function* edgesOf(
  tx: Transaction,
  keys: Float64Array,
  barrierKeys: Float64Array,
  jobNumber: (key: number) => number | undefined,
): Generator<[number, number]> {
  const barrierNumber = numbering(barrierKeys);
  const nodeOf = (key: number): number | undefined => {
    if (key > 0) return jobNumber(key);
    const barrier = barrierNumber(-key);
    return barrier === undefined ? undefined : -1 - barrier;
  };
  const ranges: [number | undefined, number | undefined][] = [
    [keys[0], keys.at(-1)],
    [-(barrierKeys.at(-1) ?? 0), -(barrierKeys[0] ?? 0)],
  ];
  for (const [low, high] of ranges) {
    if (low === undefined || low === 0) continue;
    for (const row of tx.db.rows(
      'SELECT upstream, downstream FROM edges WHERE upstream BETWEEN ? AND ?',
      low,
      high,
    ) as Iterable<[number, number]>) {
      const [from, to] = [nodeOf(row[0]), nodeOf(row[1])];
      if (from !== undefined && to !== undefined) yield [from, to];
    }
  }
}

/** Writes what was settled: moves along the transition table, counters, and the end of attempts that are given up. */
export function applySettled(tx: Transaction, jobs: StoredJobs, settled: Settled, by: Mover): void {
  const { workflowKey, numJobs } = jobs;
  for (let job = 0; job < numJobs; job++) {
    const jobKey = jobs.keys[job] as number;
    const [from, to] = [jobs.status[job] as number, settled.status[job] as number];
    if (settled.dropsRetryHold[job] === 1) dropRetryHold(tx, { jobKey, workflowKey });
    if (from !== to) moveSettled(tx, jobs, job, jobStatuses[to] as JobStatus, by);
    const failedUpstream = to === statusCode.canceled ? (settled.failedUpstream[job] as number) : -1;
    const hasSameCounters =
      jobs.storedBlockers[job] === settled.numBlockers[job] &&
      jobs.storedFailedUpstreams[job] === settled.numFailedUpstreams[job];
    if (hasSameCounters && from === to) continue;
    tx.db.run(
      'UPDATE jobs SET num_blockers = ?, num_failed_upstreams = ?, failed_upstream_key = ? WHERE job_key = ?',
      settled.numBlockers[job],
      settled.numFailedUpstreams[job],
      failedUpstream < 0 ? null : jobs.keys[failedUpstream],
      jobKey,
    );
  }
  for (const [barrier, barrierKey] of jobs.barrierKeys.entries()) {
    const node = numJobs + barrier;
    tx.db.run(
      'UPDATE barriers SET num_blockers = ?, num_failed_upstreams = ? WHERE barrier_key = ? AND workflow_key = ?',
      settled.numBlockers[node],
      settled.numFailedUpstreams[node],
      barrierKey,
      workflowKey,
    );
  }
}

function moveSettled(tx: Transaction, jobs: StoredJobs, job: number, to: JobStatus, by: Mover): void {
  const status = jobStatuses[jobs.status[job] as number] as JobStatus;
  const state = {
    jobKey: jobs.keys[job] as number,
    workflowKey: jobs.workflowKey,
    status,
    failed: jobs.failed[job] === 1,
  };
  if (status === 'submitted' || status === 'submitted_pending') giveUpAttempt(tx, jobs.attemptKeys[job] as number);
  const isUnblocked = by === 'disable' && status === 'blocked' && to === 'ready';
  moveJob(tx, state, { to, by: isUnblocked ? 'unblock' : by });
}

/** A claimed job and what is known of its process. */
export interface ClaimedJob {
  jobKey: number;
  jobName: string;
  status: JobStatus;
  attemptKey: number;
  runId: number;
  attemptId: number;
  process: Diagnosis['process'];
  /** Whether it was asked to end. */
  isEnding: boolean;
  hostname: string;
  slurmJobId: string | null;
  lastHeartbeatAt: number;
  diagnosis: Diagnosis | null;
}

/** The claimed jobs of a workflow, in stored order. */
export function claimedJobs(tx: Transaction, workflowKey: number): ClaimedJob[] {
  return tx.db
    .all(
      `SELECT j.job_key, j.name, j.status, a.attempt_key, a.run_id, a.attempt_id, a.is_occupying, a.stop_reason, a.diagnosis, n.hostname, n.slurm_job_id,
         n.is_active, n.contact_lost_at, n.last_heartbeat_at
       FROM jobs j JOIN attempts a ON a.attempt_key = j.attempt_key
       JOIN compute_nodes n ON n.compute_node_key = a.compute_node_key
       WHERE j.workflow_key = ? AND j.status IN ('submitted_pending', 'submitted') ORDER BY j.job_key`,
      workflowKey,
    )
    .map((row) => ({
      jobKey: row.job_key as number,
      jobName: row.name as string,
      status: row.status as JobStatus,
      attemptKey: row.attempt_key as number,
      runId: row.run_id as number,
      attemptId: row.attempt_id as number,
      process: processOf(row),
      isEnding: row.stop_reason !== null,
      hostname: row.hostname as string,
      slurmJobId: row.slurm_job_id as string | null,
      lastHeartbeatAt: row.last_heartbeat_at as number,
      diagnosis: row.diagnosis === null ? null : (JSON.parse(row.diagnosis as string) as Diagnosis),
    }));
}

function processOf(row: Record<string, unknown>): Diagnosis['process'] {
  if (row.is_occupying === 0) return 'gone';
  return row.is_active === 0 || row.contact_lost_at !== null ? 'lost_contact' : 'running';
}

/** What a change of a plan says of a job beyond its number. */
export interface JobLabel {
  name: string;
  returnCode: number | null;
  cause: string | null;
  /** What its worker said of its end beyond the cause. */
  detail: string | null;
  diagnosis: Diagnosis | null;
}

/** Names and newest ends of some jobs, by key. */
export function jobLabels(tx: Transaction, jobKeys: readonly number[]): Map<number, JobLabel> {
  const rows = tx.db.all(
    `SELECT j.job_key, j.name, a.return_code, a.cause, a.detail, a.lost_cause, a.diagnosis, a.is_live FROM jobs j
     LEFT JOIN attempts a ON a.attempt_key = j.attempt_key
     WHERE j.job_key IN (SELECT value FROM json_each(?))`,
    JSON.stringify(jobKeys),
  );
  return new Map(
    rows.map((row) => [
      row.job_key as number,
      {
        name: row.name as string,
        returnCode: row.return_code as number | null,
        detail: row.detail as string | null,
        cause: (row.is_live === 1 ? row.lost_cause : row.cause) as string | null,
        diagnosis:
          row.is_live === 1 && row.diagnosis !== null ? (JSON.parse(row.diagnosis as string) as Diagnosis) : null,
      },
    ]),
  );
}
