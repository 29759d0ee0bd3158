/** Reading all jobs of a workflow into a plan's compact form, and applying what a plan settled. */
import { isChanged, type JobStates, type Settled, statusCode } from '../../model/decide/restart.ts';
import { topologicalOrder } from '../../model/graph/graph.ts';
import { type JobStatus, jobStatuses, type Mover } from '../../model/status.ts';
import type { Transaction } from '../database/transaction.ts';
import { giveUpAttempt } from '../running/attempts.ts';
import { dropOwnHolds } from '../running/holds.ts';
import { numbering, readGraph } from '../running/job-graph.ts';
import { moveJob } from '../running/transitions.ts';

/** The jobs of a workflow as plans see them; `keys[n]` is the key of job number n. */
export interface StoredJobs extends JobStates {
  workflowKey: number;
  keys: Float64Array;
  barrierKeys: Float64Array;
  /** The stored counters by node, and the newest attempt of each job or 0. */
  storedBlockers: Int32Array;
  storedFailedUpstreams: Int32Array;
  attemptKeys: Float64Array;
  /** The number of a job; undefined for a key of another workflow. */
  numberOf(jobKey: number): number | undefined;
}

type JobRow = [
  jobKey: number,
  status: JobStatus,
  failed: number,
  cancelsOnFailure: number,
  numBlockers: number,
  numFailedUpstreams: number,
  attemptKey: number | null,
];

/** Reads every job and edge once. */
export function loadJobs(tx: Transaction, workflowKey: number): StoredJobs {
  const [numJobs, numBarriers] = tx.db.row<[number, number]>(
    `SELECT (SELECT count(*) FROM jobs WHERE workflow_key = ?), (SELECT count(*) FROM barriers WHERE workflow_key = ?)`,
    workflowKey,
    workflowKey,
  ) ?? [0, 0];
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
  for (const row of tx.db.rows<JobRow>(
    `SELECT job_key, status, failed, cancel_on_blocking_job_failure, num_blockers, num_failed_upstreams, attempt_key
     FROM jobs WHERE workflow_key = ? ORDER BY job_key`,
    workflowKey,
  )) {
    jobs.keys[job] = row[0];
    jobs.status[job] = statusCode[row[1]];
    jobs.failed[job] = row[2];
    jobs.cancelsOnFailure[job] = row[3];
    jobs.storedBlockers[job] = row[4];
    jobs.storedFailedUpstreams[job] = row[5];
    jobs.attemptKeys[job] = row[6] ?? 0;
    job += 1;
  }
  let barrier = 0;
  for (const row of tx.db.rows<[barrierKey: number, numBlockers: number, numFailedUpstreams: number]>(
    'SELECT barrier_key, num_blockers, num_failed_upstreams FROM barriers WHERE workflow_key = ? ORDER BY barrier_key',
    workflowKey,
  )) {
    jobs.barrierKeys[barrier] = row[0];
    jobs.storedBlockers[numJobs + barrier] = row[1];
    jobs.storedFailedUpstreams[numJobs + barrier] = row[2];
    barrier += 1;
  }
  const numberOf = numbering(jobs.keys);
  for (const [jobKey, numHolds, numRetryHolds] of tx.db.rows<[number, number, number]>(
    `SELECT job_key, count(*), sum(kind <> 'person') FROM holds WHERE workflow_key = ? GROUP BY 1`,
    workflowKey,
  )) {
    const number = numberOf(jobKey) as number;
    jobs.numHolds[number] = numHolds;
    jobs.numRetryHolds[number] = numRetryHolds;
  }
  const graph = readGraph(tx, jobs.keys, jobs.barrierKeys);
  return { ...jobs, numberOf, graph, order: topologicalOrder(graph) };
}

/**
 * Writes what the plan decided: moves along the transition table, counters, and the end of attempts that are given up.
 */
export function applySettled(tx: Transaction, jobs: StoredJobs, settled: Settled, by: Mover): void {
  const { workflowKey, numJobs } = jobs;
  for (let job = 0; job < numJobs; job++) {
    const jobKey = jobs.keys[job] as number;
    const to = settled.status[job] as number;
    const dropsHold = settled.dropsRetryHold[job] === 1;
    // this changes the stored counter
    if (dropsHold) dropOwnHolds(tx, { jobKey, workflowKey });
    const hasMoved = isChanged(jobs, settled, job);
    const planned = jobStatuses[to] as JobStatus;
    // it may turn out that it has to wait for its resource requirements
    const isHeld = hasMoved && moveSettled(tx, jobs, job, planned, by) !== planned;
    const failedUpstream = to === statusCode.canceled ? (settled.failedUpstream[job] as number) : -1;
    const hasSameCounters =
      jobs.storedBlockers[job] === settled.numBlockers[job] &&
      jobs.storedFailedUpstreams[job] === settled.numFailedUpstreams[job];
    if (hasSameCounters && !hasMoved && !dropsHold) continue;
    tx.db.run(
      'UPDATE jobs SET num_blockers = ?, num_failed_upstreams = ?, failed_upstream_key = ? WHERE job_key = ?',
      (settled.numBlockers[job] as number) + (isHeld ? 1 : 0),
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

/** Returns the status that the job has now. */
function moveSettled(tx: Transaction, jobs: StoredJobs, job: number, to: JobStatus, by: Mover): JobStatus {
  const status = jobStatuses[jobs.status[job] as number] as JobStatus;
  const state = {
    jobKey: jobs.keys[job] as number,
    workflowKey: jobs.workflowKey,
    status,
    failed: jobs.failed[job] === 1,
  };
  if (status === 'submitted' || status === 'submitted_pending') giveUpAttempt(tx, jobs.attemptKeys[job] as number);
  const isUnblocked = (by === 'disable' || by === 'mark') && status === 'blocked' && to === 'ready';
  return moveJob(tx, state, { to, by: isUnblocked ? 'unblock' : by });
}
