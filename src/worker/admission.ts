/**
 * Decides which of the jobs that the server gave may start now. The server packs the node itself. It may give short jobs
 * ahead of time, so that the next one starts without a round trip; those wait here until their resources are free.
 */
import type { Assignment } from '../api/contract.ts';
import { CpuSets, type Topology } from './cpu-sets.ts';
import type { GivenJob } from './processes/job-runner.ts';

export interface Capacity {
  numCpus: number;
  memoryBytes: number;
  maxParallelJobs: number | null;
  /** Null, or missing, where jobs get no CPUs of their own. */
  topology?: Topology | null;
}

export class Admission {
  readonly #capacity: Capacity;
  readonly #cpuSets: CpuSets | null;
  readonly #running = new Map<number, GivenJob>();
  #waiting: GivenJob[] = [];
  #usedCpus = 0;
  #usedMemoryBytes = 0;
  /** The most jobs at a time that the node can start; null for no limit. */
  mostJobs: number | null = null;

  constructor(capacity: Capacity) {
    this.#capacity = capacity;
    this.#cpuSets = capacity.topology == null ? null : new CpuSets(capacity.topology);
  }

  get numWaiting(): number {
    return this.#waiting.length;
  }

  add(job: Assignment): void {
    this.#waiting.push(job);
  }

  /** Takes the next job in the order given and counts it as running; null when there is none or it does not fit yet. */
  next(): GivenJob | null {
    const [job] = this.#waiting;
    if (job === undefined || !this.#fits(job)) return null;
    this.#waiting.shift();
    this.#running.set(job.attempt, job);
    const { numCpus, memoryBytes } = this.#share(job);
    this.#usedCpus += numCpus;
    this.#usedMemoryBytes += memoryBytes;
    // a job of several nodes only starts tasks, perhaps on none of these CPUs
    const cpus =
      job.node_indices === undefined ? this.#cpuSets?.take(job.num_cpus, job.cpu_placement ?? 'compact') : null;
    if (cpus != null) job.cpus = cpus;
    return job;
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

  /** A running job no longer occupies anything; calling this twice is harmless. */
  release(attempt: number): void {
    const job = this.#running.get(attempt);
    if (job === undefined) return;
    this.#running.delete(attempt);
    const { numCpus, memoryBytes } = this.#share(job);
    this.#usedCpus -= numCpus;
    this.#usedMemoryBytes -= memoryBytes;
    if (job.cpus !== undefined) this.#cpuSets?.give(job.cpus);
  }

  /** Removes a waiting job; false when it is not waiting. */
  withdraw(attempt: number): boolean {
    const before = this.#waiting.length;
    this.#waiting = this.#waiting.filter((job) => job.attempt !== attempt);
    return this.#waiting.length < before;
  }

  /** Removes all waiting jobs and returns them. */
  withdrawAll(): Assignment[] {
    return this.#waiting.splice(0);
  }
}
