/**
 * Decides which of the jobs that the server gave may start now. The server packs the node itself. It may give short jobs
 * ahead of time, so that the next one starts without a round trip; those wait here until their resources are free. The
 * first of them are queued: the runner starts each by itself in the place of a job that occupied the same.
 */
import type { Assignment } from '../api/contract.ts';
import { CpuSets, type Topology } from './cpu-sets.ts';
import { NamedUnits } from './named-units.ts';
import type { GivenJob } from './processes/job-runner.ts';
import { placeOf } from './processes/launch.ts';

export interface Capacity {
  numCpus: number;
  memoryBytes: number;
  maxParallelJobs: number | null;
  /** Null, or missing, where jobs get no CPUs of their own. */
  topology?: Topology | null;
}

/**
 * The most jobs that may be queued; on a larger node as many as run. With more of them the worker wakes up less often,
 * which costs a job more than its start does.
 */
const mostQueued = 32;

export class Admission {
  readonly #capacity: Capacity;
  readonly #cpuSets: CpuSets | null;
  readonly #units = new NamedUnits();
  readonly #running = new Map<number, GivenJob>();
  /** How many jobs run in places of each name. */
  readonly #places = new Map<string, number>();
  readonly #queued = new Map<number, GivenJob>();
  #waiting: GivenJob[] = [];
  #usedCpus = 0;
  #usedMemoryBytes = 0;
  /** The most jobs at a time that the node can start; null for no limit. */
  mostJobs: number | null = null;

  constructor(capacity: Capacity) {
    this.#capacity = capacity;
    this.#cpuSets = capacity.topology == null ? null : new CpuSets(capacity.topology);
  }

  /** Jobs without room, queued ones included. */
  get numWaiting(): number {
    return this.#queued.size + this.#waiting.length;
  }

  /** Those that are queued, in order. */
  get queued(): Assignment[] {
    return [...this.#queued.values()];
  }

  add(job: Assignment): void {
    this.#waiting.push(job);
  }

  /** Takes the next job in the order given and counts it as running; null when there is none or it does not fit yet. */
  next(): GivenJob | null {
    const [job] = this.#waiting;
    if (job === undefined || this.#queued.size > 0 || !this.#fits(job)) return null;
    this.#waiting.shift();
    this.#occupy(job);
    this.#takeParts(job);
    return job;
  }

  /** The same for queued jobs. */
  nextQueued(): GivenJob | null {
    const [job] = this.#queued.values();
    if (job === undefined || !this.#fits(job)) return null;
    this.#queued.delete(job.attempt);
    this.#occupy(job);
    this.#takeParts(job);
    return job;
  }

  /** Takes the next job and counts it as queued; null when none can be, because it would not get the place of another. */
  nextToQueue(mayQueue: (job: Assignment) => boolean): GivenJob | null {
    const [job] = this.#waiting;
    if (job === undefined || this.mostJobs !== null) return null;
    if (this.#queued.size >= Math.max(mostQueued, this.#running.size)) return null;
    const place = placeOf(job);
    const [first] = this.#queued.values();
    // a job of another size must not overtake it
    if (first !== undefined && placeOf(first) !== place) return null;
    if (!this.#places.has(place) || !mayQueue(job)) return null;
    this.#waiting.shift();
    this.#queued.set(job.attempt, job);
    return job;
  }

  /**
   * A job that was queued has the place of another, with its CPUs, and counts as running; null when it did so before,
   * because there seemed to be other room for it.
   */
  place(attempt: number, before: number): GivenJob | null {
    const queued = this.#queued.get(attempt) ?? null;
    this.#queued.delete(attempt);
    if (queued !== null) this.#occupy(queued);
    const [job, former] = [this.#running.get(attempt), this.#running.get(before)];
    if (job === undefined || former === undefined) return queued;
    this.#giveCpus(job);
    job.cpus = former.cpus;
    former.cpus = undefined;
    return queued;
  }

  #occupy(job: GivenJob): void {
    this.#running.set(job.attempt, job);
    const { numCpus, memoryBytes } = this.#share(job);
    this.#usedCpus += numCpus;
    this.#usedMemoryBytes += memoryBytes;
    this.#countPlace(placeOf(job), 1);
  }

  /** A job of several nodes only starts tasks, perhaps on none of these CPUs. */
  #takeParts(job: GivenJob): void {
    const { node_indices, num_cpus, cpu_placement = 'compact' } = job;
    const cpus = node_indices === undefined ? this.#cpuSets?.take(num_cpus, cpu_placement) : null;
    if (cpus != null) job.cpus = cpus;
    if (job.resources !== undefined && node_indices === undefined) job.units = this.#units.take(job.resources);
  }

  #giveCpus(job: GivenJob): void {
    if (job.cpus !== undefined) this.#cpuSets?.give(job.cpus);
    job.cpus = undefined;
  }

  #countPlace(place: string, change: number): void {
    if (place === '') return;
    const number = (this.#places.get(place) ?? 0) + change;
    if (number > 0) this.#places.set(place, number);
    else this.#places.delete(place);
  }

  /** On an empty node every job fits: the server has checked that. */
  #fits(job: Assignment): boolean {
    if (this.mostJobs !== null && this.#running.size >= this.mostJobs) return false;
    if (this.#running.size === 0) return true;
    const { numCpus, memoryBytes, maxParallelJobs } = this.#capacity;
    const share = this.#share(job);
    return (
      this.#usedCpus + share.numCpus <= numCpus &&
      this.#usedMemoryBytes + share.memoryBytes <= memoryBytes &&
      this.#running.size < (maxParallelJobs ?? Number.POSITIVE_INFINITY)
    );
  }

  /** What a job takes from the worker's own node; a job of several nodes takes all of it or nothing. */
  #share({ node_indices: nodes, num_cpus, memory_bytes }: Assignment): { numCpus: number; memoryBytes: number } {
    if (nodes === undefined) return { numCpus: num_cpus, memoryBytes: memory_bytes };
    return nodes.includes(0) ? this.#capacity : { numCpus: 0, memoryBytes: 0 };
  }

  /** A job no longer occupies anything and is not queued; calling this twice is harmless. */
  release(attempt: number): void {
    this.#queued.delete(attempt);
    const job = this.#running.get(attempt);
    if (job === undefined) return;
    this.#running.delete(attempt);
    this.#countPlace(placeOf(job), -1);
    const { numCpus, memoryBytes } = this.#share(job);
    this.#usedCpus -= numCpus;
    this.#usedMemoryBytes -= memoryBytes;
    this.#giveCpus(job);
    if (job.units !== undefined) this.#units.give(job.units);
  }

  /** Removes a waiting job that is not queued; false when it is not there. */
  withdraw(attempt: number): boolean {
    const before = this.#waiting.length;
    this.#waiting = this.#waiting.filter((job) => job.attempt !== attempt);
    return this.#waiting.length < before;
  }

  /** Removes all waiting jobs that are not queued and returns them. */
  withdrawAll(): Assignment[] {
    return this.#waiting.splice(0);
  }
}
