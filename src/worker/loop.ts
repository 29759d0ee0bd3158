/**
 * The worker on a node: takes jobs from the server, runs them, reports their ends, and ends itself when the work, the
 * time or the server's patience is over. It outlives the server: while that is away, jobs go on and reports are kept.
 *
 * Everything happens in reaction to something: a reply, a job's end, a signal, a due time. Each reaction ends in
 * `#look`, which does what is due and sets the one timer to what is due next.
 */
import type { Assignment, HelloReply, WorkerSettings } from '../api/contract.ts';
import type { TorcError } from '../base/errors.ts';
import type { StopReason } from '../model/decide/outcome.ts';
import { Admission } from './admission.ts';
import { reasonOfSlurmSignal, untilLatestEndMs } from './deadline.ts';
import type { StopSignal } from './effects.ts';
import { Exchanger } from './exchange/exchanger.ts';
import { type RequestFacts, Session, type Taken } from './exchange/session.ts';
import { WithoutServer } from './exchange/without-server.ts';
import type { LoggedRunner } from './files/logged-runner.ts';
import { helloRequest } from './hello.ts';
import { decide, type Phase } from './lifetime.ts';
import { NodeCommands } from './node-commands.ts';
import type { WorkerDependencies, WorkerExit, WorkerOptions } from './options.ts';
import { graceMs, normalGraceMs } from './processes/grace.ts';
import type { FinishedAttempt, RunnerEvents } from './processes/job-runner.ts';
import { openRunnerChain } from './runner-chain.ts';

const sampleEveryMs = 10_000;
/** Ends are reported together while enough jobs wait here to keep the node busy meanwhile. */
const endsDelayMs = 40;
/** Jobs that were given ahead of time and still wait here after so long without a start go back. */
const longestWaitMs = 1000;
/** How long a step of a clean end may take beside the grace: after SIGTERM, Slurm's KillWait may be as short as 5 s. */
const hurriedStepMs = 900;
const gentleStepMs = 3_000;
const longestLeaveMs = 10_000;
const longestTimerMs = 2 ** 31 - 1;

export class WorkerLoop {
  readonly #options: WorkerOptions;
  readonly #deps: Required<WorkerDependencies>;
  readonly #session: Session;
  readonly #exchanger: Exchanger;
  readonly #jobs: LoggedRunner;
  readonly #admission: Admission;
  readonly #withoutServer: WithoutServer;
  readonly #commands: NodeCommands;
  readonly #running = new Map<number, Assignment>();
  /** Of the allocation itself; the latest end is before it. Both on the monotonic clock. */
  readonly #deadlineMs: number | null;
  #latestEndMs: number | null;
  #settings: WorkerSettings | null = null;
  #phase: Phase = 'working';
  readonly #exit: WorkerExit = { reason: 'complete', numJobs: 0, numFailed: 0 };
  #stopReason: StopReason = 'walltime';
  #isHurried = false;
  #idleSinceMs: number;
  /** Since when no job that waits here was started. */
  #stillSinceMs = 0;
  #giveUpMs = Number.POSITIVE_INFINITY;
  #cancelTimer: () => void = () => {};
  #stopListening: () => void = () => {};
  #settle: { resolve: (exit: WorkerExit) => void; reject: (error: unknown) => void } | null = null;

  constructor(options: WorkerOptions, deps: Required<WorkerDependencies>) {
    this.#options = options;
    this.#deps = deps;
    const { clock, effects } = deps;
    const nowMs = clock.monotonic();
    this.#idleSinceMs = nowMs;
    this.#deadlineMs = options.deadlineMs === null ? null : nowMs + options.deadlineMs - clock.now();
    this.#latestEndMs = this.#deadlineMs;
    this.#session = new Session(effects.workerId);
    this.#admission = new Admission({ ...options.capacity, maxParallelJobs: options.maxParallelJobs });
    const runnerEvents: RunnerEvents = {
      started: (attempt, pid, atMs, logSlot) => this.#onStarted(attempt, pid, atMs, logSlot ?? null),
      freed: (attempt) => this.#onFreed(attempt),
      ended: (finished) => this.#onEnded(finished),
      unstarted: (attempt) => this.#onUnstarted(attempt),
      grown: () => this.#onGrown(),
    };
    this.#jobs = openRunnerChain(runnerEvents, {
      ...deps,
      outputDirectory: options.outputDirectory,
      isEndOpen: (attempt) => this.#session.isEndOpen(attempt),
    });
    this.#commands = new NodeCommands({
      ...deps,
      ended: (report) => this.#session.noteCommands(report),
      through: (when) => this.#onCommandsThrough(when),
    });
    const events = {
      facts: () => this.#facts(),
      endsDelayMs: () => (this.#admission.numWaiting > this.#running.size ? endsDelayMs : 0),
      hello: () => helloRequest(options, effects),
      greeted: (reply: HelloReply) => this.#onGreeted(reply),
      refused: (error: TorcError | null) => this.#onRefused(error),
      taken: (taken: Taken) => this.#onTaken(taken),
      contactChanged: () => this.#onContactChanged(),
    };
    this.#exchanger = new Exchanger(this.#session, events, { ...deps, random: () => effects.random() });
    this.#withoutServer = new WithoutServer({
      ...deps,
      session: this.#session,
      exchanger: this.#exchanger,
      spool: effects.spool,
      isFenced: () => effects.isFenced(),
      fenced: () => this.#onFenced(),
    });
  }

  /** Works until there is a reason to end. Throws TorcError when the server refuses the worker for good. */
  run(): Promise<WorkerExit> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#stopListening = this.#deps.signals.listen((signal) => this.#onSignal(signal));
      this.#exchanger.poke();
      this.#look();
    });
  }

  #nowMs(): number {
    return this.#deps.clock.monotonic();
  }

  // ---------------------------------------------------------------- what is said

  #facts(): Omit<RequestFacts, 'nowMs'> {
    return {
      timeLeftMs: this.#latestEndMs === null ? null : this.#latestEndMs - this.#nowMs(),
      // while the commands of its start run, the node is not ready for jobs
      draining: this.#phase !== 'working' || this.#commands.isRunning,
      leaving: this.#phase === 'leaving' && this.#session.numHeld === 0,
      samples: this.#jobs.takeSamples(sampleEveryMs),
    };
  }

  // ---------------------------------------------------------------- what happens

  #onGreeted(reply: HelloReply): void {
    const nowMs = this.#nowMs();
    this.#settings = reply.settings;
    this.#jobs.setMode(reply.settings.stdio);
    this.#idleSinceMs = nowMs;
    if (this.#deadlineMs !== null) {
      const leftMs = this.#deadlineMs - nowMs;
      const { walltimeSeconds } = this.#options;
      const walltimeMs = walltimeSeconds === null ? leftMs : walltimeSeconds * 1000;
      this.#latestEndMs = nowMs + untilLatestEndMs(leftMs, walltimeMs, reply.settings.expiration_buffer_seconds * 1000);
    }
    this.#commands.add(reply.actions ?? []);
    this.#commands.begin('start');
    this.#deps.log.info(
      { compute_node_key: reply.compute_node_key, epoch: reply.epoch },
      'the server took this worker',
    );
    this.#look();
  }

  #onRefused(error: TorcError | null): void {
    const why = error === null ? 'a later process has taken the place of this worker' : error.message;
    this.#deps.log.error({ why }, 'the server refuses this worker');
    if (this.#session.numHeld > 0) {
      this.#beginEnding('gone', 'fenced');
    } else if (error === null) {
      this.#finish('gone');
    } else {
      this.#close();
      this.#settle?.reject(error);
    }
  }

  #onTaken(taken: Taken): void {
    const canRun = this.#phase === 'working' && !taken.leave;
    if (this.#admission.numWaiting === 0) this.#stillSinceMs = this.#nowMs();
    for (const job of taken.jobs) {
      if (canRun) this.#admission.add(job);
      else this.#session.noteReturned(job.attempt, this.#nowMs());
    }
    for (const { attempt, reason } of taken.stop) this.#stopOne(attempt, reason);
    if (taken.leave && this.#phase === 'working') {
      this.#phase = 'draining';
      this.#returnWaiting();
    }
    const isGoodbye = taken.wasLeaving && this.#session.numHeld + this.#session.numUnanswered === 0;
    if (isGoodbye) this.#finish(null);
    else this.#startWaiting();
    this.#look();
  }

  #onContactChanged(): void {
    this.#idleSinceMs = this.#nowMs();
    this.#look();
  }

  #onFenced(): void {
    if (this.#phase === 'ended') return;
    this.#deps.log.error({}, 'the server has given this worker up and cannot be reached: stopping all jobs');
    this.#beginEnding('gone', 'fenced');
    this.#look();
  }

  #onCommandsThrough(when: 'start' | 'complete'): void {
    if (this.#phase === 'ended') return;
    this.#idleSinceMs = this.#nowMs();
    // it ends now, as it had decided before these commands
    if (when === 'complete' && this.#phase === 'draining') this.#beginLeaving();
    this.#exchanger.sendNow();
    this.#startWaiting();
    this.#look();
  }

  #onStarted(attempt: number, pid: number, atMs: number, logSlot: number | null): void {
    this.#session.noteStarted(attempt, pid, atMs, logSlot);
    this.#exchanger.poke();
  }

  #onFreed(attempt: number): void {
    this.#admission.release(attempt);
    this.#startWaiting();
  }

  #onEnded(finished: FinishedAttempt): void {
    const { attempt, end } = finished;
    this.#running.delete(attempt);
    this.#admission.release(attempt);
    this.#exit.numJobs += 1;
    if (end.status === 'done' && end.returnCode !== 0) this.#exit.numFailed += 1;
    this.#session.noteFinished(finished, this.#nowMs());
    if (this.#session.numHeld === 0) this.#idleSinceMs = this.#nowMs();
    this.#startWaiting();
    this.#look();
  }

  #onUnstarted(attempt: number): void {
    this.#running.delete(attempt);
    this.#admission.release(attempt);
    this.#session.noteReturned(attempt, this.#nowMs());
    this.#startWaiting();
    this.#look();
  }

  #onGrown(): void {
    this.#session.noteGrowth(this.#nowMs());
    this.#exchanger.poke();
  }

  #onSignal(signal: StopSignal): void {
    this.#deps.log.info({ signal }, 'asked to stop');
    const isMoreUrgent = signal === 'terminate' && !this.#isHurried;
    if (isMoreUrgent) this.#isHurried = true;
    const isTaking = this.#phase === 'working' || this.#phase === 'draining';
    if (isTaking) this.#beginEnding('stopped', this.#reasonOfSignal(signal));
    else if (this.#phase === 'ending' && isMoreUrgent) this.#stopRunning();
    else if (this.#phase === 'leaving' && isMoreUrgent) this.#beginLeaving();
    this.#look();
  }

  #reasonOfSignal(signal: StopSignal): StopReason {
    const { identity, walltimeSeconds } = this.#options;
    if (identity.slurmJobId === null) return 'shutdown';
    const leftMs = this.#deadlineMs === null ? null : this.#deadlineMs - this.#nowMs();
    return reasonOfSlurmSignal(signal, leftMs, (walltimeSeconds ?? 0) * 1000);
  }

  // ---------------------------------------------------------------- jobs

  #startWaiting(): void {
    if (this.#commands.isRunning) return;
    for (let job = this.#admission.next(); job !== null; job = this.#admission.next()) this.#start(job);
    this.#exchanger.poke();
  }

  #start(job: Assignment): void {
    const nowMs = this.#nowMs();
    const endsInTime =
      job.runtime_ms === null || this.#latestEndMs === null || nowMs + job.runtime_ms <= this.#latestEndMs;
    if (!endsInTime) {
      this.#admission.release(job.attempt);
      this.#session.noteReturned(job.attempt, nowMs);
      return;
    }
    this.#running.set(job.attempt, job);
    this.#stillSinceMs = nowMs;
    const sampleEverySeconds = this.#settings?.sample_interval_seconds ?? null;
    this.#jobs.start(job, sampleEverySeconds === null ? null : sampleEverySeconds * 1000);
  }

  #stopOne(attempt: number, reason: StopReason): void {
    if (this.#admission.withdraw(attempt)) this.#session.noteReturned(attempt, this.#nowMs());
    else this.#jobs.stop([{ attempt, graceMs: normalGraceMs }], reason);
  }

  /** When jobs that wait here are given back, so that they can run elsewhere. */
  #returnDueMs(): number {
    const isStill = this.#admission.numWaiting > 0 && this.#exchanger.lostSinceMs === null;
    return isStill && this.#phase === 'working' ? this.#stillSinceMs + longestWaitMs : Number.POSITIVE_INFINITY;
  }

  #returnWaiting(): void {
    for (const job of this.#admission.withdrawAll()) this.#session.noteReturned(job.attempt, this.#nowMs());
  }

  // ---------------------------------------------------------------- ending

  #beginEnding(reason: WorkerExit['reason'], stopReason: StopReason): void {
    if (this.#phase !== 'working' && this.#phase !== 'draining') return;
    this.#deps.log.info({ reason, num_running: this.#running.size }, 'ending');
    this.#phase = 'ending';
    this.#exit.reason = reason;
    this.#stopReason = stopReason;
    this.#returnWaiting();
    this.#commands.stop();
    this.#stopRunning();
    this.#exchanger.sendNow();
  }

  #stopRunning(): void {
    const nowMs = this.#nowMs();
    const leftMs = this.#deadlineMs === null ? null : this.#deadlineMs - nowMs;
    const jobs = [...this.#running.values()].map((job) => ({
      attempt: job.attempt,
      graceMs: graceMs(job.supports_termination && !this.#isHurried, leftMs),
    }));
    const longestMs = jobs.reduce((longest, job) => Math.max(longest, job.graceMs), 0);
    this.#giveUpMs = Math.min(this.#giveUpMs, nowMs + longestMs + (this.#isHurried ? hurriedStepMs : gentleStepMs));
    this.#jobs.stop(jobs, this.#stopReason);
  }

  #beginLeaving(): void {
    this.#phase = 'leaving';
    const leftMs = this.#deadlineMs === null ? longestLeaveMs : this.#deadlineMs - this.#nowMs() - gentleStepMs;
    // nobody waits for the goodbye of a worker that was given up
    const isShort = this.#isHurried || this.#exit.reason === 'gone';
    const limitMs = isShort ? hurriedStepMs : Math.max(hurriedStepMs, Math.min(longestLeaveMs, leftMs));
    this.#giveUpMs = this.#nowMs() + limitMs;
    this.#exchanger.hurry(limitMs);
  }

  /** Ends the worker; null keeps the reason that is already known. */
  #finish(reason: WorkerExit['reason'] | null): void {
    if (this.#phase === 'ended') return;
    this.#close();
    if (reason !== null) this.#exit.reason = reason;
    const { numHeld, numUnanswered } = this.#session;
    this.#deps.log.info({ ...this.#exit, num_held: numHeld, num_unanswered: numUnanswered }, 'ended');
    const isDone = Promise.all([this.#withoutServer.close(), this.#jobs.tidy()]);
    void isDone.then(() => this.#settle?.resolve(this.#exit));
  }

  #close(): void {
    this.#phase = 'ended';
    this.#cancelTimer();
    this.#stopListening();
    this.#commands.stop();
    this.#jobs.close();
    this.#exchanger.close();
  }

  // ---------------------------------------------------------------- what is due

  /** Does what is due and sets the timer to what is due next. */
  #look(): void {
    if (this.#nowMs() >= this.#returnDueMs()) {
      this.#returnWaiting();
      this.#exchanger.poke();
    }
    let decision = this.#decide();
    while (decision.step !== 'wait') {
      if (decision.step === 'end_jobs') this.#beginEnding('deadline', 'walltime');
      else if (this.#hasLastCommands(decision)) this.#phase = 'draining';
      else if (decision.step === 'finish') this.#finish(decision.reason);
      else {
        if (decision.reason !== null) this.#exit.reason = decision.reason;
        this.#beginLeaving();
      }
      decision = this.#decide();
    }
    this.#cancelTimer();
    if (this.#phase === 'ended') return;
    const isEnding = this.#phase === 'ending' || this.#phase === 'leaving';
    const fenceMs = isEnding ? Number.POSITIVE_INFINITY : this.#withoutServer.lookAtFence();
    const spoolMs = this.#withoutServer.lookAtSpool(this.#isHurried);
    const nextMs = Math.min(decision.untilMs, fenceMs, spoolMs, this.#returnDueMs());
    if (nextMs === Number.POSITIVE_INFINITY) return;
    const waitMs = Math.min(longestTimerMs, Math.max(0, nextMs - this.#nowMs()));
    this.#cancelTimer = this.#deps.clock.after(waitMs, () => this.#look());
  }

  /** Whether there are commands to be run before this end, which are begun with that. */
  #hasLastCommands(decision: ReturnType<typeof decide>): boolean {
    const isCalm = this.#phase === 'working' || this.#phase === 'draining';
    const isEnd = decision.step === 'leave' || (decision.step === 'finish' && decision.reason === 'complete');
    if (!isCalm || !isEnd || !this.#commands.begin('complete')) return false;
    if (decision.reason !== null) this.#exit.reason = decision.reason;
    return true;
  }

  #decide(): ReturnType<typeof decide> {
    const state = {
      phase: this.#phase,
      // commands count like a job that runs
      numHeld: this.#session.numHeld + (this.#commands.isRunning ? 1 : 0),
      numUnanswered: this.#session.numUnanswered,
      latestEndMs: this.#latestEndMs,
      idleSinceMs: this.#idleSinceMs,
      lostSinceMs: this.#exchanger.lostSinceMs,
      settings: this.#settings,
      waitForNewJobsSeconds: this.#options.waitForNewJobsSeconds,
      giveUpMs: this.#giveUpMs,
    };
    return decide(state, this.#nowMs());
  }
}
