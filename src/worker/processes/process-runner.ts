/**
 * Runs jobs as processes. A job is started; perhaps stopped (SIGTERM, later SIGKILL); its main process ends; remaining
 * processes are killed; when none is left its end is reported.
 *
 * The process group is checked as soon as the main process ends. A sweep over all processes follows, which also finds
 * those that left the group; all jobs share the sweeps (sweep-timer.ts).
 */
import type { Assignment } from '../../api/contract.ts';
import type { Clock } from '../../base/clock.ts';
import type { Log } from '../../base/log.ts';
import { numberList } from '../../base/number-list.ts';
import type { JobStdioPaths } from '../../base/paths.ts';
import type { SystemUnits } from '../../base/proc.ts';
import { looksKilled, type StopReason, withoutFork } from '../../model/decide/outcome.ts';
import type { AttemptEnd } from '../../model/job.ts';
import { codeOfFailedFork, hasFailedToFork } from './failed-fork.ts';
import { normalGraceMs } from './grace.ts';
import type { FinishedAttempt, GivenJob, JobRunner, RunnerEvents, Sample, StoppedJob } from './job-runner.ts';
import { failedLaunch, type LaunchContext, spawnRequest } from './launch.ts';
import type { OomVerdict, OomWatch, WorkerMemory } from './oom-watch.ts';
import type { ProcessTable } from './process-table.ts';
import { finishedAttempt, memoryUser, newRunningJob, openSeries, type RunningJob, takeSample } from './running-job.ts';
import { Sampler } from './sampler.ts';
import type { ProcessEnd, Spawner, SpawnListener, SpawnRequest } from './spawner.ts';
import { shortageOf, unknownEnd } from './spawner.ts';
import { hasOutgrownStep } from './step-memory.ts';
import { killJob, stopEarly, stopProcess } from './stopping.ts';
import { SweepTimer, sweepPause } from './sweep-timer.ts';
import { isGrowthNews } from './usage.ts';

/** Processes that survive SIGKILL for this long hang in the kernel; the job's end is reported without them. */
const unkillableMs = 30_000;

export interface RunnerDependencies {
  clock: Clock;
  log: Log;
  launch: LaunchContext;
  spawner: Spawner;
  table: ProcessTable;
  units: SystemUnits;
  oomWatch: OomWatch;
  /** The memory that the jobs of this worker share. */
  capacityBytes: number;
}

export class ProcessRunner implements JobRunner {
  readonly #deps: RunnerDependencies;
  readonly #events: RunnerEvents;
  readonly #jobs = new Map<number, RunningJob>();
  readonly #sampler: Sampler;
  readonly #sweeps: SweepTimer;
  readonly #memory: WorkerMemory;
  #isClosed = false;

  constructor(events: RunnerEvents, deps: RunnerDependencies) {
    this.#events = events;
    this.#deps = deps;
    const { capacityBytes } = deps;
    this.#memory = { users: () => [...this.#jobs.values()].map((job) => memoryUser(job)), capacityBytes };
    this.#sweeps = new SweepTimer(deps.clock, () => this.#sweep());
    this.#sampler = new Sampler({
      ...deps,
      overMemory: (attempt) => this.stop([{ attempt, graceMs: 0 }], 'memory_limit'),
      measured: (attempt) => this.#onMeasured(attempt),
      looked: () => deps.oomWatch.look(),
    });
  }

  #nowMs(): number {
    return this.#deps.clock.monotonic();
  }

  // ---------------------------------------------------------------- starting

  start(assignment: Assignment, sampleEveryMs: number | null = null, output: JobStdioPaths | null = null): void {
    const { request, job } = this.#prepare(assignment, sampleEveryMs, output);
    this.#deps.spawner.spawn(request, this.#listener(job, request));
  }

  mayQueue(): boolean {
    return this.#deps.spawner.queue !== null;
  }

  queue(assignment: Assignment, sampleEveryMs: number | null = null, output: JobStdioPaths | null = null): void {
    const { request, job } = this.#prepare(assignment, sampleEveryMs, output);
    job.queued = this.#deps.spawner.queue?.(request, this.#listener(job, request)) ?? null;
  }

  startQueued({ attempt, cpus }: GivenJob): void {
    this.#jobs.get(attempt)?.queued?.start(cpus === undefined ? null : numberList(cpus));
  }

  withdraw(attempt: number): void {
    this.#jobs.get(attempt)?.queued?.withdraw();
  }

  #prepare(
    assignment: Assignment,
    sampleEveryMs: number | null,
    output: JobStdioPaths | null,
  ): { request: SpawnRequest; job: RunningJob } {
    const { attempt } = assignment;
    const nowMs = this.#nowMs();
    const request = spawnRequest(assignment, this.#deps.launch, output);
    const job = newRunningJob(assignment, request, nowMs, sampleEveryMs);
    this.#jobs.set(attempt, job);
    this.#deps.table.track(attempt, nowMs);
    return { request, job };
  }

  #listener(job: RunningJob, request: SpawnRequest): SpawnListener {
    const { attempt } = job;
    return {
      placed: (before) => this.#events.placed(attempt, before),
      withdrawn: () => this.#giveBack(job),
      started: (pid, atMs) => this.#onStarted(job, pid, atMs ?? this.#nowMs()),
      failed: (code, message) => this.#onFailed(job, code, failedLaunch(request, code, message)),
      exited: (end) => this.#onExit(job, end),
    };
  }

  #onStarted(job: RunningJob, pid: number, atMs: number): void {
    job.pid = pid;
    job.queued = null;
    job.startedAtMs = atMs;
    this.#deps.table.lead(job.attempt, pid, job.isStep);
    openSeries(job, this.#deps.launch.outputDirectory, this.#deps);
    this.#sampler.add(job);
    this.#armRuntimeLimit(job);
    this.#events.started(job.attempt, pid, atMs);
    const { earlyStop, attempt } = job;
    if (earlyStop !== null) this.stop([{ ...earlyStop, attempt }], earlyStop.reason);
  }

  #onFailed(job: RunningJob, code: string | null, end: AttemptEnd): void {
    const { attempt, assignment } = job;
    // a step may be stopped before it has started
    if (job.stop !== null) return void this.#onExit(job, unknownEnd);
    this.#forget(job);
    // as the node lacks something and the job lacks nothing, it can start later or elsewhere
    const shortage = shortageOf(code, end.detail ?? '');
    if (shortage !== null) return void this.#events.unstarted(attempt, shortage);
    this.#deps.log.warn({ attempt, job: assignment.job_name, detail: end.detail }, 'a job could not be started');
    const nothing = { peakMemoryBytes: null, averageMemoryBytes: null, cpuMs: null };
    this.#events.ended({ attempt, startedAtMs: null, endedAtMs: this.#nowMs(), end, ...nothing });
  }

  #giveBack(job: RunningJob): void {
    this.#forget(job);
    this.#events.unstarted(job.attempt, null);
  }

  #forget(job: RunningJob): void {
    this.#jobs.delete(job.attempt);
    this.#sampler.remove(job.attempt);
    this.#deps.table.untrack(job.attempt);
    job.cancelRuntimeLimit();
  }

  #armRuntimeLimit(job: RunningJob): void {
    const limitMs = job.assignment.runtime_limit_ms;
    if (limitMs === null) return;
    const leftMs = Math.max(0, job.startedAtMs + limitMs - this.#nowMs());
    job.cancelRuntimeLimit = this.#deps.clock.after(leftMs, () => {
      this.stop([{ attempt: job.attempt, graceMs: normalGraceMs }], 'runtime_limit');
    });
  }

  // ---------------------------------------------------------------- stopping

  stop(jobs: readonly StoppedJob[], reason: StopReason): void {
    const nowMs = this.#nowMs();
    const running = jobs.flatMap((stopped) => {
      const job = this.#jobs.get(stopped.attempt);
      // a job that has ended by itself keeps its own end
      return job === undefined || job.exit !== null ? [] : [{ job, stopped }];
    });
    if (running.length === 0) return;
    const { table } = this.#deps;
    table.scan(nowMs);
    for (const { job, stopped } of running) {
      const { graceMs, signal = 'SIGTERM' } = stopped;
      if (job.pid === null) stopEarly(job, stopped, reason);
      else stopProcess(table, job, job.pid, { reason, killAtMs: nowMs + graceMs, signal }, nowMs);
    }
    this.#sweeps.scheduleSoon();
  }

  // ---------------------------------------------------------------- ending

  #onExit(job: RunningJob, end: ProcessEnd): void {
    job.exit = { ...end, atMs: end.atMs ?? this.#nowMs() };
    // where it is not known when they were, both may come a little late, and together
    if (end.ranMs !== null) job.startedAtMs = Math.min(job.startedAtMs, job.exit.atMs - end.ranMs);
    job.cancelRuntimeLimit();
    this.#sampler.remove(job.attempt);
    if (end.exitCode !== null || end.signal !== null) this.#deps.table.leaderReaped(job.attempt);
    else this.#deps.table.lookAgain();
    const numJobs = this.#jobs.size;
    if (end.isGroupGone) this.#events.freed(job.attempt);
    this.#sweeps.reset();
    const hasSuccessor = end.isSucceeded || this.#jobs.size > numJobs;
    this.#sweeps.schedule(0, hasSuccessor ? sweepPause.calm : sweepPause.urgent);
  }

  /** Concludes jobs without processes; kills what remains of others when their grace is over. */
  #sweep(): void {
    const candidates = [...this.#jobs.values()].filter((job) => job.exit !== null || job.stop !== null);
    if (candidates.length === 0) return;
    const beganMs = this.#nowMs();
    const isSure = this.#deps.table.scanFor(candidates, beganMs);
    const gone = candidates.filter((job) => !this.#hasProcesses(job, beganMs) && isSure);
    this.#sweeps.took(beganMs, this.#nowMs());
    for (const job of gone) this.#conclude(job);
    if (gone.length < candidates.length) this.#sweeps.scheduleAgain();
  }

  #hasProcesses(job: RunningJob, nowMs: number): boolean {
    const isGraceOver = job.stop === null || nowMs >= job.stop.killAtMs;
    if (job.exit === null) {
      if (isGraceOver) killJob(this.#deps.table, job, nowMs);
      return true;
    }
    const { pids } = this.#deps.table.measure(job.attempt);
    if (pids.length === 0) return false;
    if (job.firstKillMs !== null && nowMs - job.firstKillMs > unkillableMs) {
      this.#deps.log.error({ attempt: job.attempt, pids }, 'processes of a job cannot be killed');
      job.hasLeftovers = true;
      return false;
    }
    if (isGraceOver) killJob(this.#deps.table, job, nowMs);
    return true;
  }

  #conclude(job: RunningJob): void {
    // it waited, and nothing is found that has started
    if (job.queued !== null && job.firstKillMs === null) return void this.#giveBack(job);
    const departedMs = job.isStep ? 0 : this.#sampler.cpuMs(this.#deps.table.departedTicks(job.attempt));
    this.#forget(job);
    const exit = job.exit ?? { exitCode: null, signal: null, cpuMs: null, largestBytes: null, atMs: this.#nowMs() };
    const totals = job.meter.totals(exit.atMs, exit.cpuMs === null ? null : exit.cpuMs + departedMs);
    const tell = (verdict: OomVerdict): void => {
      const finished = finishedAttempt(job, exit, totals, verdict);
      if (job.series === null && exit.exitCode !== codeOfFailedFork) this.#events.ended(finished);
      else void this.#tellLater(job, finished);
    };
    const isSuspect = !job.isStep && job.stop === null && looksKilled(exit.exitCode, exit.signal);
    if (isSuspect) this.#sampler.lookSoon(); // what the others use now is known by the time of the verdict
    const ended = { ...memoryUser(job, exit.largestBytes), isVictim: hasOutgrownStep(job), verdict: tell };
    this.#deps.oomWatch.ended(ended, isSuspect, this.#memory);
  }

  /** The end of a job is told when its files have been read and written. */
  async #tellLater({ series, stderrPath }: RunningJob, finished: FinishedAttempt): Promise<void> {
    const { end } = finished;
    const { clock, launch } = this.#deps;
    const mayLackFork = end.exitCode === codeOfFailedFork && end.cause === 'exit_code';
    const [isWithoutFork] = await Promise.all([
      mayLackFork && hasFailedToFork(launch.outputDirectory, stderrPath, clock),
      series?.close(),
    ]);
    if (!this.#isClosed) this.#events.ended(isWithoutFork ? { ...finished, end: withoutFork(end) } : finished);
  }

  // ---------------------------------------------------------------- samples

  #onMeasured(attempt: number): void {
    const job = this.#jobs.get(attempt);
    if (job === undefined) return;
    const { latest } = job.meter;
    if (latest !== null) job.series?.add(this.#nowMs(), latest.memoryBytes, latest.cpuMs);
    if (this.#hasGrown(job)) this.#events.grown(attempt);
  }

  #hasGrown({ meter, sampledPeakBytes, assignment }: RunningJob): boolean {
    const memory = { peakBytes: meter.peakBytes, sampledBytes: sampledPeakBytes };
    return isGrowthNews(memory, assignment.memory_bytes, this.#deps.capacityBytes);
  }

  takeSamples(minAgeMs: number): Sample[] {
    const nowMs = this.#nowMs();
    const samples: Sample[] = [];
    for (const job of this.#jobs.values()) {
      if (job.exit !== null || (nowMs - job.sampledAtMs < minAgeMs && !this.#hasGrown(job))) continue;
      const sample = takeSample(job, nowMs);
      if (sample !== null) samples.push(sample);
    }
    return samples;
  }

  close(): void {
    this.#isClosed = true;
    this.#sampler.close();
    this.#sweeps.cancel();
    this.#deps.oomWatch.close();
    this.#deps.spawner.close();
    for (const job of this.#jobs.values()) job.cancelRuntimeLimit();
  }
}
