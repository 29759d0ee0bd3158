/**
 * Why a job waits: a pure decision over what it asks for, its workflow and the workers that are there. The workers pass
 * through filters (may take it, are heard from, are large enough, last long enough, have room); a filter that leaves
 * none is a reason.
 */
import { isoInstant } from '../../base/clock.ts';
import { packedMs, type Requirements } from '../job.ts';
import { labelsIn, noLabels } from '../labels.ts';
import { amountsIn, noResources } from '../named-resources.ts';
import type { JobStatus } from '../status.ts';
import type { ScalingReason } from './autoscaling-reason.ts';
import { type LimitSet, type LimitState, wholeWorkflow } from './concurrency.ts';
import { type NodesToCome, whoBringsNodes } from './nodes-to-come.ts';
import { type FreeNode, fits, fitsTime, hasNamed, idleWorker, type Offer } from './packing.ts';
import { admitsConfig, anyConfig, type Belonging, mayTake, missingLabels, type Pool } from './pools.ts';
import { comingFor, largerComing, type QueuedAllocations, waitsFor } from './queued-allocations.ts';
import type { WaitingReason } from './reason.ts';
import { dimensionsBeyond, largestOf, sizeOf } from './size.ts';
import { leastTimeMs, needAtStart } from './time-left.ts';

export const waitingStatuses = ['uninitialized', 'blocked', 'ready'] as const satisfies readonly JobStatus[];
export type WaitingStatus = (typeof waitingStatuses)[number];

/** A job that waits, or what all jobs of a row have in common. */
export interface WaitingJob extends Belonging {
  status: WaitingStatus;
  need: Requirements;
  supportsTermination: boolean;
  /** The limits under which it runs. */
  limits: LimitSet;
  /** Null when all of its upstream jobs have ended. */
  upstreams: { total: number | null; first: { job_key: string; name: string; status: string }[] } | null;
  /** Instants in milliseconds. */
  holds: readonly { kind: string; until: number | null; detail?: string | null }[];
}

type Sized = Pick<WaitingJob, keyof Belonging | 'need' | 'supportsTermination'>;

/** A worker that has not ended, or several that differ in nothing but their hosts. */
export interface PresentWorker {
  hostname: string;
  count: number;
  pool: Pool;
  isSilent: boolean;
  /** The whole time that it had when it started; null for no end. */
  walltimeMs: number | null;
  /** Without any job, and what is left of it now; the time is what its jobs have. */
  idle: FreeNode;
  free: FreeNode;
}

/** A workflow and its workers, as far as its jobs wait for them. */
export interface Situation {
  hasStarted: boolean;
  /** 0 before the first start. */
  runId: number;
  isCanceled: boolean;
  isPaused: boolean;
  hasTimedOut: boolean;
  isStopping: boolean;
  /** Whether a server answers its workers. */
  isServed: boolean;
  /** Limits under which nothing more may start. */
  fullLimits: readonly (LimitState & { name: string })[];
  /** The lead of the signal of jobs that support termination. */
  leadMs: number;
  workers: readonly PresentWorker[];
  /** Workers that have ended: each size once. */
  pastWorkers: readonly (Offer & { pool: Pool })[];
  /** `pool`: of the workers in its allocations. */
  configs: readonly { key: number; name: string; walltimeMs: number; pool: Pool }[];
  queued: readonly QueuedAllocations[];
  /** What its autoscaler decided last; null without one. */
  scaling?: ScalingReason | null;
  /** Read only where the workers are too small; missing for none. */
  nodesToCome?: () => NodesToCome;
}

/** All reasons for which a job waits, the nearest first; at least one. */
export function reasonsOf(job: WaitingJob, situation: Situation): WaitingReason[] {
  return [
    ...reasonsOfJob(job),
    ...reasonsOfWorkflow(job, situation),
    ...(job.status === 'ready' ? reasonsOfWorkers(job, situation) : lastingObstacles(job, situation)),
  ];
}

function reasonsOfJob({ status, upstreams, holds }: WaitingJob): WaitingReason[] {
  if (status !== 'blocked') return [];
  const held = holds.map(
    ({ kind, until, detail }): WaitingReason => ({
      code: 'held',
      kind,
      until: until === null ? null : isoInstant(until),
      ...(detail == null ? {} : { detail }),
    }),
  );
  return upstreams === null ? held : [{ code: 'waits_for_upstreams', ...upstreams }, ...held];
}

function reasonsOfWorkflow({ status }: WaitingJob, situation: Situation): WaitingReason[] {
  if (status === 'uninitialized') {
    return [{ code: situation.runId === 0 ? 'workflow_not_started' : 'waits_for_restart' }];
  }
  const reasons: WaitingReason[] = [];
  if (!situation.hasStarted) reasons.push({ code: 'workflow_not_started' });
  if (situation.isCanceled) reasons.push({ code: 'workflow_canceled' });
  if (situation.isPaused) reasons.push({ code: 'workflow_paused' });
  if (situation.hasTimedOut) reasons.push({ code: 'workflow_timed_out' });
  if (situation.isStopping) reasons.push({ code: 'workflow_stopping' });
  return reasons;
}

/** Of a ready job: what keeps each worker from taking it. */
function reasonsOfWorkers(job: WaitingJob, situation: Situation): WaitingReason[] {
  const able = situation.workers.filter(({ pool }) => mayTake(pool, job));
  const reasons = [
    ...reasonsOfLimits(job, situation),
    ...reasonsOfPresence(job, able, situation),
    ...lastingObstacles(job, situation),
  ];
  const large = able.filter(({ idle }) => isLargeEnough(idle, job.need));
  const [longest] = large.toSorted((a, b) => timeLeft(b) - timeLeft(a));
  if (
    longest !== undefined &&
    !large.some((worker) => fitsTime(worker.idle.timeLeftMs, needOn(worker, job, situation)))
  ) {
    const runtime_seconds = packedMs(needOn(longest, job, situation)) / 1000;
    reasons.push({ code: 'outlasts_workers', runtime_seconds, longest_seconds: timeLeft(longest) / 1000 });
  }
  if (reasons.length > 0) return reasons;
  const larger = large.length > 0 ? [] : largerComing(job, idleOf(able), situation);
  if (larger.length > 0) return [waitsFor(larger)];
  if (large.length === 0 && situation.scaling != null) return [{ code: 'waits_for_nodes', scaling: situation.scaling }];
  const hasRoom = able.some((worker) => !worker.isSilent && fits(worker.free, needOn(worker, job, situation)));
  return [hasRoom ? { code: 'waits_for_turn' } : roomFor(job.need)];
}

function idleOf(workers: readonly PresentWorker[]): FreeNode[] {
  return workers.map(({ idle }) => idle);
}

function roomFor(need: Requirements): WaitingReason {
  return { code: 'waits_for_room', needed: sizeOf(need), resources: amountsIn(need.resources ?? noResources) };
}

function reasonsOfLimits({ limits }: WaitingJob, { fullLimits }: Situation): WaitingReason[] {
  const names = [wholeWorkflow, ...labelsIn(limits)];
  return fullLimits
    .filter(({ name }) => names.includes(name))
    .map(({ name, maximum, isShared, running }) => ({
      code: 'waits_for_limit',
      limit: name === wholeWorkflow ? null : name,
      maximum,
      num_running: running.reduce((sum, { numRunning }) => sum + numRunning, 0),
      shared: isShared,
      workflows: running.map((each) => ({ workflow_key: String(each.workflowKey), num_running: each.numRunning })),
    }));
}

function timeLeft({ idle }: PresentWorker): number {
  return idle.timeLeftMs ?? Number.POSITIVE_INFINITY;
}

/** What must fit into a worker, or an allocation of a config, for the job to start there. */
function needOn(
  { walltimeMs }: { walltimeMs: number | null },
  job: Pick<WaitingJob, 'need' | 'supportsTermination'>,
  { leadMs }: Situation,
): Requirements {
  return needAtStart(job, leastTimeMs(leadMs, walltimeMs));
}

function reasonsOfPresence(job: WaitingJob, able: readonly PresentWorker[], situation: Situation): WaitingReason[] {
  if (able.length === 0) return [reasonOfPools(job, situation)];
  if (!situation.isServed) return [{ code: 'no_server', num_workers: numberOf(able) }];
  return able.every(({ isSilent }) => isSilent) ? [{ code: 'workers_silent', num_workers: numberOf(able) }] : [];
}

function numberOf(workers: readonly PresentWorker[]): number {
  return workers.reduce((sum, { count }) => sum + count, 0);
}

/** Of a job that none of the workers may take, whatever its size. */
function reasonOfPools(job: WaitingJob, { workers, configs, queued, scaling = null }: Situation): WaitingReason {
  const { slurmConfigKey } = job;
  const coming = comingFor(job, { configs, queued });
  if (coming.length > 0) return waitsFor(coming);
  if (scaling !== null && configs.some(({ pool }) => mayTake(pool, job))) return { code: 'waits_for_nodes', scaling };
  const near = workers.filter(({ pool }) => admitsConfig(pool, job));
  if (near.length === 0 && slurmConfigKey !== anyConfig) {
    const name = configs.find(({ key }) => key === slurmConfigKey)?.name ?? null;
    return { code: 'no_worker_of_config', slurm_config_key: String(slurmConfigKey), slurm_config: name };
  }
  if (job.labels !== noLabels) return reasonOfLabels(job, near, configs);
  return near.length === 0 ? { code: 'no_worker' } : { code: 'workers_exclusive', num_workers: numberOf(near) };
}

/** Names what is missing on the worker that has the most of the labels. */
function reasonOfLabels(
  job: WaitingJob,
  workers: readonly PresentWorker[],
  configs: Situation['configs'],
): WaitingReason {
  const [nearest] = workers
    .map(({ hostname, pool }) => ({ hostname, missing: missingLabels(pool, job) }))
    .toSorted((a, b) => a.missing.length - b.missing.length);
  const config = configs.find(({ pool }) => mayTake(pool, job));
  return {
    code: 'no_worker_with_labels',
    labels: labelsIn(job.labels),
    nearest: nearest ?? null,
    slurm_config_key: config === undefined ? null : String(config.key),
    slurm_config: config?.name ?? null,
  };
}

/** What waiting alone does not help against: the size and the runtime of the job. */
export function lastingObstacles(
  job: Sized & Partial<Pick<WaitingJob, 'status'>>,
  situation: Situation,
): WaitingReason[] {
  return [...reasonsOfSize(job, situation), ...reasonsOfConfigs(job, situation)];
}

/** Judged by the workers that are there, else by those that were. */
function reasonsOfSize(job: Sized & Partial<Pick<WaitingJob, 'status'>>, situation: Situation): WaitingReason[] {
  const { need } = job;
  const present = idleOf(situation.workers.filter(({ pool }) => mayTake(pool, job)));
  const past = situation.pastWorkers.filter(({ pool }) => mayTake(pool, job));
  const known = present.length > 0 ? present : past.map((offer) => idleWorker(offer, null));
  if (known.length === 0 || known.some((idle) => isLargeEnough(idle, need))) return [];
  if (largerComing(job, known, situation).length > 0 || asksForLarger(job, situation)) return [];
  const is_past = present.length === 0;
  const missing = reasonsOfNamed(need, known, is_past);
  const { resources: _, ...plain } = need;
  if (missing.length > 0 && known.some((idle) => isLargeEnough(idle, plain))) return missing;
  const [needed, largest] = [sizeOf(need), largestOf(known)];
  return [
    ...missing,
    { code: 'larger_than_any_worker', needed, largest, dimensions: dimensionsBeyond(largest, needed), is_past },
  ];
}

/** Whether the workflow itself will ask for larger nodes. An action that waits for other jobs is no help to a ready one. */
function asksForLarger(
  job: Sized & Partial<Pick<WaitingJob, 'status'>>,
  { nodesToCome, scaling = null }: Situation,
): boolean {
  const by = nodesToCome === undefined ? null : whoBringsNodes(job, nodesToCome());
  return by === 'autoscaler' ? scaling !== null : by === 'action' && job.status !== 'ready';
}

/** Of a job of which no worker has the named resources; only those that are too few are named. */
function reasonsOfNamed({ resources }: Requirements, known: readonly FreeNode[], is_past: boolean): WaitingReason[] {
  if (resources === undefined || known.some(({ wholeNode }) => hasNamed(wholeNode.named, resources))) return [];
  const most = (name: string) => Math.max(...known.map(({ wholeNode }) => wholeNode.named?.[name] ?? 0));
  const all = Object.entries(amountsIn(resources)).map(([name, amount]) => ({ name, amount, most: most(name) }));
  const short = all.filter(({ amount, most: has }) => has < amount);
  const named = short.length > 0 ? short : all;
  return [
    {
      code: 'no_worker_with_resources',
      needed: Object.fromEntries(named.map(({ name, amount }) => [name, amount])),
      largest: Object.fromEntries(named.map(({ name, most: has }) => [name, has])),
      is_past,
    },
  ];
}

function reasonsOfConfigs(job: Sized, situation: Situation): WaitingReason[] {
  const { need } = job;
  const { workers, configs } = situation;
  const usable = configs.filter(({ pool }) => mayTake(pool, job));
  const [longest] = usable.toSorted((a, b) => b.walltimeMs - a.walltimeMs);
  if (longest === undefined || fitsTime(longest.walltimeMs, needOn(longest, job, situation))) return [];
  const isTaken = (worker: PresentWorker): boolean =>
    mayTake(worker.pool, job) &&
    isLargeEnough(worker.idle, need) &&
    fitsTime(worker.idle.timeLeftMs, needOn(worker, job, situation));
  if (workers.some(isTaken)) return [];
  return [
    {
      code: 'outlasts_configs',
      runtime_seconds: packedMs(need) / 1000,
      longest_seconds: longest.walltimeMs / 1000,
      slurm_config_key: String(longest.key),
      slurm_config: longest.name,
    },
  ];
}

function isLargeEnough(idle: FreeNode, need: Requirements): boolean {
  return fits({ ...idle, timeLeftMs: null }, need);
}
