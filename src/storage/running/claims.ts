/**
 * Claiming: which ready jobs a worker gets. Free resources come from the attempts that occupy the worker, inside the
 * claim's transaction; what the worker says is free is not believed. The cost grows with the jobs that are taken and with
 * those that run on this worker, not with the workflow.
 */

import { noLimits, type Quota } from '../../model/decide/concurrency.ts';
import {
  type Admission,
  type FreeNode,
  fits,
  idleWorker,
  isFull,
  leaveNothing,
  nextInOrder,
  type Offer,
  type Placement,
  pack,
  withdrawNamed,
  withdrawNodes,
} from '../../model/decide/packing.ts';
import { mayTake, type Pool } from '../../model/decide/pools.ts';
import type { ReadyQueues } from '../../model/decide/ready-queues.ts';
import { leastTimeMs, needAtStart } from '../../model/decide/time-left.ts';
import { noResources, type ResourceSet } from '../../model/named-resources.ts';
import type { Transaction } from '../database/transaction.ts';
import { countActiveComputeNodes } from './active-compute-nodes.ts';
import { recordClaims } from './claimed-attempts.ts';
import type { ComputeNode } from './compute-nodes.ts';
import { limitsNow } from './limits.ts';
import { poolOf } from './pools.ts';
import { readyJobs } from './ready-jobs.ts';
import type { JobRequest, Shape } from './shapes.ts';
import { rememberInputVersions } from './user-data.ts';

/**
 * How much work is queued behind each running job of a worker when jobs are shorter than a round trip to the server;
 * jobs that usually take longer than this are never given out ahead of time.
 */
const aheadMs = 100;
/** The most jobs that a worker has been given and has not started, however short they are. */
const mostAhead = 512;
/**
 * The same of all workers of a workflow together, in equal shares: they all wait for the server then, and what they are
 * told and report takes memory. A worker may have one for each that runs there even so.
 */
const mostAheadInAll = 131_072;

/** How long jobs of a shape usually take; null while that is unknown. */
export type UsualRuntime = (shapeKey: number) => number | null;

/**
 * Claims jobs for a worker: what fits, and with `usualRuntimeMs` also short jobs ahead of time. Returns how many. Nothing
 * is claimed for a workflow that has not started or is paused.
 */
export function claimJobs(
  tx: Transaction,
  node: ComputeNode,
  timeLeftMs: number | null,
  usualRuntimeMs: UsualRuntime | null = null,
): number {
  const run = runToClaimFor(tx, node.workflowKey);
  if (run === null) return 0;
  const quota = limitsNow(tx).quota(node.workflowKey);
  // after a failure too many, or a job more at once than may run, nothing more may start
  const usualRuntime = run.hasMaxFailures === 1 || quota.slots < Number.POSITIVE_INFINITY ? null : usualRuntimeMs;
  const free = freeResources(tx, node, timeLeftMs);
  free.slots = Math.min(free.slots, quota.slots);
  const admission = admissionTo(poolOf(tx, node), leastTimeMs(run.leadMs, node.walltimeMs), quota);
  const placements = isFull(free) ? [] : pack(free, readyJobs(tx, node.workflowKey).walk(), admission);
  recordClaims(tx, { node, runId: run.runId, isAhead: false }, placements);
  const ahead = usualRuntime === null ? [] : chooseAhead(tx, node, admission, timeLeftMs, usualRuntime);
  recordClaims(tx, { node, runId: run.runId, isAhead: true }, ahead);
  const jobKeys = [...placements, ...ahead].map(({ jobKey }) => jobKey);
  rememberInputVersions(tx, node.workflowKey, jobKeys);
  const numJobs = jobKeys.length;
  if (numJobs > 0) tx.tell({ kind: 'jobs_claimed', workflowKey: node.workflowKey, numJobs });
  return numJobs;
}

/** What a worker of this pool may claim, and as much of it as the limits leave. */
function admissionTo(pool: Pool, leastMs: number, quota: Quota): Admission<JobRequest> {
  return {
    needOf: (shape) => (mayTake(pool, shape) && quota.admits(shape.limits) ? needAtStart(shape, leastMs) : null),
    take: ({ limits }) => quota.take(limits),
  };
}

/** The run of a workflow for which jobs may be claimed. */
interface ClaimableRun {
  runId: number;
  leadMs: number;
  hasMaxFailures: number;
}

/** Null while the workflow has not started, is canceled, cut off or held back. */
function runToClaimFor(tx: Transaction, workflowKey: number): ClaimableRun | null {
  const workflow = tx.db.get<ClaimableRun & { phase: string; is_held: number }>(
    `SELECT phase, run_id AS runId, sigterm_lead_ms AS leadMs, max_failures IS NOT NULL AS hasMaxFailures,
       is_canceled OR is_stopping OR has_timed_out OR has_failed_out OR paused_at IS NOT NULL AS is_held
     FROM workflows WHERE workflow_key = ?`,
    workflowKey,
  );
  return workflow?.phase !== 'started' || workflow.is_held !== 0 ? null : workflow;
}

function chooseAhead(
  tx: Transaction,
  node: ComputeNode,
  admission: Admission<JobRequest>,
  timeLeftMs: number | null,
  usualRuntime: UsualRuntime,
): Placement<Shape>[] {
  const { running, ahead } = tx.db.get(
    `SELECT count(*) FILTER (WHERE is_ahead = 0 OR started_at IS NOT NULL) AS running,
       count(*) FILTER (WHERE is_ahead = 1 AND started_at IS NULL) AS ahead
     FROM attempts WHERE compute_node_key = ? AND is_occupying = 1`,
    node.computeNodeKey,
  ) as { running: number; ahead: number };
  // what fits into the worker when nothing else runs; GPUs and named resources are given out only when they are free
  const whole = { ...idleWorker({ ...node, numGpus: 0, resources: noResources }, timeLeftMs), slots: mostAhead };
  const runtimeOf = ({ shapeKey, need, limits }: Shape): number | null => {
    const runtimeMs = need.numNodes > 1 || limits !== noLimits ? null : usualRuntime(shapeKey);
    return runtimeMs !== null && runtimeMs <= aheadMs ? Math.max(1, runtimeMs) : null;
  };
  const ready = readyJobs(tx, node.workflowKey);
  const queuedMs = ahead === 0 ? 0 : ahead * shortestRuntime(ready, whole, admission, runtimeOf);
  const share = Math.floor(mostAheadInAll / countActiveComputeNodes(tx, node.workflowKey));
  const most = Math.max(running, Math.min(share, mostAhead));
  const room = { workMs: running * aheadMs - queuedMs, most: most - ahead };
  return nextInOrder(whole, ready.walk(), admission, runtimeOf, room);
}

/** What the shortest of the ready jobs that fit take; what takes longer than `aheadMs` counts as that. */
function shortestRuntime(
  ready: ReadyQueues<Shape>,
  whole: FreeNode,
  { needOf }: Admission<JobRequest>,
  runtimeOf: (shape: Shape) => number | null,
): number {
  let shortest = aheadMs;
  for (const shape of ready.shapes()) {
    const need = needOf(shape);
    if (need !== null && fits(whole, need)) shortest = Math.min(shortest, runtimeOf(shape) ?? aheadMs);
  }
  return shortest;
}

/** A worker, as far as it matters to what is free on it. */
type Holder = Offer & Pick<ComputeNode, 'computeNodeKey'>;

/**
 * What is free on a worker: its capacity minus what occupying attempts hold, except those given ahead that have not
 * started.
 */
export function freeResources(tx: Transaction, node: Holder, timeLeftMs: number | null): FreeNode {
  const free = idleWorker(node, timeLeftMs);
  const used = tx.db.get<{ jobs: number; wide: number; cpus: number; memory: number }>(
    `SELECT count(*) AS jobs, count(node_indices) AS wide,
       coalesce(sum(num_cpus) FILTER (WHERE node_indices IS NULL), 0) AS cpus,
       coalesce(sum(memory_bytes) FILTER (WHERE node_indices IS NULL), 0) AS memory
     FROM attempts WHERE compute_node_key = ? AND is_occupying = 1 AND (is_ahead = 0 OR started_at IS NOT NULL)`,
    node.computeNodeKey,
  ) as { jobs: number; wide: number; cpus: number; memory: number };
  free.slots -= used.jobs;
  free.numCpus -= used.cpus;
  free.memoryBytes -= used.memory;
  if (used.jobs > used.wide) withdrawNodes(free, [0]);
  if (node.numGpus > 0) {
    for (const row of tx.db.all<{ gpu_index: number; gpu_thousandths: number }>(
      'SELECT gpu_index, gpu_thousandths FROM attempt_gpus WHERE compute_node_key = ?',
      node.computeNodeKey,
    )) {
      const index = row.gpu_index;
      free.gpus[index] = (free.gpus[index] ?? 0) - row.gpu_thousandths;
    }
    free.gpuThousandths = free.gpus.reduce((sum, left) => sum + left, 0);
  }
  if (free.named !== null) {
    for (const { resources } of tx.db.all<{ resources: ResourceSet }>(
      `SELECT resources FROM attempts
       WHERE compute_node_key = ? AND is_occupying = 1 AND resources IS NOT NULL AND node_indices IS NULL`,
      node.computeNodeKey,
    )) {
      withdrawNamed(free, resources);
    }
  }
  if (used.wide > 0) withdrawWholeNodes(tx, node, free);
  return free;
}

function withdrawWholeNodes(tx: Transaction, node: Holder, free: FreeNode): void {
  for (const row of tx.db.all<{ node_indices: string }>(
    'SELECT node_indices FROM attempts WHERE compute_node_key = ? AND is_occupying = 1 AND node_indices IS NOT NULL',
    node.computeNodeKey,
  )) {
    const indices = JSON.parse(row.node_indices) as number[];
    withdrawNodes(free, indices);
    if (indices.includes(0)) leaveNothing(free);
  }
}

/** What is free on a worker, and which jobs it may take. */
export interface Vacancy {
  free: FreeNode;
  pool: Pool;
  walltimeMs: number | null;
}

/** What could be claimed of a workflow now. */
export interface Claimable {
  /** Null when nothing may be claimed. */
  ready: ReadyQueues<Shape> | null;
  /** The lead of the signal of jobs that support termination. */
  leadMs: number;
  quota: Quota;
}

/** Valid until a transaction or a part of it is rolled back. */
export function claimable(tx: Transaction, workflowKey: number): Claimable {
  const run = runToClaimFor(tx, workflowKey);
  const quota = limitsNow(tx).quota(workflowKey);
  if (run === null || quota.slots <= 0) return { ready: null, leadMs: 0, quota };
  return { ready: readyJobs(tx, workflowKey), leadMs: run.leadMs, quota };
}

export function vacancyOf(tx: Transaction, node: ComputeNode): Vacancy {
  return { free: freeResources(tx, node, null), pool: poolOf(tx, node), walltimeMs: node.walltimeMs };
}

/** Whether a ready job would fit; reads nothing. */
export function couldTakeAny(
  { free, pool, walltimeMs }: Vacancy,
  timeLeftMs: number | null,
  { ready, leadMs, quota }: Claimable,
): boolean {
  if (ready === null || isFull(free)) return false;
  const now = { ...free, timeLeftMs };
  const { needOf } = admissionTo(pool, leastTimeMs(leadMs, walltimeMs), quota);
  return ready.some((shape) => {
    const need = needOf(shape);
    return need !== null && fits(now, need);
  });
}

/** Whether only a limit keeps ready jobs back that the worker could take when it is idle. */
export function waitsForLimit(tx: Transaction, node: ComputeNode): boolean {
  if (runToClaimFor(tx, node.workflowKey) === null) return false;
  const quota = limitsNow(tx).quota(node.workflowKey);
  const [pool, idle] = [poolOf(tx, node), idleWorker(node, null)];
  const isLimited = ({ limits }: Shape) => quota.slots <= 0 || !quota.admits(limits);
  return readyJobs(tx, node.workflowKey).some(
    (shape) => isLimited(shape) && mayTake(pool, shape) && fits(idle, shape.need),
  );
}
