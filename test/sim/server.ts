/**
 * The server process: the real service, reconciler and timekeeper, which dies at named points and whose disk fills up.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readSpool } from '../../src/api/spool.ts';
import { workerPaths } from '../../src/base/paths.ts';
import { ActionRunner } from '../../src/server/actions/action-runner.ts';
import { Autoscaler } from '../../src/server/actions/autoscaler.ts';
import { MessageSender } from '../../src/server/actions/message-sender.ts';
import { Recoverer } from '../../src/server/actions/recoverer.ts';
import { ScheduleRunner } from '../../src/server/actions/schedule-runner.ts';
import { systemMachine } from '../../src/server/evidence/machine.ts';
import { Reconciler } from '../../src/server/evidence/reconcile.ts';
import { openService } from '../../src/server/open.ts';
import type { Service } from '../../src/server/service.ts';
import { Timekeeper } from '../../src/server/time/timekeeper.ts';
import { type Database, replaceByCopy } from '../../src/storage/database/database.ts';
import { Process } from './clock.ts';
import type { World } from './world.ts';

/** Where a server dies or its disk is full: at the n-th statement of a transaction, around its COMMIT, at a reply. */
export type Fault =
  | { kind: 'crash' | 'full'; at: 'statement' | 'before_commit' }
  | { kind: 'crash'; at: 'after_commit' | 'reply' };

class Crashed extends Error {}

export class SimServer {
  readonly process: Process;
  readonly #world: World;
  #service: Service | null = null;
  #reconciler: Reconciler | null = null;
  #timekeeper: Timekeeper | null = null;
  #schedules: ScheduleRunner | null = null;
  #messages: MessageSender | null = null;
  #autoscaler: Autoscaler | null = null;
  #recoverer: Recoverer | null = null;
  #actions: ActionRunner | null = null;
  /** Strikes after `countdown` statements or replies. */
  #armed: { fault: Fault; countdown: number } | null = null;
  #rawRun: Database['run'] | null = null;
  #close: () => void = () => {};
  /** Another server has taken over the directory: this one must no longer answer or touch any file. */
  isSuperseded = false;
  /** Its timekeeper has ended; what falls due is the next server's. */
  isStopping = false;

  private constructor(world: World) {
    this.#world = world;
    this.process = new Process(world.timeline, world.login.host, world.machines.nextPid());
  }

  /** Null when it died while starting. */
  static async start(world: World): Promise<SimServer | null> {
    const server = new SimServer(world);
    world.servers.push(server);
    const service = await openService(world.directory, server.process.clock, 'simulation');
    if (!server.process.isAlive) {
      // its host went down meanwhile: what it had opened is as a killed process leaves it
      rmSync(join(world.directory, 'holder.json'), { force: true });
      service.db.close();
      return null;
    }
    server.#service = service;
    void service.lost.then(() => server.#crash('server has lost the directory and ends'));
    service.random = world.random.next;
    service.leaseMs = world.leaseMs;
    service.machine = { ...systemMachine(world.directory), ...server.#machine() };
    const { writeStopFile } = service.machine;
    service.machine.writeStopFile = (workerId) => {
      const lives = [...world.machines.living].some((job) => job.workerId === workerId);
      world.check.note(`stop file for ${lives ? 'running jobs' : 'nothing'}`);
      world.note(`server: stop file for ${workerId.slice(0, 4)}`);
      writeStopFile(workerId);
    };
    server.#watch(service.db);
    world.check.opened(service.db);
    service.subscribe((facts) => world.check.told(facts));
    service.subscribe((facts) => {
      const strike = facts.some(({ kind }) => kind === 'schedule_due') ? world.scheduleCheck.fault() : null;
      if (strike !== null) server.arm(strike.fault, strike.countdown);
    });
    try {
      service.beginEpoch();
    } catch {
      return null;
    }
    // loads what a service loads on demand, which takes real time
    await service.call('server_info', {});
    await Promise.all([import('../../src/model/decide/instants.ts'), import('../../src/model/expand/scheduled.ts')]);
    server.#reconciler = new Reconciler(service);
    server.#reconciler.start();
    server.#timekeeper = new Timekeeper(service);
    server.#timekeeper.start();
    server.#schedules = new ScheduleRunner(service);
    server.#schedules.start();
    server.#autoscaler = new Autoscaler(service);
    server.#autoscaler.start();
    server.#recoverer = new Recoverer(service);
    server.#recoverer.start();
    server.#actions = new ActionRunner(service);
    server.#actions.start();
    if (world.receiver.rules.length > 0) {
      const { receiver } = world;
      server.#messages = new MessageSender(service, (_, message, ended) => receiver.deliver(server, message, ended));
      server.#messages.start();
    }
    world.network.listener = {
      process: server.process,
      call: (endpoint, request, options) => service.call(endpoint, request as never, options),
      replying: () => server.#strike('reply'),
    };
    return server;
  }

  get service(): Service {
    if (this.#service === null) throw new Error('no service');
    return this.#service;
  }

  #machine() {
    const world = this.#world;
    const { host } = world.login;
    return {
      slurm: world.slurm.commands(this.process),
      hostname: host.name,
      bootId: host.bootId,
      isProcessAlive: (pid: number) =>
        world.workers.some((worker) => worker.process.pid === pid && worker.process.isAlive),
      processesOf: (workerId: string) =>
        [...world.login.processes].filter((job) => job.workerId === workerId).map(({ pid }) => pid),
      signal: (pids: readonly number[], signal: string) => {
        for (const job of [...world.login.processes].filter(({ pid }) => pids.includes(pid))) {
          world.machines.stop(job, signal === 'SIGKILL' ? 0 : 3_600_000);
        }
      },
      slurmOutput: () => null,
      readSpool: (workerId: string) => readSpool(workerPaths(world.directory, workerId).spoolPath),
      hasStopFile: (workerId: string) => existsSync(workerPaths(world.directory, workerId).stopPath),
      userName: () => null,
    };
  }

  // ---------------------------------------------------------------- its database

  #watch(db: Database): void {
    const statement = db.statement.bind(db);
    const run = db.run.bind(db);
    this.#rawRun = run;
    this.#close = db.close.bind(db);
    db.statement = (sql) => {
      if (!this.process.isAlive) throw new Crashed('the server is dead');
      if (db.isInTransaction && /^\s*(INSERT|UPDATE|DELETE)/.test(sql)) this.#strike('statement');
      return statement(sql);
    };
    db.run = (sql, ...values) => {
      if (sql !== 'COMMIT') return run(sql, ...values);
      this.#strike('before_commit');
      const result = run(sql);
      this.#world.check.committed();
      if (!this.isSuperseded) {
        this.#world.scalingCheck.committed(db);
        this.#world.recoveryCheck.committed(db);
      }
      this.#strike('after_commit');
      return result;
    };
  }

  arm(fault: Fault, countdown: number): void {
    this.#armed = { fault, countdown };
  }

  #strike(point: Fault['at']): void {
    if (this.#armed?.fault.at !== point || !this.process.isAlive) return;
    this.#armed.countdown -= 1;
    if (this.#armed.countdown >= 0) return;
    const { fault } = this.#armed;
    this.#armed = null;
    this.#world.note(`server: ${fault.kind} at ${fault.at}`);
    if (fault.kind === 'full') {
      // SQLite rolls back the whole transaction by itself
      this.#rawRun?.('ROLLBACK');
      throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
    }
    this.crash();
    throw new Crashed('the server dies');
  }

  /** The process is gone at once; what it had not committed is rolled back. */
  crash(): void {
    this.#crash('server dies');
  }

  #crash(words: string): void {
    if (!this.process.isAlive) return;
    this.#world.note(words);
    this.process.kill();
    this.#reconciler?.close();
    this.#timekeeper?.close();
    void this.#schedules?.close();
    void this.#messages?.close();
    void this.#autoscaler?.close();
    void this.#recoverer?.close();
    void this.#actions?.close();
    this.#world.serverGone(this, () => {
      if (!this.isSuperseded) {
        // the copy is what a killed process leaves; SQLite would write the log into the database and remove it
        replaceByCopy(join(this.#world.directory, 'torc.db'));
        // the next owner would see that this process is dead if it were a real one
        rmSync(join(this.#world.directory, 'holder.json'), { force: true });
      }
      this.#close();
    });
  }

  /** An orderly end, which waits for what is under way, such as an answer of Slurm. */
  async stop(): Promise<void> {
    this.isStopping = true;
    this.#reconciler?.close();
    this.#timekeeper?.close();
    await this.#schedules?.close();
    await this.#messages?.close();
    await this.#autoscaler?.close();
    await this.#recoverer?.close();
    await this.#actions?.close();
    await this.service.close();
    if (!this.process.isAlive) return;
    this.process.kill();
    this.#world.serverGone(this, () => {});
  }
}
