/**
 * The jobs of this worker, from their assignment to the report of their end. A job waits here until there is room for
 * it, runs, and is reported; one that waits too long, or that would not end in time, goes back to the server.
 */
import type { Assignment, WorkerSettings } from '../api/contract.ts';
import type { Clock } from '../base/clock.ts';
import type { StopReason } from '../model/decide/outcome.ts';
import type { TerminationSignal } from '../model/expanded.ts';
import { Admission, type Capacity } from './admission.ts';
import type { Session } from './exchange/session.ts';
import type { LoggedRunner } from './files/logged-runner.ts';
import { normalGraceMs } from './processes/grace.ts';
import type { FinishedAttempt, RunnerEvents, Sample, StoppedJob } from './processes/job-runner.ts';
import { Shortage } from './shortage.ts';
import { Turnover } from './turnover.ts';

/** Jobs that were given ahead of time and wait this long without any start go back. */
const longestWaitMs = 1000;

export interface WorkerJobsEvents {
  /** Jobs may start now; if not, `startWaiting` follows once they may. */
  isReady(): boolean;
  /** The longest runtime that a job may state to be started now; null for no limit. */
  longestRuntimeMs(): number | null;
  /** Jobs that write a checkpoint have got their signal. */
  isWarned(): boolean;
  /** One that came later goes back. */
  late(): void;
  /** There may be something to send. */
  news(): void;
  /** A job has ended. */
  ended(): void;
  /** A job goes back that has not started. */
  unstarted(): void;
  /** For the first time the node could not start a job; the text tells a person so. */
  short(text: string): void;
}

export interface WorkerJobsDependencies {
  clock: Clock;
  session: Session;
  capacity: Capacity;
  openRunner(events: RunnerEvents): LoggedRunner;
}

export class WorkerJobs {
  readonly #events: WorkerJobsEvents;
  readonly #clock: Clock;
  readonly #session: Session;
  readonly #admission: Admission;
  readonly #runner: LoggedRunner;
  readonly #running = new Map<number, { job: Assignment; beganMs: number; isStarted: boolean }>();
  readonly #shortage = new Shortage();
  readonly turnover = new Turnover();
  #isShortageTold = false;
  /** The last instant at which a job started or none waited. */
  #progressMs = 0;
  #sampleEveryMs: number | null = null;
  #terminationSignal: TerminationSignal = 'SIGTERM';

  constructor(events: WorkerJobsEvents, { clock, session, capacity, openRunner }: WorkerJobsDependencies) {
    this.#events = events;
    this.#clock = clock;
    this.#session = session;
    this.#admission = new Admission(capacity);
    this.#runner = openRunner({
      started: (attempt, pid, atMs, logSlot) => this.#onStarted(attempt, pid, atMs, logSlot ?? null),
      placed: (attempt, before) => this.#onPlaced(attempt, before),
      freed: (attempt) => this.#onFreed(attempt),
      ended: (finished) => this.#onEnded(finished),
      unstarted: (attempt, shortage) => this.#onUnstarted(attempt, shortage),
      grown: () => this.#onGrown(),
    });
  }

  get numRunning(): number {
    return this.#running.size;
  }

  get numWaiting(): number {
    return this.#admission.numWaiting;
  }

  /** The workflow's settings for jobs that start from now on. */
  configure({
    stdio,
    sample_interval_seconds: seconds,
    termination_signal,
    create_output_folders,
  }: WorkerSettings): void {
    this.#runner.configure(stdio, create_output_folders);
    this.#sampleEveryMs = seconds === null ? null : seconds * 1000;
    this.#terminationSignal = termination_signal;
  }

  // ---------------------------------------------------------------- from the server

  /** Jobs that the server gave; they wait until `startWaiting`. */
  take(jobs: readonly Assignment[]): void {
    if (this.numWaiting === 0) this.#progressMs = this.#clock.monotonic();
    for (const job of jobs) this.#admission.add(job);
  }

  /** Jobs that the server gave but that this worker does not take go back. */
  refuse(jobs: readonly Assignment[]): void {
    for (const job of jobs) this.#session.noteReturned(job.attempt, this.#clock.monotonic());
  }

  /** Ends a job of this worker, whether it waits or runs. */
  stop(attempt: number, reason: StopReason): void {
    if (this.#admission.withdraw(attempt)) this.#session.noteReturned(attempt, this.#clock.monotonic());
    else this.#runner.stop([{ attempt, graceMs: normalGraceMs }], reason);
  }

  /** Starts the jobs that have room, and queues the next ones. */
  startWaiting(): void {
    if (this.numWaiting > 0 && this.#events.isReady()) this.#startAndQueue();
    this.#events.news();
  }

  #startAndQueue(): void {
    for (let job = this.#admission.nextQueued(); job !== null; job = this.#admission.nextQueued()) {
      this.#begin(job);
      this.#runner.startQueued(job);
    }
    for (let job = this.#admission.next(); job !== null; job = this.#admission.next()) this.#start(job);
    const mayQueue = (job: Assignment): boolean => this.#mayQueue(job);
    for (let job = this.#admission.nextToQueue(mayQueue); job !== null; job = this.#admission.nextToQueue(mayQueue)) {
      this.#runner.queue(job, this.#sampleEveryMs);
    }
  }

  /** However late it starts before it is taken back, it must end in time. */
  #mayQueue(job: Assignment): boolean {
    const longestMs = this.#events.longestRuntimeMs();
    const endsInTime = job.runtime_ms === null || longestMs === null || job.runtime_ms + longestWaitMs <= longestMs;
    return endsInTime && this.#runner.mayQueue(job);
  }

  /** A queued job starts: it has the room of a job that has ended. */
  #onPlaced(attempt: number, before: number): void {
    this.turnover.left(before);
    const job = this.#admission.place(attempt, before);
    if (job !== null) this.#begin(job);
  }

  #start(job: Assignment): void {
    const nowMs = this.#clock.monotonic();
    const longestMs = this.#events.longestRuntimeMs();
    const endsInTime = job.runtime_ms === null || longestMs === null || job.runtime_ms <= longestMs;
    const isLate = job.supports_termination && this.#events.isWarned();
    if (isLate || !endsInTime) {
      this.#admission.release(job.attempt);
      this.#session.noteReturned(job.attempt, nowMs);
      if (isLate) this.#events.late();
      return;
    }
    this.#begin(job, nowMs);
    this.#runner.start(job, this.#sampleEveryMs);
  }

  #begin(job: Assignment, beganMs = this.#clock.monotonic()): void {
    this.#progressMs = beganMs;
    this.#running.set(job.attempt, { job, beganMs, isStarted: false });
    this.turnover.began(job.attempt, beganMs);
  }

  /** When the jobs that wait go back, so that they can run elsewhere; Infinity when none waits. */
  returnDueMs(): number {
    return this.numWaiting > 0 ? this.#progressMs + longestWaitMs : Number.POSITIVE_INFINITY;
  }

  /** All jobs that wait go back, queued ones as soon as the runner says that it has not started them. */
  returnWaiting(): void {
    this.#progressMs = this.#clock.monotonic();
    this.refuse(this.#admission.withdrawAll());
    for (const { attempt } of this.#admission.queued) this.#runner.withdraw(attempt);
  }

  // ---------------------------------------------------------------- from the runner

  #onStarted(attempt: number, pid: number, atMs: number, logSlot: number | null): void {
    const running = this.#running.get(attempt);
    if (running !== undefined) running.isStarted = true;
    if (running !== undefined && this.mostJobs !== null) {
      this.#shortage.started(running.beganMs, this.#numStarted());
      this.#admission.mostJobs = this.mostJobs;
    }
    this.#session.noteStarted(attempt, pid, atMs, logSlot);
    this.#events.news();
  }

  #onFreed(attempt: number): void {
    this.turnover.left(attempt);
    this.#admission.release(attempt);
    this.startWaiting();
  }

  #onEnded(finished: FinishedAttempt): void {
    const { attempt, end } = finished;
    if (end.status === 'terminated' && end.cause === 'spawn_error') this.#onShortage(attempt, 'no more processes');
    this.#forget(attempt);
    this.turnover.ended(finished);
    this.#session.noteFinished(finished, this.#clock.monotonic());
    this.startWaiting();
    this.#events.ended();
  }

  #onUnstarted(attempt: number, shortage: string | null): void {
    if (shortage !== null) this.#onShortage(attempt, shortage);
    this.#forget(attempt);
    this.#session.noteReturned(attempt, this.#clock.monotonic());
    this.startWaiting();
    this.#events.unstarted();
  }

  /** Jobs that wait for room go back with the one that could not be started: there will be none soon. */
  #onShortage(attempt: number, reason: string): void {
    const nowMs = this.#clock.monotonic();
    const failed = this.#running.get(attempt);
    const numStarted = this.#numStarted() - (failed?.isStarted === true ? 1 : 0);
    // one that has started failed just now
    const beganMs = failed === undefined || failed.isStarted ? nowMs : failed.beganMs;
    this.#shortage.note(beganMs, numStarted, this.numRunning + this.numWaiting, nowMs);
    this.#admission.mostJobs = this.#shortage.mostJobs;
    this.returnWaiting();
    if (!this.#isShortageTold) {
      this.#events.short(`the node has ${reason}: it runs fewer jobs at a time for now`);
    }
    this.#isShortageTold = true;
  }

  #numStarted(): number {
    return [...this.#running.values()].filter(({ isStarted }) => isStarted).length;
  }

  /** The most jobs at a time that the node can run now; null when no start has failed lately. */
  get mostJobs(): number | null {
    return this.#shortage.mostJobs;
  }

  /** When more jobs may be tried than `mostJobs`; Infinity for never. */
  get shortageDueMs(): number {
    return this.#shortage.dueMs;
  }

  /** Whether more jobs may be tried from now on. */
  lookAtShortage(): boolean {
    const hasChanged = this.#shortage.look(this.#clock.monotonic());
    if (hasChanged) this.#admission.mostJobs = this.#shortage.mostJobs;
    return hasChanged;
  }

  #forget(attempt: number): void {
    this.#running.delete(attempt);
    this.turnover.left(attempt);
    this.#admission.release(attempt);
  }

  #onGrown(): void {
    this.#session.noteGrowth(this.#clock.monotonic());
    this.#events.news();
  }

  takeSamples(minAgeMs: number): Sample[] {
    return this.#runner.takeSamples(minAgeMs);
  }

  // ---------------------------------------------------------------- at the end

  /**
   * Stops the running jobs to which `graceMs` gives a time; returns the longest of these. A job that writes a checkpoint
   * gets the workflow's signal.
   */
  stopRunning(graceMs: (job: Assignment) => number | null, reason: StopReason): number {
    const running = [...this.#running.values()].map(({ job }) => job);
    // a queued one may be about to start
    const jobs = [...running, ...this.#admission.queued].flatMap((job): StoppedJob[] => {
      const time = graceMs(job);
      const signal = job.supports_termination ? this.#terminationSignal : 'SIGTERM';
      return time === null ? [] : [{ attempt: job.attempt, graceMs: time, signal }];
    });
    this.#runner.stop(jobs, reason);
    return jobs.reduce((longest, job) => Math.max(longest, job.graceMs), 0);
  }

  /** Ends all timers; running processes are left alone. */
  close(): void {
    this.#runner.close();
  }

  /** After `close`: removes the files that are no longer used. */
  async tidy(): Promise<void> {
    await this.#runner.tidy();
  }
}
