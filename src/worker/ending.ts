/**
 * How a worker ends: it stops its jobs, says goodbye to the server, and keeps on disk what it could not deliver. The
 * loop decides when each step begins.
 */
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { StopReason } from '../model/decide/outcome.ts';
import { type Deadline, longestEndingMs } from './deadline.ts';
import type { StopSignal } from './effects.ts';
import type { Exchanger } from './exchange/exchanger.ts';
import type { Session } from './exchange/session.ts';
import type { WithoutServer } from './exchange/without-server.ts';
import type { WorkerJobs } from './jobs.ts';
import type { Phase } from './lifetime.ts';
import type { NodeCommands } from './node-commands.ts';
import type { WorkerExit } from './options.ts';
import { fencedGraceMs, normalGraceMs } from './processes/grace.ts';

type ExitReason = WorkerExit['reason'];

export interface EndingParts {
  clock: Clock;
  log: Log;
  deadline: Deadline;
  session: Session;
  jobs: WorkerJobs;
  commands: NodeCommands;
  exchanger: Exchanger;
  withoutServer: WithoutServer;
}

export class Ending {
  readonly #parts: EndingParts;
  #phase: Phase = 'working';
  #reason: ExitReason = 'complete';
  #stopReason: StopReason = 'walltime';
  #isHurried = false;
  #isAtOnce = false;
  #isDrained = false;
  #hasWarned = false;
  #takesNoMore = false;
  #giveUpMs = Number.POSITIVE_INFINITY;

  constructor(parts: EndingParts) {
    this.#parts = parts;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Whether jobs still run as usual. */
  get isCalm(): boolean {
    return this.#phase === 'working' || this.#phase === 'draining';
  }

  /** Whether jobs may still run for longer than the server waits once it has given this worker up. */
  get mayBeGivenUp(): boolean {
    return this.isCalm || (this.#phase === 'ending' && this.#stopReason !== 'fenced');
  }

  /** Seconds are left. */
  get isHurried(): boolean {
    return this.#isHurried;
  }

  /** While ending: when jobs that will not die are no longer waited for. While leaving: when the server is not. */
  get giveUpMs(): number {
    return this.#giveUpMs;
  }

  /** No more jobs are started; running ones continue. */
  drain(reason: ExitReason | null = null): void {
    if (!this.isCalm) return;
    this.#phase = 'draining';
    if (reason !== null) this.#reason = reason;
    this.#parts.jobs.returnWaiting();
  }

  /** Whether a person let it drain. */
  get isDrained(): boolean {
    return this.#isDrained;
  }

  /** Jobs that write a checkpoint get their signal; others continue. */
  warn(): void {
    const { jobs, deadline } = this.#parts;
    this.#hasWarned = true;
    const graceMs = deadline.checkpointGraceMs();
    const longestMs = jobs.stopRunning((job) => (job.supports_termination ? graceMs : null), 'walltime');
    if (longestMs > 0) this.takeNoMore();
  }

  /** Whether it is too late for jobs that write a checkpoint. */
  get hasWarned(): boolean {
    return this.#hasWarned;
  }

  /** Whether jobs go back that the server gives: it would give the same one again at once. */
  get takesNoMore(): boolean {
    return this.#takesNoMore || this.#phase !== 'working';
  }

  takeNoMore(): void {
    if (this.#takesNoMore) return;
    this.#takesNoMore = true;
    this.#parts.log.info({}, 'jobs that write checkpoints have no more time here: taking no more jobs');
    this.#parts.jobs.returnWaiting();
    this.#parts.exchanger.sendNow();
  }

  /** Stops all jobs. */
  begin(reason: ExitReason, stopReason: StopReason): void {
    if (!this.isCalm) return;
    const { log, jobs, commands, exchanger } = this.#parts;
    log.info({ reason, num_running: jobs.numRunning }, 'ending');
    this.#phase = 'ending';
    this.#reason = reason;
    this.#stopReason = stopReason;
    jobs.returnWaiting();
    commands.stop();
    this.#stopRunning();
    exchanger.sendNow();
  }

  /** The server has given this worker up and starts its jobs elsewhere soon, whatever time they had been given to end. */
  giveUp(): void {
    if (this.isCalm) {
      this.begin('gone', 'fenced');
    } else if (this.#phase === 'ending' && this.#stopReason !== 'fenced') {
      this.#reason = 'gone';
      this.#stopReason = 'fenced';
      this.#stopRunning();
    }
  }

  /** Ends because of a signal, or faster than before because of a more urgent one. */
  signalled(signal: StopSignal): void {
    if (signal === 'drain') {
      this.#isDrained = true;
      this.drain('stopped');
      this.#parts.exchanger.sendNow();
      return;
    }
    const isMoreUrgent = signal === 'kill' ? !this.#isAtOnce : signal === 'terminate' && !this.#isHurried;
    if (isMoreUrgent) this.#isHurried = true;
    if (signal === 'kill') this.#isAtOnce = true;
    if (this.isCalm) this.begin('stopped', this.#parts.deadline.reasonOf(signal));
    else if (this.#phase === 'ending' && isMoreUrgent) this.#stopRunning();
    else if (this.#phase === 'leaving' && isMoreUrgent) this.leave(null);
  }

  #stopRunning(): void {
    const { clock, deadline, jobs } = this.#parts;
    const mostMs = this.#stopReason === 'fenced' ? fencedGraceMs : Number.POSITIVE_INFINITY;
    const checkpointGraceMs = this.#isHurried ? normalGraceMs : Math.min(mostMs, deadline.checkpointGraceMs());
    const graceMs = (job: { supports_termination: boolean }): number =>
      this.#isAtOnce ? 0 : job.supports_termination ? checkpointGraceMs : normalGraceMs;
    const longestGraceMs = jobs.stopRunning(graceMs, this.#stopReason);
    this.#giveUpMs = Math.min(this.#giveUpMs, clock.monotonic() + longestEndingMs(longestGraceMs, this.#isHurried));
  }

  /** Says goodbye; null keeps the reason that is already known. */
  leave(reason: ExitReason | null): void {
    const { clock, deadline, exchanger } = this.#parts;
    this.#phase = 'leaving';
    if (reason !== null) this.#reason = reason;
    // the server does not wait for the last report of a worker that was given up
    const limitMs = deadline.longestLeavingMs(this.#isHurried || this.#reason === 'gone');
    this.#giveUpMs = clock.monotonic() + limitMs;
    exchanger.hurry(limitMs);
  }

  /**
   * Ends all activity at once and returns how the worker ended, when everything undelivered is on disk. Null keeps the
   * reason that is already known.
   */
  async finish(reason: ExitReason | null): Promise<WorkerExit> {
    const { log, session, jobs, commands, exchanger, withoutServer } = this.#parts;
    this.#phase = 'ended';
    if (reason !== null) this.#reason = reason;
    commands.stop();
    jobs.close();
    exchanger.close();
    const { numHeld, numUnanswered } = session;
    const exit = { reason: this.#reason, numJobs: jobs.turnover.numEnded, numFailed: jobs.turnover.numFailed };
    log.info({ ...exit, num_held: numHeld, num_unanswered: numUnanswered }, 'ended');
    await Promise.all([withoutServer.close(), jobs.tidy()]);
    return exit;
  }
}
