/**
 * The worker on a node: takes jobs from the server, runs them, reports their ends, and ends itself when there is no more
 * work or no more time. It outlives the server: while that is away, jobs continue and reports are kept.
 *
 * Everything is a reaction to an event: a reply, a job's end, a signal, a due time. Each reaction ends in `#look`, which
 * does what is due and sets the one timer for what is due next.
 */
import type { HelloReply, WorkerSettings } from '../api/contract.ts';
import { TorcError } from '../base/errors.ts';
import { version } from '../base/version.ts';
import { Deadline } from './deadline.ts';
import type { StopSignal } from './effects.ts';
import { Ending } from './ending.ts';
import { Exchanger, type ExchangerEvents } from './exchange/exchanger.ts';
import { type RequestFacts, Session, type Taken } from './exchange/session.ts';
import { WithoutServer } from './exchange/without-server.ts';
import { helloRequest } from './hello.ts';
import { WorkerJobs, type WorkerJobsEvents } from './jobs.ts';
import { type Decision, decide } from './lifetime.ts';
import { NodeCommands } from './node-commands.ts';
import type { WorkerDependencies, WorkerExit, WorkerOptions } from './options.ts';
import { openRunnerChain } from './runner-chain.ts';

const sampleEveryMs = 10_000;
const longestTimerMs = 2 ** 31 - 1;

export class WorkerLoop {
  readonly #options: WorkerOptions;
  readonly #deps: Required<WorkerDependencies>;
  readonly #session: Session;
  readonly #exchanger: Exchanger;
  readonly #jobs: WorkerJobs;
  readonly #withoutServer: WithoutServer;
  readonly #commands: NodeCommands;
  readonly #ending: Ending;
  readonly #deadline: Deadline;
  #settings: WorkerSettings | null = null;
  #idleSinceMs: number;
  /** What the worker ends with when the server speaks another protocol or has another database; else null. */
  #incompatible: TorcError | null = null;
  #heldUntilMs: number | null = null;
  #cancelTimer: () => void = () => {};
  #stopListening: () => void = () => {};
  #settle: { resolve(exit: WorkerExit): void; reject(error: TorcError): void } = { resolve() {}, reject() {} };

  constructor(options: WorkerOptions, deps: Required<WorkerDependencies>) {
    this.#options = options;
    this.#deps = deps;
    const { clock, effects } = deps;
    this.#idleSinceMs = clock.monotonic();
    this.#deadline = new Deadline(options, clock);
    this.#session = new Session(effects.workerId);
    this.#jobs = this.#openJobs();
    this.#commands = new NodeCommands({
      ...deps,
      ended: (report) => this.#session.noteCommands(report),
      through: (when) => this.#onCommandsThrough(when),
    });
    this.#exchanger = this.#openExchanger();
    this.#withoutServer = new WithoutServer({
      ...deps,
      session: this.#session,
      exchanger: this.#exchanger,
      fenced: () => this.#onFenced(),
      cleared: () => this.#jobs.startWaiting(),
      wrote: () => this.#look(),
    });
    this.#ending = new Ending({
      ...deps,
      deadline: this.#deadline,
      session: this.#session,
      jobs: this.#jobs,
      commands: this.#commands,
      exchanger: this.#exchanger,
      withoutServer: this.#withoutServer,
    });
  }

  #openJobs(): WorkerJobs {
    const { clock, effects } = this.#deps;
    const { capacity, maxParallelJobs, outputDirectory } = this.#options;
    const events: WorkerJobsEvents = {
      // while the commands of its start run, the node is not ready
      isReady: () => !this.#commands.isRunning && this.#withoutServer.mayStart(),
      longestRuntimeMs: () => this.#deadline.longestRuntimeMs(),
      isWarned: () => this.#ending.hasWarned,
      late: () => this.#ending.takeNoMore(),
      news: () => this.#exchanger.poke(),
      ended: () => this.#onEnded(),
      unstarted: () => this.#look(),
      short: (text) => this.#deps.warn(text),
    };
    const isEndOpen = (attempt: number): boolean => this.#session.isEndOpen(attempt);
    const beforeStart = (): Promise<unknown> | null => this.#withoutServer.beforeStart();
    return new WorkerJobs(events, {
      clock,
      session: this.#session,
      capacity: { ...capacity, maxParallelJobs },
      openRunner: (runnerEvents) =>
        openRunnerChain(runnerEvents, { ...this.#deps, effects, outputDirectory, isEndOpen, beforeStart }),
    });
  }

  #openExchanger(): Exchanger {
    const { effects } = this.#deps;
    const events: ExchangerEvents = {
      facts: () => this.#facts(),
      endsDelayMs: () => this.#jobs.turnover.endsDelayMs(this.#jobs.numWaiting, this.#nowMs()),
      hello: () => helloRequest(this.#options, effects),
      greeted: (reply) => this.#onGreeted(reply),
      refused: (error) => this.#onRefused(error),
      incompatible: (error) => this.#onIncompatible(error),
      taken: (taken) => this.#onTaken(taken),
      contactChanged: () => this.#onContactChanged(),
    };
    return new Exchanger(this.#session, events, { ...this.#deps, random: () => effects.random() });
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

  // ---------------------------------------------------------------- what requests say

  #facts(): Omit<RequestFacts, 'nowMs'> {
    return {
      timeLeftMs: this.#deadline.longestRuntimeMs(),
      // while the commands of its start run, the node is not ready for jobs
      draining: this.#ending.takesNoMore || this.#commands.isRunning,
      leaving: this.#ending.phase === 'leaving' && this.#session.numHeld === 0,
      samples: this.#jobs.takeSamples(sampleEveryMs),
      mostJobs: this.#jobs.mostJobs,
      withYoungStarts: !this.#jobs.turnover.areShort(this.#nowMs()),
    };
  }

  // ---------------------------------------------------------------- what happens

  #onGreeted(reply: HelloReply): void {
    const { settings, compute_node_key, epoch } = reply;
    this.#settings = settings;
    this.#jobs.configure(settings);
    this.#deadline.keepBuffer(settings.expiration_buffer_seconds, settings.sigterm_lead_seconds);
    this.#idleSinceMs = this.#nowMs();
    this.#deps.effects.credentials.greeted(reply.credential_key);
    this.#commands.add(reply.actions ?? []);
    this.#commands.begin('start');
    this.#deps.log.info({ compute_node_key, epoch }, 'the server accepted this worker');
    this.#look();
  }

  #onRefused(error: TorcError | null): void {
    const why = error === null ? "a later process has taken this worker's place" : error.message;
    this.#deps.log.error({ why }, 'the server refuses this worker');
    if (this.#session.numHeld > 0) this.#ending.giveUp();
    else this.#finish('gone', error);
  }

  /** Running jobs continue as without a server. The worker ends with the last of them, and results go to the spool. */
  #onIncompatible(error: TorcError): void {
    if (this.#incompatible === null) {
      const message =
        error.code === 'incompatible' ? `${error.message}; the worker is torc ${version()}` : error.message;
      this.#incompatible = new TorcError(error.code, message, error.hint);
      this.#deps.log.error({ why: message }, 'the server is not the one of this worker: no more jobs are started');
    }
    this.#ending.drain();
    const { numHeld, numUnanswered } = this.#session;
    const isIdle = numHeld + numUnanswered === 0 && !this.#commands.isRunning;
    if (isIdle || this.#ending.phase === 'leaving') this.#finish('server_lost');
    this.#look();
  }

  #onTaken(taken: Taken): void {
    this.#jobs.turnover.noteReply(taken.jobs.length, taken.numAnswered);
    if (!this.#ending.takesNoMore && !taken.leave) this.#jobs.take(taken.jobs);
    else this.#jobs.refuse(taken.jobs);
    for (const { attempt, reason } of taken.stop) this.#jobs.stop(attempt, reason);
    if (taken.holdMs !== null) this.#heldUntilMs = this.#nowMs() + taken.holdMs;
    if (taken.leave) this.#ending.drain();
    const isGoodbye = taken.wasLeaving && this.#session.numHeld + this.#session.numUnanswered === 0;
    if (isGoodbye) this.#finish(null);
    else this.#jobs.startWaiting();
    this.#look();
  }

  #onContactChanged(): void {
    if (this.#exchanger.lostSinceMs === null) this.#incompatible = null;
    this.#idleSinceMs = this.#nowMs();
    this.#look();
  }

  #onFenced(): void {
    if (this.#ending.phase === 'ended') return;
    this.#deps.log.error({}, 'the server has given this worker up and cannot be reached: stopping all jobs');
    this.#ending.giveUp();
    this.#look();
  }

  #onCommandsThrough(when: 'start' | 'complete'): void {
    if (this.#ending.phase === 'ended') return;
    this.#idleSinceMs = this.#nowMs();
    // the worker decided to end before it started these commands
    if (when === 'complete' && this.#ending.phase === 'draining') this.#ending.leave(null);
    this.#exchanger.sendNow();
    this.#jobs.startWaiting();
    this.#look();
  }

  #onEnded(): void {
    if (this.#session.numHeld === 0) this.#idleSinceMs = this.#nowMs();
    this.#look();
  }

  #onSignal(signal: StopSignal): void {
    this.#deps.log.info({ signal }, 'asked to stop');
    this.#ending.signalled(signal);
    this.#look();
  }

  /** Ends the worker with what is known, with `reason`, or by throwing `error`. */
  #finish(reason: WorkerExit['reason'] | null, error = this.#incompatible): void {
    if (this.#ending.phase === 'ended') return;
    this.#cancelTimer();
    this.#stopListening();
    const { resolve, reject } = this.#settle;
    void this.#ending.finish(reason).then((exit) => (error === null ? resolve(exit) : reject(error)));
  }

  // ---------------------------------------------------------------- what is due

  /** Does what is due and sets the timer to what is due next. */
  #look(): void {
    if (this.#nowMs() >= this.#returnDueMs()) {
      this.#jobs.returnWaiting();
      this.#exchanger.poke();
    }
    if (this.#jobs.lookAtShortage()) this.#exchanger.sendNow();
    let decision = this.#decide();
    while (decision.step !== 'wait') {
      if (decision.step === 'end_jobs') this.#ending.begin('deadline', 'walltime');
      else if (decision.step === 'warn_jobs') this.#ending.warn();
      else if (decision.step === 'ask') this.#exchanger.ask();
      else if (this.#startLastCommands(decision)) this.#ending.drain(decision.reason);
      else if (decision.step === 'finish') this.#finish(decision.reason);
      else this.#ending.leave(decision.reason);
      decision = this.#decide();
    }
    this.#cancelTimer();
    if (this.#ending.phase === 'ended') return;
    const fenceMs = this.#ending.mayBeGivenUp ? this.#withoutServer.lookAtFence() : Number.POSITIVE_INFINITY;
    const spoolMs = this.#withoutServer.lookAtSpool(this.#ending.isHurried);
    const nextMs = Math.min(decision.untilMs, fenceMs, spoolMs, this.#returnDueMs(), this.#jobs.shortageDueMs);
    if (nextMs === Number.POSITIVE_INFINITY) return;
    const waitMs = Math.min(longestTimerMs, Math.max(0, nextMs - this.#nowMs()));
    this.#cancelTimer = this.#deps.clock.after(waitMs, () => this.#look());
  }

  /** When waiting jobs go back. While the server is away they stay, because it could not give them to others. */
  #returnDueMs(): number {
    const mayReturn = this.#ending.phase === 'working' && this.#exchanger.lostSinceMs === null;
    return mayReturn ? this.#jobs.returnDueMs() : Number.POSITIVE_INFINITY;
  }

  /** Starts the commands that run before the worker ends; false when there are none. */
  #startLastCommands({ step, reason }: Extract<Decision, { step: 'leave' | 'finish' }>): boolean {
    const isEnd = step === 'leave' || reason === 'complete';
    return this.#ending.isCalm && isEnd && this.#commands.begin('complete');
  }

  #decide(): Decision {
    const state = {
      phase: this.#ending.phase,
      isDrained: this.#ending.isDrained,
      // commands count like a job that runs
      numHeld: this.#session.numHeld + (this.#commands.isRunning ? 1 : 0),
      numUnanswered: this.#session.numUnanswered,
      latestEndMs: this.#deadline.latestEndMs,
      warnMs: this.#ending.hasWarned ? null : this.#deadline.warnMs,
      idleSinceMs: this.#idleSinceMs,
      heldUntilMs: this.#heldUntilMs,
      lostSinceMs: this.#exchanger.lostSinceMs,
      offer: this.#ending.takesNoMore ? 'known' : this.#exchanger.offer,
      settings: this.#settings,
      waitForNewJobsSeconds: this.#options.waitForNewJobsSeconds,
      giveUpMs: this.#ending.giveUpMs,
    };
    return decide(state, this.#nowMs());
  }
}
