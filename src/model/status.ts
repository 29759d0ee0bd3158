/**
 * Job statuses, causes of an attempt's end, and the table of allowed transitions: written once, here, as data.
 * Storage applies only transitions of this table; tests check every recorded event against it.
 */

export const jobStatuses = [
  'uninitialized',
  'blocked',
  'ready',
  'submitted_pending',
  'submitted',
  'done',
  'canceled',
  'terminated',
  'disabled',
] as const;
export type JobStatus = (typeof jobStatuses)[number];

/** Causes that a worker reports or the server finds out. */
export const reportedCauses = [
  'success',
  'exit_code',
  'signal',
  'oom',
  'job_timeout',
  'walltime',
  'node_failure',
  'preempted',
  'missing_output',
  'missing_input',
  'canceled',
  'worker_lost',
  'spawn_error',
] as const;
export type Cause = (typeof reportedCauses)[number];

/**
 * Of every result: `inherited` came with a rerun from another workflow, `marked` is a person's word, with `max_wait` the
 * job was ready for too long; no process ran.
 */
export const causes = [...reportedCauses, 'inherited', 'marked', 'max_wait'] as const;

/** How a job went, as lists show it. `forgiven`: it exited with a code other than 0, and its specification allows that. */
export const outcomes = ['success', 'failed', 'forgiven', 'canceled', 'terminated'] as const;

/** How an attempt with a result ended. */
export const endStatuses = ['done', 'canceled', 'terminated', 'lost'] as const;

export const allocationStatuses = ['recorded', 'submitted', 'refused', 'running', 'ended'] as const;

/** What may move a job from one status to another. */
export type Mover =
  | 'start'
  | 'unblock'
  | 'cancel'
  | 'claim'
  | 'report'
  | 'retry'
  | 'restart'
  | 'reset'
  | 'disable'
  | 'hold'
  | 'loss'
  | 'mark'
  | 'expire'
  | 'import';

export interface Transition {
  from: JobStatus;
  to: JobStatus;
  by: Mover;
}

function each(from: readonly JobStatus[], to: readonly JobStatus[], by: Mover): Transition[] {
  return from.flatMap((f) => to.map((t) => ({ from: f, to: t, by })));
}

export const transitions: readonly Transition[] = [
  ...each(['uninitialized'], ['ready', 'blocked', 'canceled'], 'start'),
  ...each(['blocked'], ['ready'], 'unblock'),
  ...each(['ready'], ['blocked'], 'hold'),
  ...each(['blocked', 'ready', 'uninitialized', 'submitted_pending', 'submitted'], ['canceled'], 'cancel'),
  ...each(['ready'], ['submitted_pending'], 'claim'),
  ...each(['submitted_pending'], ['submitted', 'ready', 'blocked', 'done', 'canceled', 'terminated'], 'report'),
  ...each(['submitted'], ['done', 'canceled', 'terminated', 'ready'], 'report'),
  // it failed, and its failure handler allows another attempt: the result is kept, and the job continues
  ...each(['submitted_pending', 'submitted'], ['ready', 'blocked'], 'retry'),
  ...each(
    ['uninitialized', 'canceled', 'submitted', 'submitted_pending', 'terminated', 'done', 'blocked', 'ready'],
    ['ready', 'blocked', 'canceled'],
    'restart',
  ),
  // its attempt was lost by infrastructure, or was stopped with its allocation
  ...each(['submitted', 'submitted_pending', 'terminated'], ['ready', 'blocked'], 'loss'),
  // a person says that it is done; what was canceled because of it waits again
  ...each(jobStatuses, ['done'], 'mark'),
  ...each(['canceled'], ['ready', 'blocked'], 'mark'),
  ...each(['ready'], ['blocked'], 'mark'),
  // it was ready for too long
  ...each(['ready'], ['done'], 'expire'),
  ...each(['uninitialized'], ['ready', 'blocked', 'done', 'canceled', 'terminated', 'disabled'], 'import'),
  ...each(
    ['blocked', 'ready', 'submitted_pending', 'submitted', 'done', 'canceled', 'terminated', 'disabled'],
    ['uninitialized'],
    'reset',
  ),
  ...each(
    ['uninitialized', 'blocked', 'ready', 'submitted_pending', 'submitted', 'done', 'canceled', 'terminated'],
    ['disabled'],
    'disable',
  ),
];

const allowed = new Map<Mover, Map<JobStatus, Set<JobStatus>>>();
for (const { by, from, to } of transitions) {
  const moves = allowed.get(by) ?? new Map<JobStatus, Set<JobStatus>>();
  allowed.set(by, moves.set(from, (moves.get(from) ?? new Set()).add(to)));
}

/** Whether the table allows this move. */
export function isAllowed(from: JobStatus, to: JobStatus, by: Mover): boolean {
  return allowed.get(by)?.get(from)?.has(to) ?? false;
}

/** Statuses in which a job has a live attempt. */
export const claimedStatuses: readonly JobStatus[] = ['submitted_pending', 'submitted'];

/** Statuses in which a job counts as ended for what depends on it. */
export const endedStatuses: readonly JobStatus[] = ['done', 'canceled', 'disabled'];

/** Job counts of a workflow by status; `failed` counts those of `done` whose return code is not 0. */
export type JobCounts = Record<JobStatus, number> & { failed: number };

export function noJobs(): JobCounts {
  return { ...(Object.fromEntries(jobStatuses.map((s) => [s, 0])) as Record<JobStatus, number>), failed: 0 };
}

export const workflowStatuses = [
  'uninitialized',
  'ready',
  'running',
  'waiting',
  'paused',
  'done',
  'failed',
  'canceled',
  'timeout',
] as const;
export type WorkflowStatus = (typeof workflowStatuses)[number];

/** How a run ended, or stands; a restart that comes before its end closes it as `restarted`. */
export const runStatuses = [...workflowStatuses, 'restarted'] as const;

/** How a run began; the first run of a copy is a rerun or a clone. */
export const runOrigins = ['start', 'restart', 'resume', 'recover', 'rerun', 'clone', 'import'] as const;
export type RunOrigin = (typeof runOrigins)[number];

/** What can end a run before all its jobs have run. */
export const cutOffs = ['max_failures', 'timeout'] as const;
export type CutOff = (typeof cutOffs)[number];

export interface WorkflowFacts {
  runId: number;
  isCanceled: boolean;
  hasTimedOut: boolean;
  counts: JobCounts;
  /** A restart stops what runs, and the next run has not started. */
  isBeingStopped: boolean;
  /** Claimed jobs that lost their process and do not come back by themselves. */
  numLeft: number;
  /** A person lets no more jobs start. */
  isPaused: boolean;
  /** A job waits for a hold that falls by itself. */
  hasTimedHold: boolean;
  /** A job waits for nothing but a person to release it. */
  hasHeldJob: boolean;
  /** A worker is there, and is heard from. */
  hasWorkers: boolean;
  /** A worker was there in this run. */
  hasHadWorkers: boolean;
}

/** The statuses of a job that a worker runs or can take. */
export const activeStatuses: readonly JobStatus[] = ['ready', 'submitted_pending', 'submitted'];

/**
 * The status of a workflow, from its facts. `ready` is started with nothing claimed yet; `waiting` has been worked on,
 * and has ready jobs but no worker; `paused` continues when a person resumes it or releases its jobs; `failed` has ended
 * with a failed, lost, terminated or canceled job; `canceled` has ended because a person canceled it; `timeout` because
 * its run lasted too long.
 */
export function workflowStatus(facts: WorkflowFacts): WorkflowStatus {
  const { counts } = facts;
  if (facts.runId === 0) return facts.isCanceled ? 'canceled' : 'uninitialized';
  const claimed = counts.submitted_pending + counts.submitted - facts.numLeft;
  if (claimed > 0) return 'running';
  if (facts.isCanceled) return 'canceled';
  if (facts.hasTimedOut) return 'timeout';
  if (facts.isBeingStopped) return 'running';
  if (facts.isPaused && (counts.ready > 0 || facts.hasTimedHold)) return 'paused';
  if (counts.ready > 0) return statusWithReadyJobs(facts);
  if (facts.hasTimedHold) return 'running';
  if (facts.hasHeldJob) return 'paused';
  if (counts.failed + counts.terminated + counts.canceled + facts.numLeft > 0) return 'failed';
  if (counts.uninitialized > 0) return 'uninitialized';
  if (counts.blocked > 0) return 'running';
  return 'done';
}

function statusWithReadyJobs({ counts, numLeft, hasWorkers, hasHadWorkers }: WorkflowFacts): WorkflowStatus {
  const hasBegun = counts.done + counts.terminated + numLeft > 0;
  if (!hasWorkers && (hasBegun || hasHadWorkers)) return 'waiting';
  return hasBegun ? 'running' : 'ready';
}
