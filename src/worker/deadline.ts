/** When a worker must be done, and how long the steps of its end may take. Durations in milliseconds. */
import type { Clock } from '../base/clock.ts';
import type { StopReason } from '../model/decide/outcome.ts';
import { checkpointMs, longestRuntimeMs, untilLatestEndMs } from '../model/decide/time-left.ts';
import type { StopSignal } from './effects.ts';
import type { WorkerOptions } from './options.ts';
import { checkpointGraceMs, keptMs } from './processes/grace.ts';

/** How long a step of a clean end may take beside the grace: after SIGTERM, Slurm's KillWait may be as short as 5 s. */
const hurriedStepMs = 900;
const gentleStepMs = 3_000;
const longestLeaveMs = 10_000;

/** When more than this is left of an allocation that is told to end, it does not end because its time is over. */
const longBeforeEndMs = 120_000;

/** The end of the allocation or of the time limit, if there is one. Instants are on the worker's monotonic clock. */
export class Deadline {
  readonly #clock: Clock;
  readonly #isInAllocation: boolean;
  readonly #walltimeMs: number | null;
  readonly #endMs: number | null;
  #latestEndMs: number | null;
  #bufferMs = 0;
  #warnMs: number | null = null;
  #leadMs = 0;

  constructor({ deadlineMs, walltimeSeconds, identity }: WorkerOptions, clock: Clock) {
    this.#clock = clock;
    this.#isInAllocation = identity.slurmJobId !== null;
    this.#walltimeMs = walltimeSeconds === null ? null : walltimeSeconds * 1000;
    this.#endMs = deadlineMs === null ? null : clock.monotonic() + deadlineMs - clock.now();
    this.#latestEndMs = this.#endMs;
  }

  /** When the worker stops its jobs: the end less the buffer. Null for no deadline. */
  get latestEndMs(): number | null {
    return this.#latestEndMs;
  }

  /** The longest runtime that a job may state to start now; negative when time is over, null for no deadline. */
  longestRuntimeMs(): number | null {
    const leftMs = this.untilEndMs();
    if (leftMs === null) return null;
    if (this.#walltimeMs === null) return (this.#latestEndMs ?? 0) - this.#clock.monotonic();
    return longestRuntimeMs(leftMs, this.#walltimeMs, this.#bufferMs);
  }

  /** When jobs that write a checkpoint get their signal; null when that is not before the latest end. */
  get warnMs(): number | null {
    return this.#warnMs;
  }

  /** How long jobs that write a checkpoint get for it now. */
  checkpointGraceMs(): number {
    return checkpointGraceMs(this.#leadMs, this.untilEndMs());
  }

  /** From now until the end itself; negative when that has passed, null for no deadline. */
  untilEndMs(): number | null {
    return this.#endMs === null ? null : this.#endMs - this.#clock.monotonic();
  }

  /** The workflow's settings are known. Without a known walltime, what is left now counts as all of it. */
  keepBuffer(bufferSeconds: number, leadSeconds: number): void {
    const leftMs = this.untilEndMs();
    this.#leadMs = leadSeconds * 1000;
    if (leftMs === null) return;
    const walltimeMs = this.#walltimeMs ?? leftMs;
    this.#leadMs = checkpointMs(this.#leadMs, walltimeMs);
    this.#bufferMs = bufferSeconds * 1000;
    const untilMs = untilLatestEndMs(leftMs, walltimeMs, this.#bufferMs);
    const untilWarnMs = leftMs - keptMs(walltimeMs) - this.#leadMs;
    const nowMs = this.#clock.monotonic();
    this.#latestEndMs = nowMs + untilMs;
    this.#warnMs = untilWarnMs < untilMs ? nowMs + untilWarnMs : null;
  }

  /** Why a signal asks the worker to stop. */
  reasonOf(signal: StopSignal): StopReason {
    if (!this.#isInAllocation) return 'shutdown';
    return reasonOfSlurmSignal(signal, this.untilEndMs(), this.#walltimeMs ?? 0);
  }

  /** How long the worker tries to say goodbye to the server. */
  longestLeavingMs(isHurried: boolean): number {
    const leftMs = this.untilEndMs();
    if (isHurried) return hurriedStepMs;
    if (leftMs === null) return longestLeaveMs;
    return Math.max(hurriedStepMs, Math.min(longestLeaveMs, leftMs - gentleStepMs));
  }
}

/** How long jobs that will not die are waited for, when the longest grace among them is `graceMs`. */
export function longestEndingMs(graceMs: number, isHurried: boolean): number {
  return graceMs + (isHurried ? hurriedStepMs : gentleStepMs);
}

/**
 * Why a signal asks a worker in an allocation to stop. Slurm sends the warning only ahead of the allocation's end, but
 * SIGTERM also when it is canceled, preempted or requeued. Without a known end the time counts as the reason.
 */
export function reasonOfSlurmSignal(
  signal: StopSignal,
  untilDeadlineMs: number | null,
  walltimeMs: number,
): Extract<StopReason, 'walltime' | 'allocation_ended'> {
  const isExpected = signal === 'warning' || untilDeadlineMs === null;
  return isExpected || untilDeadlineMs <= Math.max(longBeforeEndMs, walltimeMs / 10) ? 'walltime' : 'allocation_ended';
}
