/** Decides when a worker ends its jobs, leaves, and ends itself: a pure function of its state and the clock. */
import type { WorkerSettings } from '../api/contract.ts';
import type { Offer } from './exchange/exchanger.ts';

/**
 * `working`: takes jobs. `draining`: takes none and lets running ones end. `ending`: stops its jobs. `leaving`: has no
 * more jobs and says goodbye. `ended`: does nothing at all.
 */
export type Phase = 'working' | 'draining' | 'ending' | 'leaving' | 'ended';

/** Instants on the worker's monotonic clock. */
export interface LifeState {
  phase: Phase;
  /** A person let it drain. */
  isDrained: boolean;
  numHeld: number;
  numUnanswered: number;
  latestEndMs: number | null;
  /** When jobs that write a checkpoint get their signal; null for never, or when they have it. */
  warnMs: number | null;
  idleSinceMs: number;
  /** When a job that is held back can run, by what the server said last. */
  heldUntilMs: number | null;
  lostSinceMs: number | null;
  offer: Offer;
  /** Null before the server has greeted the worker. */
  settings: WorkerSettings | null;
  /** Overrides the workflow's own setting. */
  waitForNewJobsSeconds: number | null;
  /** When the worker stops waiting: while ending, for jobs that will not die; while leaving, for the server. */
  giveUpMs: number;
}

export type Decision =
  | { step: 'wait'; untilMs: number }
  /** The server has not answered yet whether it has jobs: make it. */
  | { step: 'ask' }
  /** The time is nearly over: stop the jobs that write a checkpoint, and take no more. */
  | { step: 'warn_jobs' }
  /** The time is over: stop all jobs. */
  | { step: 'end_jobs' }
  /** No jobs are left, or only some that will not die. `reason` is null when it is already known. */
  | { step: 'leave'; reason: 'idle' | null }
  | { step: 'finish'; reason: 'complete' | 'server_lost' | null };

/** A server that is slow at that moment gives the job out a little later. */
const holdGraceMs = 10_000;
/** Even a worker that may not wait for jobs leaves others time to make some ready. */
const shortestIdleMs = 1_000;
const defaultHealthyMinutes = 20;

export function decide(state: LifeState, nowMs: number): Decision {
  switch (state.phase) {
    case 'working':
      return decideWorking(state, nowMs);
    case 'draining':
      if (state.numHeld > 0) return decideDeadline(state, nowMs);
      // the server has to be told, unless it was the server that said so
      if (state.isDrained || state.numUnanswered > 0) return { step: 'leave', reason: null };
      return { step: 'finish', reason: 'complete' };
    case 'ending':
      if (state.numHeld === 0 || nowMs >= state.giveUpMs) return { step: 'leave', reason: null };
      return { step: 'wait', untilMs: state.giveUpMs };
    case 'leaving':
      if (nowMs >= state.giveUpMs) return { step: 'finish', reason: null };
      return { step: 'wait', untilMs: state.giveUpMs };
    case 'ended':
      return { step: 'wait', untilMs: Number.POSITIVE_INFINITY };
  }
}

function decideDeadline({ latestEndMs, warnMs }: LifeState, nowMs: number): Decision {
  if (latestEndMs === null) return { step: 'wait', untilMs: Number.POSITIVE_INFINITY };
  if (nowMs >= latestEndMs) return { step: 'end_jobs' };
  if (warnMs === null) return { step: 'wait', untilMs: latestEndMs };
  return nowMs >= warnMs ? { step: 'warn_jobs' } : { step: 'wait', untilMs: warnMs };
}

function decideWorking(state: LifeState, nowMs: number): Decision {
  const deadline = decideDeadline(state, nowMs);
  if (state.numHeld > 0 || deadline.step !== 'wait') return deadline;
  const idleness = decideIdleness(state, nowMs);
  if (idleness.step !== 'wait') return idleness;
  return { step: 'wait', untilMs: Math.min(deadline.untilMs, idleness.untilMs) };
}

/** Without a server it is unknown whether there is work, so the time without contact does not count as idle. */
function decideIdleness(state: LifeState, nowMs: number): Decision {
  const { settings, lostSinceMs } = state;
  if (lostSinceMs !== null) {
    const minutes = settings?.wait_for_healthy_database_minutes ?? defaultHealthyMinutes;
    const untilMs = lostSinceMs + minutes * 60_000;
    return nowMs >= untilMs ? { step: 'finish', reason: 'server_lost' } : { step: 'wait', untilMs };
  }
  // the answer to a report brings the next work, however long a stalled server takes for it
  if (settings === null || state.numUnanswered > 0) return { step: 'wait', untilMs: Number.POSITIVE_INFINITY };
  // the workflow may ask to keep an allocation to its end; a worker without an end must not wait for ever
  const staysToItsEnd = settings.ignore_workflow_completion && state.latestEndMs !== null;
  if (staysToItsEnd && state.waitForNewJobsSeconds === null) return { step: 'wait', untilMs: Number.POSITIVE_INFINITY };
  const seconds = state.waitForNewJobsSeconds ?? settings.wait_for_new_jobs_seconds;
  const idleMs = state.idleSinceMs + Math.max(shortestIdleMs, seconds * 1000);
  const untilMs = Math.max(idleMs, staysForHold(state));
  if (nowMs < untilMs) return { step: 'wait', untilMs };
  // a slow server may be about to give it the first jobs
  if (state.offer === 'known') return { step: 'leave', reason: 'idle' };
  return state.offer === 'asked' ? { step: 'wait', untilMs: Number.POSITIVE_INFINITY } : { step: 'ask' };
}

/** A worker stays for a job that is held back, unless its own end comes first. */
function staysForHold({ heldUntilMs, latestEndMs }: LifeState): number {
  if (heldUntilMs === null || (latestEndMs !== null && heldUntilMs >= latestEndMs)) return Number.NEGATIVE_INFINITY;
  return heldUntilMs + holdGraceMs;
}
