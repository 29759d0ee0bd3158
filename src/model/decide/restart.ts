/**
 * What a restart, a reset, a disable, a mark or a rerun does to every job: pure functions of the graph, the present
 * statuses and the jobs that are named. Linear in jobs and edges, whatever the graph's shape.
 *
 * Jobs are numbered from 0 in stored order, barriers follow them. First each job gets an aim; then one walk in
 * topological order settles every counter and status, so that what is stored afterwards is consistent by construction.
 */
import type { Graph } from '../graph/graph.ts';
import { endedStatuses, type JobStatus, jobStatuses } from '../status.ts';

/** The number of each status in a `Uint8Array` of statuses. */
export const statusCode = Object.fromEntries(jobStatuses.map((status, code) => [status, code])) as Record<
  JobStatus,
  number
>;

/** The jobs of a workflow and their graph. */
export interface JobStates {
  numJobs: number;
  graph: Graph;
  /** All nodes, upstreams first. */
  order: Int32Array;
  /** By job: `statusCode` of its status. */
  status: Uint8Array;
  /** By job: 1 for `done` with a return code other than 0. */
  failed: Uint8Array;
  /** By job: 1 when it is canceled as soon as an upstream fails. */
  cancelsOnFailure: Uint8Array;
  /** By job: reasons to wait other than upstreams, and those of them that fall when the job gets an aim: a retry's. */
  numHolds: Int32Array;
  numRetryHolds: Int32Array;
}

/** What a job becomes. `active`: ready, blocked, or canceled when an upstream stays failed. */
export const aims = { keep: 0, active: 1, uninitialized: 2, disabled: 3, done: 4 } as const;

/** Why a job has its aim. `behind`: it is downstream of the job in `origin`, which reruns. */
export const reasons = [
  'none',
  'uninitialized',
  'canceled',
  'terminated',
  'lost',
  'failed',
  'changed',
  'behind',
  'waiting',
  'named',
  'marked',
  'never_ran',
] as const;
export type Reason = (typeof reasons)[number];
const reasonCode = Object.fromEntries(reasons.map((reason, code) => [reason, code])) as Record<Reason, number>;

/** What each job becomes, and why. */
export interface JobAims {
  aim: Uint8Array;
  /** Index into `reasons`, by job. */
  reason: Uint8Array;
  /** For `behind`: the job that this one is downstream of; else -1. */
  origin: Int32Array;
}

export interface Settled {
  /** By job: `statusCode` of the status it gets, and 1 for `done` with a return code other than 0. */
  status: Uint8Array;
  failed: Uint8Array;
  /** By node: upstreams that have not ended; for jobs with their holds. */
  numBlockers: Int32Array;
  /** By node: upstreams that ended without success. */
  numFailedUpstreams: Int32Array;
  /** By job: a job whose failure keeps this one canceled, or -1. */
  failedUpstream: Int32Array;
  /** By job: 1 when the hold of its retry is taken away. */
  dropsRetryHold: Uint8Array;
}

const isEnded = new Uint8Array(jobStatuses.map((status) => (endedStatuses.includes(status) ? 1 : 0)));
const { done, canceled, blocked, ready, uninitialized, disabled, terminated } = statusCode;
const isClaimed = (code: number): boolean => code === statusCode.submitted || code === statusCode.submitted_pending;

function emptyPlan(numJobs: number): JobAims {
  return {
    aim: new Uint8Array(numJobs),
    reason: new Uint8Array(numJobs),
    origin: new Int32Array(numJobs).fill(-1),
  };
}

export interface RestartChoice {
  /** Done jobs whose result no longer stands: something it was made from changed. */
  changed: Iterable<number>;
  /** By job: 1 for a claimed job that keeps running. */
  keepsRunning: Uint8Array;
  onlyUninitialized: boolean;
  /** Which failed jobs run again; none without it. */
  rerunsFailed?: ((job: number) => boolean) | undefined;
}

/**
 * A restart: jobs that never ran or did not end become active again; done jobs stay unless something that they were
 * made from has changed, or they are downstream of such a job; disabled ones stay.
 */
export function planRestart(jobs: JobStates, choice: RestartChoice): JobAims {
  const plan = emptyPlan(jobs.numJobs);
  const set = (job: number, reason: Reason): void => {
    plan.aim[job] = aims.active;
    plan.reason[job] = reasonCode[reason];
  };
  for (let job = 0; job < jobs.numJobs; job++) {
    const code = jobs.status[job] as number;
    if (code === uninitialized) set(job, 'uninitialized');
    else if (choice.onlyUninitialized || code === done || code === disabled) continue;
    else if (code === canceled) set(job, 'canceled');
    else if (code === terminated) set(job, 'terminated');
    else if (isClaimed(code)) {
      if (choice.keepsRunning[job] === 0) set(job, 'lost');
    } else set(job, 'waiting');
  }
  if (choice.onlyUninitialized) return plan;
  const seeds = [...jobs.failed.keys()].filter((job) => jobs.failed[job] === 1 && choice.rerunsFailed?.(job));
  for (const job of seeds) set(job, 'failed');
  for (const job of choice.changed) {
    if (jobs.status[job] !== done || plan.aim[job] !== aims.keep) continue;
    set(job, 'changed');
    seeds.push(job);
  }
  walkDown(jobs, seeds, (job, origin) => {
    if (jobs.status[job] !== done || plan.aim[job] !== aims.keep) return;
    set(job, 'behind');
    plan.origin[job] = origin;
  });
  return plan;
}

/** A reset: these jobs and all downstream jobs become uninitialized; disabled ones only when they are named. */
export function planReset(jobs: JobStates, named: readonly number[]): JobAims {
  const plan = emptyPlan(jobs.numJobs);
  for (const job of named) {
    plan.aim[job] = aims.uninitialized;
    plan.reason[job] = reasonCode.named;
  }
  walkDown(jobs, named, (job, origin) => {
    if (plan.aim[job] !== aims.keep || jobs.status[job] === disabled) return;
    plan.aim[job] = aims.uninitialized;
    plan.reason[job] = reasonCode.behind;
    plan.origin[job] = origin;
  });
  return plan;
}

/** A disable: these jobs never run and count as satisfied; jobs that wait for nothing else become ready. */
export function planDisable(jobs: JobStates, named: readonly number[]): JobAims {
  const plan = emptyPlan(jobs.numJobs);
  for (const job of named) {
    plan.aim[job] = aims.disabled;
    plan.reason[job] = reasonCode.named;
  }
  return plan;
}

/**
 * A mark: these jobs count as done with return code 0. Downstream jobs that were canceled because of a failure
 * (`canceledByFailure`) become active again; what went on without them waits for them, unless it has been claimed.
 */
export function planMark(jobs: JobStates, named: readonly number[], canceledByFailure: ReadonlySet<number>): JobAims {
  const plan = emptyPlan(jobs.numJobs);
  const marked = named.filter((job) => jobs.status[job] !== done || jobs.failed[job] === 1);
  for (const job of marked) {
    plan.aim[job] = aims.done;
    plan.reason[job] = reasonCode.marked;
  }
  walkDown(jobs, marked, (job, origin) => {
    const isBack = canceledByFailure.has(job);
    if (plan.aim[job] !== aims.keep || !(isBack || jobs.status[job] === ready)) return;
    plan.aim[job] = aims.active;
    plan.reason[job] = reasonCode[isBack ? 'behind' : 'waiting'];
    if (isBack) plan.origin[job] = origin;
  });
  return plan;
}

/**
 * A rerun, by another workflow with the same jobs: whatever has not succeeded or was made from something that changed,
 * and everything downstream. Disabled jobs stay so.
 */
export function planRerun(jobs: JobStates, changed: Iterable<number>): JobAims {
  const plan = emptyPlan(jobs.numJobs);
  const seeds: number[] = [];
  const set = (job: number, reason: Reason): void => {
    plan.aim[job] = aims.uninitialized;
    plan.reason[job] = reasonCode[reason];
    seeds.push(job);
  };
  for (let job = 0; job < jobs.numJobs; job++) {
    const code = jobs.status[job] as number;
    if (code === disabled || (code === done && jobs.failed[job] === 0)) continue;
    if (code === canceled) set(job, 'canceled');
    else if (code === terminated) set(job, 'terminated');
    else if (isClaimed(code)) set(job, 'lost');
    else set(job, code === done ? 'named' : 'never_ran');
  }
  for (const job of changed) if (plan.aim[job] === aims.keep && jobs.status[job] !== disabled) set(job, 'changed');
  walkDown(jobs, seeds, (job, origin) => {
    if (plan.aim[job] !== aims.keep || jobs.status[job] === disabled) return;
    plan.aim[job] = aims.uninitialized;
    plan.reason[job] = reasonCode.behind;
    plan.origin[job] = origin;
  });
  return plan;
}

/** Whether a job changes at all. */
export function isChanged(jobs: JobStates, settled: Settled, job: number): boolean {
  return settled.status[job] !== jobs.status[job] || settled.failed[job] !== jobs.failed[job];
}

/** Visits every job downstream of the seeds once, with the seed that it was reached from. */
function walkDown(jobs: JobStates, seeds: readonly number[], visit: (job: number, origin: number) => void): void {
  const { graph, numJobs } = jobs;
  const origin = new Int32Array(graph.numNodes).fill(-1);
  const work = [...seeds];
  for (const seed of seeds) origin[seed] = seed;
  for (let node = work.pop(); node !== undefined; node = work.pop()) {
    for (let e = graph.offsets[node] as number; e < (graph.offsets[node + 1] as number); e++) {
      const target = graph.targets[e] as number;
      if (origin[target] !== -1) continue;
      origin[target] = origin[node] as number;
      if (target < numJobs) visit(target, origin[target] as number);
      work.push(target);
    }
  }
}

/** The statuses and counters that follow from a plan. */
export function settle(jobs: JobStates, plan: JobAims): Settled {
  const { graph, numJobs } = jobs;
  const status = jobs.status.slice();
  const failed = new Uint8Array(numJobs);
  const numBlockers = new Int32Array(graph.numNodes);
  const numFailedUpstreams = new Int32Array(graph.numNodes);
  const failedUpstream = new Int32Array(graph.numNodes).fill(-1);
  numBlockers.set(jobs.numHolds);
  const dropsRetryHold = new Uint8Array(numJobs);
  for (let job = 0; job < numJobs; job++) {
    const holds = plan.aim[job] === aims.done ? jobs.numHolds : jobs.numRetryHolds;
    const numDropped = plan.aim[job] === aims.keep ? 0 : (holds[job] as number);
    numBlockers[job] = (numBlockers[job] as number) - numDropped;
    dropsRetryHold[job] = numDropped > 0 ? 1 : 0;
  }
  for (const node of jobs.order) {
    const waits = numBlockers[node] as number;
    const failures = numFailedUpstreams[node] as number;
    const culprit = failedUpstream[node] as number;
    let hasEnded = waits === 0;
    let hasFailed = failures > 0;
    let told = culprit;
    if (node < numJobs) {
      const code = settledStatus(jobs, plan, node, waits, failures);
      status[node] = code;
      if (code === done && plan.aim[node] === aims.keep) failed[node] = jobs.failed[node] as number;
      hasEnded = isEnded[code] === 1;
      hasFailed = code === canceled || failed[node] === 1;
      told = code === canceled && culprit >= 0 ? culprit : node;
    }
    for (let e = graph.offsets[node] as number; e < (graph.offsets[node + 1] as number); e++) {
      const target = graph.targets[e] as number;
      if (!hasEnded) numBlockers[target] = (numBlockers[target] as number) + 1;
      if (!hasFailed) continue;
      numFailedUpstreams[target] = (numFailedUpstreams[target] as number) + 1;
      if (failedUpstream[target] === -1) failedUpstream[target] = told;
    }
  }
  return {
    status,
    failed,
    numBlockers,
    numFailedUpstreams,
    failedUpstream: failedUpstream.subarray(0, numJobs),
    dropsRetryHold,
  };
}

function settledStatus(jobs: JobStates, plan: JobAims, job: number, waits: number, failures: number): number {
  switch (plan.aim[job]) {
    case aims.active:
      if (failures > 0 && jobs.cancelsOnFailure[job] === 1) return canceled;
      return waits > 0 ? blocked : ready;
    case aims.uninitialized:
      return uninitialized;
    case aims.disabled:
      return disabled;
    case aims.done:
      return done;
    default: {
      const code = jobs.status[job] as number;
      return code === blocked && waits === 0 ? ready : code;
    }
  }
}
