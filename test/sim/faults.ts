/** Faults: each world has some of the kinds, at random moments, until it is healed. */
import type { Machine } from './machines.ts';
import { soundNetwork } from './network.ts';
import type { Person } from './person.ts';
import type { Fault } from './server.ts';
import type { World } from './world.ts';

type Kind = () => void;

export class Faults {
  readonly #world: World;
  readonly #person: Person;
  readonly #kinds: Kind[];
  readonly #shortestPauseMs: number;
  readonly #pauseMs: number;
  readonly #isImpatient: boolean;
  #isOver = false;

  constructor(world: World, person: Person) {
    this.#world = world;
    this.#person = person;
    const { random } = world;
    const share = random.pick([0.1, 0.2, 0.4]);
    const { isAboutIsolation } = world;
    this.#isImpatient = isAboutIsolation || random.chance(0.4);
    [this.#shortestPauseMs, this.#pauseMs] = isAboutIsolation
      ? [30_000, 200_000]
      : [100, random.spread(3_000, 120_000)];
    this.#kinds = isAboutIsolation ? [this.#isolateOne] : this.#allKinds().filter(() => random.chance(share));
    const rate = (most: number): number => (random.chance(0.5) ? 0 : most * random.next());
    const usualMs = random.pick([20, 20, 20, 2_000]);
    world.network.faults = { loss: rate(0.15), doubling: rate(0.15), slowness: rate(0.3), usualMs };
    world.slurm.faults = { failure: rate(0.3), lateness: rate(0.3), garbling: rate(0.3), missing: rate(0.8) };
    world.slurm.hasAccounting = random.chance(0.8);
    world.slurm.accountingLagMs = random.pick([0, 5_000, 90_000]);
    world.serverReturnsMs = () => random.spread(100, 60_000);
  }

  begin(): void {
    if (this.#kinds.length > 0) this.#plan();
    if (this.#isImpatient) this.#restartImpatiently();
  }

  /** Some people type restart again and again until it works. */
  #restartImpatiently(): void {
    const { timeline, random } = this.#world;
    timeline.after(random.spread(5_000, 60_000), () => {
      if (this.#isOver) return;
      void this.#person.restart({ keepRunning: random.chance(0.7) });
      this.#restartImpatiently();
    });
  }

  #plan(): void {
    const { timeline, random } = this.#world;
    timeline.after(random.spread(this.#shortestPauseMs, this.#pauseMs), () => {
      if (this.#isOver) return;
      random.pick(this.#kinds)();
      this.#plan();
    });
  }

  #allKinds(): Kind[] {
    const world = this.#world;
    const { random } = world;
    const person = this.#person;
    return [
      () => world.server?.crash(),
      () => this.#armServer(),
      () => this.#armServer(),
      () => void world.server?.stop(),
      () => this.#freezeServer(),
      () => this.#startRival(),
      () => random.pick(world.workers)?.kill(),
      () => this.#freezeWorker(),
      () => this.#crashMachine(random.pick([...world.nodes, world.login])),
      () => this.#freezeMachine(random.pick(world.nodes)),
      this.#isolateOne,
      this.#isolateOne,
      () => this.#cut(random.pick([...world.nodes, world.login])),
      () => this.#loseFiles(random.pick(world.nodes)),
      () => this.#jump(random.pick([...world.nodes, world.login, world.login])),
      () => this.#endAllocation('PREEMPTED', true),
      () => this.#endAllocation('PREEMPTED', true),
      () => this.#endAllocation('CANCELLED', false),
      () => this.#runOutOfMemory(),
      () => void person.schedule(random.spread(60_000, 1_800_000), random.chance(0.3)),
      () => person.startLocalWorker(),
      () => void person.restart({ keepRunning: random.chance(0.7) }),
      () => void person.restart({ force: person.knowsThatAllIsDead() }),
      () => void person.resume({ keepRunning: random.chance(0.7) }),
      () => void person.resetFailed(),
      () => void person.diagnose(),
      () => void person.markDone(),
      () => void person.copy(random.chance(0.5) ? 'clone' : 'rerun'),
      () => void person.cancel(),
      () => void person.stopRunning(),
      () => void person.cancelJob(),
      () => void person.pause(random.chance(0.5)),
      () => void person.changeLimits(),
      ...(world.workflow.concurrency === null
        ? []
        : [() => person.changeConcurrency(), () => person.changeConcurrency()]),
      () => void person.hold(random.chance(0.6), random.int(1, 3)),
      ...(world.workflow.uses.size > 0 ? [() => void person.resetOne(), () => void person.resetOne()] : []),
      ...(world.workflow.hasLabels ? [() => void person.changeLabels(), () => void person.changeLabels()] : []),
    ];
  }

  /** Undoes a fault, unless everything has been healed already. */
  #later(shortestMs: number, longestMs: number, undo: () => void): void {
    const { timeline, random } = this.#world;
    const delayMs = random.chance(0.5) ? random.spread(shortestMs, longestMs) : random.int(shortestMs, longestMs);
    timeline.after(delayMs, () => {
      if (!this.#isOver) undo();
    });
  }

  #armServer(): void {
    const { server, random } = this.#world;
    const faults: Fault[] = [
      { kind: 'crash', at: 'statement' },
      { kind: 'crash', at: 'before_commit' },
      { kind: 'crash', at: 'after_commit' },
      { kind: 'crash', at: 'reply' },
      { kind: 'full', at: 'statement' },
      { kind: 'full', at: 'before_commit' },
    ];
    const fault = random.pick(faults);
    server?.arm(fault, fault.at === 'statement' ? random.int(0, 30) : random.int(0, 4));
  }

  #freezeServer(): void {
    const { server } = this.#world;
    if (server === null) return;
    this.#world.note('server is frozen');
    server.process.freeze();
    this.#later(2_000, 200_000, () => server.process.thaw());
  }

  /** The first server continues, or stands still for a while, or is stopped before it notices. */
  #startRival(): void {
    const { server: old, timeline, random } = this.#world;
    if (old === null) return;
    if (random.chance(0.4)) this.#freezeServer();
    this.#world.startRival();
    if (random.chance(0.3)) timeline.after(random.spread(1, 5_000), () => old.process.deliver(() => void old.stop()));
  }

  #freezeWorker(): void {
    const { workers, random } = this.#world;
    const alive = workers.filter(({ process }) => process.isAlive);
    if (alive.length === 0) return;
    const worker = random.pick(alive);
    this.#world.note(`worker ${worker.name} is frozen`);
    worker.process.freeze();
    // it cannot read that it must stop
    worker.machine.lastUnreadableMs = Number.POSITIVE_INFINITY;
    this.#later(500, 200_000, () => this.#thaw(worker.machine));
  }

  #crashMachine(machine: Machine): void {
    const world = this.#world;
    if (!machine.isUp) return;
    world.note(`${machine.host.name} crashes`);
    machine.isUp = false;
    if (machine === world.login) for (const server of world.servers) server.crash();
    for (const worker of world.workers) if (worker.machine === machine) worker.kill();
    world.machines.killAll(machine, () => true);
    if (machine !== world.login) world.slurm.noticeSilence(machine);
    this.#later(10_000, 300_000, () => this.#boot(machine));
  }

  #boot(machine: Machine): void {
    const world = this.#world;
    if (machine.isUp) return;
    world.note(`${machine.host.name} is up again`);
    machine.isUp = true;
    machine.host.bootId = world.random.hex(8);
    if (machine === world.login) void world.startServer();
    else world.slurm.noticeReturn(machine);
  }

  #freezeMachine(machine: Machine): void {
    const world = this.#world;
    world.note(`${machine.host.name} is frozen`);
    machine.isFrozen = true;
    for (const worker of world.workers) if (worker.machine === machine) worker.process.freeze();
    world.slurm.noticeSilence(machine);
    this.#later(5_000, 300_000, () => this.#thaw(machine));
  }

  #thaw(machine: Machine): void {
    const world = this.#world;
    machine.isFrozen = false;
    machine.lastUnreadableMs = world.timeline.nowMs;
    machine.lastThawedMs = world.timeline.nowMs;
    for (const worker of world.workers) if (worker.machine === machine) worker.process.thaw();
    world.note(`${machine.host.name} continues`);
    world.slurm.noticeReturn(machine);
  }

  readonly #isolateOne = (): void => {
    const { random, nodes } = this.#world;
    const busy = nodes.filter(({ processes }) => processes.size > 0);
    this.#isolate(random.pick(busy.length > 0 ? busy : nodes), random.chance(0.2));
  };

  /** Neither the server nor Slurm reaches the machine; with `alsoFiles` it cannot read the server directory either. */
  #isolate(machine: Machine, alsoFiles: boolean): void {
    const world = this.#world;
    world.note(`${machine.host.name} is cut off${alsoFiles ? ', also from the files' : ''}`);
    machine.isOnline = false;
    world.network.deafHosts.add(machine.host.name);
    world.network.muteHosts.add(machine.host.name);
    if (alsoFiles) machine.hasFiles = false;
    world.slurm.noticeSilence(machine);
    this.#later(30_000, 600_000, () => this.#reconnect(machine));
  }

  /** Only between workers and the server, and possibly in one direction only. */
  #cut(machine: Machine): void {
    const { network, random } = this.#world;
    const way = random.pick(['to', 'from', 'both']);
    this.#world.note(`${machine.host.name} loses the server (${way})`);
    if (way !== 'from') network.muteHosts.add(machine.host.name);
    if (way !== 'to') network.deafHosts.add(machine.host.name);
    this.#later(1_000, 200_000, () => this.#reconnect(machine));
  }

  #loseFiles(machine: Machine): void {
    this.#world.note(`${machine.host.name} loses its files`);
    machine.hasFiles = false;
    this.#later(1_000, 200_000, () => this.#reconnect(machine));
  }

  #reconnect(machine: Machine): void {
    const world = this.#world;
    const wasOffline = !machine.isOnline;
    world.note(`${machine.host.name} is connected again`);
    world.network.deafHosts.delete(machine.host.name);
    world.network.muteHosts.delete(machine.host.name);
    if (!machine.hasFiles) {
      machine.lastUnreadableMs = world.timeline.nowMs;
      machine.lastWithoutFilesMs = world.timeline.nowMs;
    }
    machine.hasFiles = true;
    machine.isOnline = true;
    if (wasOffline) world.slurm.noticeReturn(machine);
  }

  #jump(machine: Machine): void {
    const { random } = this.#world;
    const byMs = random.pick([1, -1]) * random.spread(100, 7_200_000);
    this.#world.note(`the clock of ${machine.host.name} jumps by ${byMs / 1000} s`);
    machine.host.skewMs += byMs;
  }

  #endAllocation(state: string, isRequeued: boolean): void {
    const { slurm, random } = this.#world;
    const running = slurm.running;
    if (running.length > 0) slurm.end(random.pick(running), state, isRequeued);
  }

  #runOutOfMemory(): void {
    const { slurm, random } = this.#world;
    const running = slurm.running;
    if (running.length > 0) slurm.runOutOfMemory(random.pick(running));
  }

  /** Repairs everything; from here on nothing goes wrong. */
  heal(): void {
    const world = this.#world;
    this.#isOver = true;
    world.note('everything is healed');
    world.network.faults = soundNetwork;
    world.receiver.isReliable = true;
    world.slurm.faults = { failure: 0, lateness: 0, garbling: 0, missing: 0 };
    world.serverReturnsMs = () => 1_000;
    for (const machine of [world.login, ...world.nodes]) {
      this.#boot(machine);
      if (machine.isFrozen) this.#thaw(machine);
      this.#reconnect(machine);
      if (machine !== world.login) world.slurm.noticeReturn(machine);
    }
    for (const worker of world.workers) worker.process.thaw();
    for (const server of world.servers) server.process.thaw();
    // one that has just died leaves the directory first
    world.timeline.after(10, () => void world.startServer());
  }
}
