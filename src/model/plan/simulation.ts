/**
 * Groups of jobs on planned workers over a simulated clock, with the packing of real claims. What ends on a worker at the
 * same instant is one event, as a worker reports it, and workers on which the same runs are counted as one, so that a million
 * jobs are some thousand events.
 */
import type { Offer } from '../decide/packing.ts';
import { mayTake, type Pool } from '../decide/pools.ts';
import { longestRuntimeMs } from '../decide/time-left.ts';
import type { Claimed } from './claims.ts';
import { claimOfEqual, type Ending, type EqualPart } from './equal-workers.ts';
import { EventQueue } from './events.ts';
import type { JobGroup } from './groups.ts';
import { PresentWorkers } from './present.ts';
import { GroupProgress } from './progress.ts';
import type { ReadyGroup } from './ready-groups.ts';
import { startWorker, type Worker } from './workers.ts';

/** Equal allocations that are asked for together, each with one worker. Durations in milliseconds. */
export interface PlannedWorkers {
  offer: Offer;
  walltimeMs: number;
  count: number;
  pool: Pool;
  /** The group whose first ready job brings them; null: they come at the start. */
  startsWith: number | null;
  /** How long they wait in Slurm's queue. */
  delayMs: number;
  /** So often each is replaced when its time is over while jobs are left for it. */
  replacements: number;
}

/** What the workflow says about its workers. */
export interface WorkerRules {
  bufferMs: number;
  /** How long one without jobs stays. */
  idleMs: number;
}

/** Of all allocations of one `PlannedWorkers`. */
export interface SimulatedWorkers {
  numStarted: number;
  firstStartMs: number | null;
  lastEndMs: number;
  /** Sum over the workers. */
  presentMs: number;
  numJobs: number;
  /** The walltime with which every job would have been started at the same instant. */
  neededMs: number;
}

export interface SimulatedGroup {
  startMs: number | null;
  endMs: number;
  numLeft: number;
}

export interface Simulated {
  /** When the last job ends. */
  endMs: number;
  workers: SimulatedWorkers[];
  groups: SimulatedGroup[];
  /** Sum over jobs and their nodes of CPUs times runtime. */
  cpuMs: number;
}

type Event =
  | { kind: 'comes'; planned: number; count: number; replacementsLeft: number }
  | { kind: 'jobs_end'; worker: Worker }
  | { kind: 'may_leave'; worker: Worker; idleSinceMs: number };

/** Runs until no job can start any more. */
export function simulate(
  groups: readonly JobGroup[],
  planned: readonly PlannedWorkers[],
  rules: WorkerRules,
  present = new PresentWorkers(),
): Simulated {
  return new Simulation(groups, planned, rules, present).run();
}

class Simulation {
  readonly #planned: readonly PlannedWorkers[];
  readonly #rules: WorkerRules;
  /** By kind of worker. */
  readonly #admissions: ((group: ReadyGroup) => boolean)[];
  readonly #events = new EventQueue<Event>();
  readonly #progress: GroupProgress;
  readonly #present: PresentWorkers;
  readonly #result: Simulated;
  readonly #hasCome: boolean[];
  #now = 0;

  constructor(
    groups: readonly JobGroup[],
    planned: readonly PlannedWorkers[],
    rules: WorkerRules,
    present: PresentWorkers,
  ) {
    this.#present = present;
    this.#planned = planned;
    this.#rules = rules;
    this.#admissions = planned.map(({ pool }) => admissionTo(pool));
    this.#progress = new GroupProgress(groups);
    this.#hasCome = planned.map(() => false);
    this.#result = {
      endMs: 0,
      cpuMs: 0,
      workers: planned.map(() => {
        return { numStarted: 0, firstStartMs: null, lastEndMs: 0, presentMs: 0, numJobs: 0, neededMs: 0 };
      }),
      groups: groups.map(() => ({ startMs: null, endMs: 0, numLeft: 0 })),
    };
  }

  run(): Simulated {
    this.#progress.takeReady();
    this.#bring();
    for (let next = this.#events.take(); next !== null; next = this.#events.take()) {
      this.#now = next.at;
      this.#follow(next.event);
    }
    for (const [index, group] of this.#result.groups.entries()) group.numLeft = this.#progress.numLeft(index);
    return this.#result;
  }

  #follow(event: Event): void {
    if (event.kind === 'comes') this.#comes(event);
    else if (event.kind === 'jobs_end') this.#jobsEnd(event.worker);
    else if (event.worker.idleSinceMs === event.idleSinceMs) this.#leaves(event.worker);
  }

  /** Asks for the workers whose time has come. */
  #bring(): void {
    for (let index = 0; index < this.#planned.length; index++) {
      if (this.#hasCome[index] === true) continue;
      const { startsWith, count, delayMs, replacements } = this.#planned[index] as PlannedWorkers;
      if (startsWith !== null && !this.#progress.hasBeenReady(startsWith)) continue;
      this.#hasCome[index] = true;
      const event = { kind: 'comes', planned: index, count, replacementsLeft: replacements } as const;
      if (count > 0) this.#events.add(this.#now + delayMs, event);
    }
  }

  #comes({ planned: index, count, replacementsLeft }: Event & { kind: 'comes' }): void {
    const stats = this.#result.workers[index] as SimulatedWorkers;
    if (this.#progress.isDone()) return;
    stats.numStarted += count;
    stats.firstStartMs ??= this.#now;
    const worker = startWorker(index, this.#planned[index] as PlannedWorkers, this.#now, replacementsLeft, count);
    this.#present.add(worker);
    this.#offer(worker);
    this.#present.noteRoom(worker);
  }

  /** Those that claim something else than the last of them go apart; `endings`: what they end just before. */
  #offer(worker: Worker, endings: readonly Ending[] = [{ count: worker.count, batches: [] }]): void {
    const { free, startMs } = worker;
    const { walltimeMs } = this.#planned[worker.planned] as PlannedWorkers;
    free.timeLeftMs = longestRuntimeMs(startMs + walltimeMs - this.#now, walltimeMs, this.#rules.bufferMs);
    const isAdmitted = this.#admissions[worker.planned] as (group: ReadyGroup) => boolean;
    const parts = claimOfEqual(free, endings, this.#progress, isAdmitted);
    const last = parts.pop() as EqualPart;
    for (const part of parts) {
      const apart = worker.split(part.count, part.free);
      this.#present.add(apart);
      for (const at of apart.endsMs()) this.#events.add(at, { kind: 'jobs_end', worker: apart });
      this.#start(apart, part.claimed);
      this.#present.noteRoom(apart);
    }
    worker.free = last.free;
    this.#start(worker, last.claimed);
    if (!worker.isIdle) {
      worker.idleSinceMs = null;
    } else if (worker.idleSinceMs === null) {
      worker.idleSinceMs = this.#now;
      const at = this.#now + Math.max(1_000, this.#rules.idleMs);
      this.#events.add(at, { kind: 'may_leave', worker, idleSinceMs: this.#now });
    }
  }

  #start(worker: Worker, claimed: readonly Claimed[]): void {
    const stats = this.#result.workers[worker.planned] as SimulatedWorkers;
    for (const each of claimed) {
      const { index, need, runtimeMs } = each.group;
      const numJobs = each.numJobs * worker.count;
      this.#result.cpuMs += numJobs * need.numCpus * need.numNodes * runtimeMs;
      const endMs = this.#now + runtimeMs;
      if (worker.add(each, endMs)) this.#events.add(endMs, { kind: 'jobs_end', worker });
      const told = this.#result.groups[index] as SimulatedGroup;
      told.startMs ??= this.#now;
      told.endMs = Math.max(told.endMs, endMs);
      this.#result.endMs = Math.max(this.#result.endMs, endMs);
      const states = Math.max(need.expectedMs ?? need.runtimeMs, runtimeMs);
      stats.neededMs = Math.max(stats.neededMs, this.#now - worker.startMs + states);
      stats.numJobs += numJobs;
    }
  }

  /** Jobs that end at the same instant on workers that are equal without them. */
  #jobsEnd(first: Worker): void {
    const equal = new Map<string, { worker: Worker; endings: Ending[] }>();
    for (let worker: Worker | null = first; worker !== null; worker = this.#nextEnd()) {
      if (!this.#present.has(worker)) continue;
      const { count } = worker;
      const ending = { count, batches: worker.end(this.#now) };
      const state = worker.state();
      const known = equal.get(state);
      if (known === undefined) equal.set(state, { worker, endings: [ending] });
      else {
        known.worker.count += count;
        known.endings.push(ending);
        this.#present.remove(worker);
      }
    }
    for (const { worker, endings } of equal.values()) {
      this.#offer(worker, endings);
      this.#present.noteRoom(worker);
    }
    const ready = this.#progress.takeReady();
    if (ready.length > 0) {
      this.#bring();
      this.#present.offerTo(ready, (each) => this.#offer(each));
    }
    if (this.#progress.isDone()) for (const each of this.#present.all()) this.#leaves(each);
  }

  /** Takes the next event when it is the end of jobs at this instant. */
  #nextEnd(): Worker | null {
    const next = this.#events.first();
    if (next?.at !== this.#now || next.event.kind !== 'jobs_end') return null;
    this.#events.take();
    return next.event.worker;
  }

  #leaves(worker: Worker): void {
    if (!this.#present.remove(worker)) return;
    const planned = this.#planned[worker.planned] as PlannedWorkers;
    const stats = this.#result.workers[worker.planned] as SimulatedWorkers;
    stats.presentMs += (this.#now - worker.startMs) * worker.count;
    stats.lastEndMs = Math.max(stats.lastEndMs, this.#now);
    if (worker.replacementsLeft === 0 || !this.#progress.hasWorkFor(planned)) return;
    this.#events.add(this.#now + planned.delayMs, {
      kind: 'comes',
      planned: worker.planned,
      count: worker.count,
      replacementsLeft: worker.replacementsLeft - 1,
    });
  }
}

/** Whether a worker of this pool may take jobs of a group, which is decided once. */
function admissionTo(pool: Pool): (group: ReadyGroup) => boolean {
  const known: (boolean | undefined)[] = [];
  return ({ index, belonging }) => {
    const admitted = known[index] ?? mayTake(pool, belonging);
    known[index] = admitted;
    return admitted;
  };
}
