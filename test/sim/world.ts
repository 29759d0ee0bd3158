/** A simulated world: a login host with the server, nodes behind a Slurm, workers, one workflow, one timeline. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Service } from '../../src/server/service.ts';
import { Database, replaceByCopy } from '../../src/storage/database/database.ts';
import { createWorkflow } from '../support/service.ts';
import { AllocationCheck } from './allocation-check.ts';
import { Check } from './check.ts';
import { Children, countAdded } from './children.ts';
import { Timeline } from './clock.ts';
import { DataUses } from './data-uses.ts';
import { HoldCheck } from './hold-check.ts';
import { Machine, Machines } from './machines.ts';
import { Network } from './network.ts';
import { Random } from './random.ts';
import { Receiver } from './receiver.ts';
import { RecoveryCheck, randomRecovery, withFewerRetries } from './recoveries.ts';
import { randomScaling, ScalingCheck, siteOf } from './scaling.ts';
import { ScheduleCheck, schedulesOf } from './schedules.ts';
import { SimServer } from './server.ts';
import { Slurm } from './slurm.ts';
import { SimWorker, type WorkerPlace } from './worker.ts';
import { labelSets, SimWorkflow } from './workflow.ts';

/** Events that happen within this time may be met by the server together. */
const togetherMs = 3;
/** Time in which what schedules have left to do is done. */
const settledMs = 110_000;
/** How long a server may continue after another one has replaced it. */
const supersededMs = 5_000;

let empty: Buffer | null = null;

/** The bytes of a new database: creating its tables again would take longer than many simulations. */
function emptyDatabase(directory: string): Buffer {
  if (empty !== null) return empty;
  const path = join(directory, 'empty.db');
  Database.open(path).close();
  empty = readFileSync(path);
  return empty;
}

export class World {
  readonly directory: string;
  readonly random: Random;
  readonly timeline = new Timeline();
  readonly network: Network;
  readonly machines: Machines;
  readonly login: Machine;
  readonly nodes: Machine[];
  readonly slurm: Slurm;
  readonly workers: SimWorker[] = [];
  readonly workflow: SimWorkflow;
  readonly check: Check;
  readonly children = new Children(this);
  readonly dataUses: DataUses;
  readonly holdCheck: HoldCheck;
  readonly allocationCheck: AllocationCheck;
  readonly scalingCheck: ScalingCheck;
  readonly recoveryCheck: RecoveryCheck;
  readonly scheduleCheck: ScheduleCheck;
  readonly receiver: Receiver;
  readonly leaseMs: number;
  /** Long jobs on several nodes that are cut off while they run; nothing else goes wrong. */
  readonly isAboutIsolation: boolean;
  readonly trace: string[] = [];
  /** From now on workers take jobs of any labels. */
  arePoolsOpen = false;
  workflowKey = '';
  server: SimServer | null = null;
  /** All workers, also those that have ended. */
  readonly servers: SimServer[] = [];
  /** When a server that died is started again; null when it is not. */
  serverReturnsMs: (() => number) | null = null;
  numSteps = 0;
  /** Real time passes after each step, so that what takes some comes earlier: a history may not depend on it. */
  isSlow = false;
  /** FNV-1a hash of all notes and of when steps happened. */
  hash = 0x811c9dc5;
  readonly #togetherness: number;
  readonly #schedules: ReturnType<typeof schedulesOf>;
  readonly #scaling: ReturnType<typeof randomScaling>;
  readonly #recovery: ReturnType<typeof randomRecovery>;
  #starting: Promise<void> | null = null;

  constructor(seed: number, directory: string) {
    this.directory = directory;
    const random = new Random(seed);
    this.random = random;
    this.network = new Network(this.timeline, random);
    this.machines = new Machines(this.timeline, random);
    this.check = new Check(this.machines);
    this.network.onBug = (words) => this.check.broken.push(`a bug: ${words}`);
    this.login = new Machine('login', random.hex(8));
    this.scheduleCheck = new ScheduleCheck(seed, this.check);
    this.#schedules = schedulesOf(seed);
    this.receiver = new Receiver(seed, this.check);
    this.holdCheck = new HoldCheck(this.timeline, this.login.host, this.check);
    this.isAboutIsolation = random.chance(0.2);
    const numNodes = random.int(this.isAboutIsolation ? 2 : 1, 4);
    this.workflow = new SimWorkflow(random, this.isAboutIsolation, new Random(seed ^ 0xda7a));
    this.check.trueNeeds = this.workflow.trueNeeds;
    this.dataUses = new DataUses(this.workflow.uses, this.machines, this.check);
    this.#scaling = randomScaling(seed, this.workflow, directory);
    const names = Array.from({ length: Math.max(numNodes, this.workflow.widest) }, (_, n) => `node${n + 1}`);
    const usual = names.map((name) => new Machine(name, random.hex(8)));
    const { smaller } = this.#scaling;
    const small = Array.from({ length: smaller?.numNodes ?? 0 }, (_, n) => `small${n + 1}`);
    // Slurm prefers them
    this.nodes = [...small.map((name) => new Machine(name, random.hex(8), smaller?.size)), ...usual];
    this.slurm = new Slurm(this);
    this.allocationCheck = new AllocationCheck(this.slurm, this.check);
    this.slurm.refusedForMs = this.#scaling.refusedForMs;
    this.scalingCheck = new ScalingCheck(this.#scaling, this.slurm, this.check);
    this.#recovery = randomRecovery(seed);
    this.recoveryCheck = new RecoveryCheck(this.#recovery, this.check);
    this.leaseMs = random.pick([20_000, 20_000, 60_000, 120_000]);
    this.#togetherness = random.pick([0, 0.5, 0.9]);
  }

  note(words: string): void {
    const line = `${(this.timeline.nowMs / 1000).toFixed(3).padStart(9)} s  ${words}`;
    this.trace.push(line);
    for (let at = 0; at < line.length; at++) this.#mix(line.charCodeAt(at));
  }

  #mix(value: number): void {
    this.hash = Math.imul(this.hash ^ value, 0x01000193) >>> 0;
  }

  get service(): Service | null {
    return this.server?.process.isAlive === true ? this.server.service : null;
  }

  /** The first server, and the workflow that is already there. */
  async begin(): Promise<void> {
    writeFileSync(join(this.directory, 'torc.db'), emptyDatabase(this.directory), { mode: 0o600 });
    await this.startServer();
    const service = this.service;
    if (service === null) throw new Error('no server');
    const { jobs, edges, numBarriers, failureHandlers, maxLosses, limits, concurrency } = this.workflow;
    const { labels = [], alsoUnlabelled: also_unlabelled = false } = this.labelsOfWorker();
    const { rules: notifications } = this.receiver;
    const options = {
      numBarriers,
      failureHandlers: withFewerRetries(failureHandlers, this.#recovery),
      notifications,
      slurmConfigs: [{ name: 'c', labels, also_unlabelled }],
    };
    const { actionAllocations: allocations, actionJob } = this.#scaling;
    if (allocations !== null) {
      const trigger = actionJob === null ? 'on_workflow_start' : 'on_jobs_ready';
      const jobs = actionJob === null ? [] : [actionJob];
      Object.assign(options, { actions: [{ trigger, jobs, scheduler: 'c', allocations }], directory: this.directory });
    }
    if (concurrency !== null) {
      const { licence = 0, own = 0 } = concurrency.limits;
      await service.call('limit_set', { name: 'licence', workflow_key: null, maximum: licence });
      Object.assign(options, { limits: { own }, maxConcurrentJobs: concurrency.max_concurrent_jobs ?? undefined });
    }
    this.workflowKey = await createWorkflow(service, jobs, edges, options);
    // not one more than there are to add: a call that is repeated counts once
    const { leavesLost } = this.#recovery;
    const changes = {
      max_losses: leavesLost ? 0 : maxLosses,
      ...limits,
      max_dynamic_jobs: countAdded(this.workflow.adding),
    };
    await service.call('workflow_modify', { workflow_key: this.workflowKey, changes });
    const { settings: recovery } = this.#recovery;
    if (recovery !== null)
      await service.call('workflow_modify', { workflow_key: this.workflowKey, changes: { recovery } });
    const { settings, longestSeconds, smaller } = this.#scaling;
    const sizes = this.nodes.map(({ size }) => size);
    if (longestSeconds !== null || smaller !== null)
      await service.call('site_put', { site: siteOf(longestSeconds, sizes) });
    if (settings !== null)
      await service.call('workflow_autoscale', { workflow_key: this.workflowKey, dry_run: false, settings });
    for (const schedule of this.#schedules) {
      const { instants } = await service.call('schedule_add', schedule);
      this.scheduleCheck.added(schedule.name, instants[0]);
    }
    this.check.look();
  }

  /** What a worker, or the workers of a Slurm config, are given. */
  labelsOfWorker(): { labels?: string[]; alsoUnlabelled?: boolean } {
    const { random, workflow } = this;
    if (!workflow.hasLabels) return {};
    if (this.arePoolsOpen) return { labels: ['a', 'b'], alsoUnlabelled: true };
    return { labels: random.pick([[], ...labelSets]), alsoUnlabelled: random.chance(0.3) };
  }

  /** Ends the schedules, once nothing goes wrong any more. */
  async endSchedules(): Promise<void> {
    this.scheduleCheck.isDangerous = false;
    if (this.#schedules.length === 0) return;
    await this.run(settledMs);
    // what was to strike before has just struck
    await this.run(settledMs, () => this.service !== null);
    const { service } = this;
    if (service === null || this.check.broken.length > 0) return;
    this.scheduleCheck.count(service.db);
    for (const { name } of this.#schedules) await service.call('schedule_delete', { name });
  }

  // ---------------------------------------------------------------- processes

  addWorker(place: WorkerPlace, ended: () => void = () => {}): SimWorker {
    const worker = new SimWorker(this, place);
    this.workers.push(worker);
    this.note(`worker ${worker.name} starts`);
    worker.onGone = ended;
    worker.start();
    return worker;
  }

  startServer(): Promise<void> {
    if (this.server !== null || !this.login.isUp) return Promise.resolve();
    this.#starting ??= SimServer.start(this)
      .then((server) => {
        this.server = server;
        this.note(server === null ? 'server dies while starting' : `server starts, epoch ${server.service.epoch}`);
      })
      .finally(() => {
        this.#starting = null;
      });
    return this.#starting;
  }

  /**
   * Another server takes over the directory while the first one continues or stands still, as on a file system without
   * locks and exclusive create, or from another host. The second one works on a copy of the database from now on.
   */
  startRival(): void {
    const old = this.server;
    if (old === null || this.#starting !== null) return;
    this.note('a second server takes over the directory');
    this.check.note('second servers');
    old.isSuperseded = true;
    this.#expectEnd(old);
    this.server = null;
    rmSync(join(this.directory, 'holder.json'), { force: true });
    replaceByCopy(join(this.directory, 'torc.db'));
    void this.startServer();
  }

  /** It checks every two seconds; one that stands still does so when it continues. */
  #expectEnd(old: SimServer): void {
    const wasFrozen = old.process.isFrozen;
    this.timeline.after(supersededMs, () => {
      if (!old.process.isAlive) return;
      if (wasFrozen || old.process.isFrozen) this.#expectEnd(old);
      else this.check.broken.push('a server continues although another one has replaced it');
    });
  }

  /** Called by a server that is gone; the files that it leaves are handled outside of its own calls. */
  serverGone(server: SimServer, tidy: () => void): void {
    this.timeline.after(1, tidy);
    if (server.isSuperseded) return;
    this.server = null;
    this.network.listener = null;
    this.check.closed();
    const returnsMs = this.serverReturnsMs?.();
    if (returnsMs !== undefined) this.timeline.after(10 + returnsMs, () => void this.startServer());
  }

  // ---------------------------------------------------------------- time

  /** Runs for this long, or until a rule is broken or `isOver` says so. */
  async run(forMs: number, isOver: () => boolean = () => false): Promise<void> {
    const untilMs = this.timeline.nowMs + forMs;
    while (this.timeline.nextMs <= untilMs) {
      this.timeline.step();
      this.numSteps += 1;
      this.#mix(this.timeline.nowMs);
      const isCrowded = this.timeline.nextMs - this.timeline.nowMs <= togetherMs;
      if (isCrowded && this.random.chance(this.#togetherness)) continue;
      await this.#settle();
      this.check.look();
      this.holdCheck.look(this.server);
      this.allocationCheck.look(this.service);
      this.scalingCheck.look();
      this.scheduleCheck.look(this.server, this.timeline.nowMs);
      if (this.check.broken.length > 0 || isOver()) return;
    }
    this.timeline.nowMs = untilMs;
  }

  /** Waits until everything that was started has gone as far as it can without time passing. */
  async #settle(): Promise<void> {
    if (this.isSlow) await new Promise((resolve) => setTimeout(resolve, 1));
    // what this turn starts is served in the next one
    for (let quietTurns = 0; quietTurns < 2; ) {
      const { numCommits } = this.check;
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#starting !== null) await this.#starting;
      const isQuiet = numCommits === this.check.numCommits && !isReadingOrWriting();
      quietTurns = isQuiet ? quietTurns + 1 : 0;
    }
  }
}

/** Whether this process waits for a file: the file system is real, and how long it takes may not decide what happens next. */
function isReadingOrWriting(): boolean {
  return process.getActiveResourcesInfo().some((what) => what.startsWith('FSReq') || what === 'CloseReq');
}
