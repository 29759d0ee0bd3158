/** A worker process: the real loop, session and exchanger over simulated processes, files and network. */
import { existsSync } from 'node:fs';
import type { Assignment } from '../../src/api/contract.ts';
import { silentLog } from '../../src/base/log.ts';
import { workerPaths } from '../../src/base/paths.ts';
import { classifyEnd, type StopReason } from '../../src/model/decide/outcome.ts';
import type { StopSignal, WorkerEffects } from '../../src/worker/effects.ts';
import { noCredentials } from '../../src/worker/files/credentials.ts';
import { WorkerLoop } from '../../src/worker/loop.ts';
import type { WorkerExit, WorkerOptions } from '../../src/worker/options.ts';
import type { JobRunner, RunnerEvents, Sample } from '../../src/worker/processes/job-runner.ts';
import { noValueFiles } from '../support/no-value-files.ts';
import { Process } from './clock.ts';
import { resultOf } from './data-uses.ts';
import type { JobExit, JobProcess, Machine } from './machines.ts';
import { runsOutOf } from './scale-check.ts';
import { openSimSpool, type SimSpool } from './spool.ts';
import type { World } from './world.ts';

export interface WorkerPlace {
  machines: Machine[];
  slurm: {
    jobId: string;
    restartCount: number;
    allocationKey: string | null;
    endMs: number;
    walltimeMs: number;
    /** Of each machine; null for all of it. */
    memoryBytes: number | null;
  } | null;
}

/** One worker process. */
export class SimWorker {
  readonly id: string;
  readonly process: Process;
  readonly machine: Machine;
  readonly place: WorkerPlace;
  readonly #world: World;
  readonly #spool: SimSpool;
  readonly #listeners = new Set<(signal: StopSignal) => void>();
  /** How it ended by itself. */
  exit: WorkerExit | { failed: string } | null = null;
  /** Called once its process is gone. */
  onGone: () => void = () => {};

  constructor(world: World, place: WorkerPlace) {
    this.#world = world;
    this.place = place;
    this.machine = place.machines[0] as Machine;
    this.id = world.random.hex(32);
    this.process = new Process(world.timeline, this.machine.host, world.machines.nextPid());
    this.#spool = openSimSpool(world.directory, this.id, this.process, this.machine, world.random);
  }

  start(): void {
    const { process } = this;
    const world = this.#world;
    const loop = new WorkerLoop(this.#options(), {
      api: world.network.apiFor(process, (endpoint, request, reply) => world.check.answered(endpoint, request, reply)),
      clock: process.clock,
      log: silentLog,
      warn() {},
      signals: {
        listen: (listener) => {
          this.#listeners.add(listener);
          return () => this.#listeners.delete(listener);
        },
      },
      effects: this.#effects(),
    });
    const end = (exit: SimWorker['exit']) =>
      process.deliver(() => {
        this.exit = exit;
        world.note(`worker ${this.name} ended: ${JSON.stringify(exit)}`);
        process.kill();
        this.onGone();
      });
    loop.run().then(end, (error: unknown) => end({ failed: String(error) }));
  }

  get name(): string {
    return `${this.id.slice(0, 4)}@${this.machine.host.name}`;
  }

  #options(): WorkerOptions {
    const { machines, slurm } = this.place;
    const { skewMs } = this.machine.host;
    return {
      directory: this.#world.directory,
      workflowKey: this.#world.workflowKey,
      outputDirectory: '/nowhere',
      capacity: {
        nodeNames: machines.map(({ host }) => host.name),
        numCpus: Math.min(...machines.map(({ size }) => size.numCpus)),
        memoryBytes: slurm?.memoryBytes ?? Math.min(...machines.map(({ size }) => size.memoryBytes)),
        numGpus: 0,
        gpuIds: [],
      },
      maxParallelJobs: null,
      ...this.#world.labelsOfWorker(),
      deadlineMs: slurm === null ? null : slurm.endMs + skewMs,
      walltimeSeconds: slurm === null ? null : slurm.walltimeMs / 1000,
      waitForNewJobsSeconds: null,
      identity: {
        hostname: this.machine.host.name,
        cluster: slurm === null ? null : 'lab',
        slurmJobId: slurm?.jobId ?? null,
        restartCount: slurm?.restartCount ?? 0,
        allocationKey: slurm?.allocationKey ?? null,
      },
    };
  }

  #effects(): WorkerEffects {
    const { process, machine } = this;
    const { random, directory } = this.#world;
    const { stopPath } = workerPaths(directory, this.id);
    const none = { kind: 'absent' } as const;
    return {
      workerId: this.id,
      bootId: machine.host.bootId,
      pid: process.pid,
      startTicks: process.pid,
      workingDirectory: '/nowhere',
      random: random.next,
      dataDirectory: '/nowhere',
      files: {
        look: async () => none,
        hash: async () => null,
        makeRoom: async () => {},
        makeFolder: async () => {},
        readText: async () => ({ text: null, problem: null }),
        hasLink: async () => false,
      },
      values: { ...noValueFiles, take: (attempt) => ({ value: resultOf(attempt) }) },
      credentials: noCredentials,
      logs: { collect: async () => null, remove: async () => {}, tidy: async () => {} },
      spool: this.#spool,
      runCommands: async ({ firing }) => ({ firing, return_codes: [0], output_path: '/nowhere', error: null }),
      isFenced: () =>
        new Promise((resolve) => {
          // the answer is older than its arrival
          const isThere = machine.hasFiles && existsSync(stopPath);
          process.clock.after(random.spread(1, 500), () => resolve(isThere));
        }),
      openRunner: (events) => new SimRunner(events, this.#world, this),
      close: async () => {},
    };
  }

  signal(signal: StopSignal): void {
    this.process.deliver(() => {
      for (const listener of [...this.#listeners]) listener(signal);
    });
  }

  /** SIGKILL: its jobs are left alone. */
  kill(): void {
    if (!this.process.isAlive) return;
    this.#world.note(`worker ${this.name} is killed`);
    this.process.kill();
    this.#spool.tear();
    this.onGone();
  }
}

interface Run {
  job: Assignment;
  process: JobProcess | null;
  startedAtMs: number;
  graceMs: number;
  reason: StopReason | null;
  /** What its process runs out of; null for nothing. */
  shortage: ReturnType<typeof runsOutOf>;
}

/** Starts and stops simulated processes as the real runner does with real ones. */
class SimRunner implements JobRunner {
  readonly #events: RunnerEvents;
  readonly #world: World;
  readonly #worker: SimWorker;
  readonly #runs = new Map<number, Run>();
  #isClosed = false;

  constructor(events: RunnerEvents, world: World, worker: SimWorker) {
    this.#events = events;
    this.#world = world;
    this.#worker = worker;
  }

  start(job: Assignment): void {
    const run: Run = {
      job,
      process: null,
      startedAtMs: 0,
      graceMs: Number.POSITIVE_INFINITY,
      reason: null,
      shortage: null,
    };
    this.#runs.set(job.attempt, run);
    const begunMs = this.#world.timeline.nowMs;
    this.#worker.process.clock.after(this.#world.random.spread(1, 40), () => this.#spawn(run, begunMs));
  }

  #spawn(run: Run, begunMs: number): void {
    const { attempt, job_key: jobKey, job_name: name, num_cpus: numCpus } = run.job;
    const world = this.#world;
    const { process, machine, id } = this.#worker;
    const behaviour = world.workflow.behaviour(name);
    run.shortage = runsOutOf(world.workflow.trueNeeds.get(name), run.job);
    const { runMs } = behaviour;
    const code = run.shortage?.code ?? behaviour.code;
    const exited = (exit: JobExit) => process.deliver(() => this.#onExit(run, exit));
    const what = { attempt, jobKey, workerId: id, machine, numCpus, runMs, code, begunMs };
    run.process = world.machines.launch({ ...what, exited });
    run.startedAtMs = process.clock.monotonic();
    world.note(`job ${name} attempt ${attempt} starts on ${this.#worker.name}`);
    world.dataUses.started(run.job);
    world.children.begin(name, run.process);
    this.#events.started(attempt, run.process.pid, run.startedAtMs);
    if (run.reason !== null) world.machines.stop(run.process, run.graceMs);
  }

  #onExit(run: Run, exit: JobExit): void {
    const { attempt } = run.job;
    const endedAtMs = this.#worker.process.clock.monotonic();
    this.#events.freed(attempt);
    this.#worker.process.clock.after(this.#world.random.spread(1, 30), () => {
      this.#runs.delete(attempt);
      if (this.#isClosed) return;
      const end = classifyEnd({
        exitCode: exit.code,
        signal: exit.signal,
        stopped: run.reason ?? (exit.code === run.shortage?.code ? run.shortage.reason : null),
        isOomVictim: false,
        memoryTakenBy: null,
        peakMemoryBytes: null,
        memoryLimitBytes: null,
        runtimeLimitMs: null,
      });
      const nothing = { peakMemoryBytes: null, averageMemoryBytes: null, cpuMs: null };
      this.#events.ended({ attempt, startedAtMs: run.startedAtMs, endedAtMs, end, ...nothing });
    });
  }

  stop(jobs: readonly { attempt: number; graceMs: number }[], reason: StopReason): void {
    for (const { attempt, graceMs } of jobs) {
      const run = this.#runs.get(attempt);
      if (run === undefined || run.process?.isAlive === false) continue;
      run.reason ??= reason;
      run.graceMs = Math.min(run.graceMs, graceMs);
      if (run.process !== null) this.#world.machines.stop(run.process, graceMs);
    }
  }

  /** Some processes use more memory than their job asked for. */
  takeSamples(): Sample[] {
    return [...this.#runs.values()].flatMap(({ job, process }) => {
      if (process?.isAlive !== true) return [];
      const peakMemoryBytes = Math.round(job.memory_bytes * (job.attempt % 3 === 0 ? 4 : 0.5));
      return [{ attempt: job.attempt, memory_bytes: 0, peak_memory_bytes: peakMemoryBytes, cpu_ms: 0 }];
    });
  }

  close(): void {
    this.#isClosed = true;
  }
}
