/**
 * Which of the jobs that the server gave may start now. The server packs the node itself; it may give short jobs ahead
 * of time, so that the next one starts without a round trip, and those wait here until what they need is free.
 */
import type { Assignment } from '../api/contract.ts';

export interface Capacity {
  numCpus: number;
  memoryBytes: number;
  maxParallelJobs: number | null;
}

export class Admission {
  readonly #capacity: Capacity;
  readonly #running = new Map<number, Assignment>();
  #waiting: Assignment[] = [];
  #usedCpus = 0;
  #usedMemoryBytes = 0;

  constructor(capacity: Capacity) {
    this.#capacity = capacity;
  }

  get numWaiting(): number {
    return this.#waiting.length;
  }

  add(job: Assignment): void {
    this.#waiting.push(job);
  }

  /** The next job in the order given, now counted as running; null when there is none or it does not fit yet. */
  next(): Assignment | null {
    const [job] = this.#waiting;
    if (job === undefined || !this.#fits(job)) return null;
    this.#waiting.shift();
    this.#running.set(job.attempt, job);
    this.#usedCpus += job.num_cpus;
    this.#usedMemoryBytes += job.memory_bytes;
    return job;
  }

  /** On an empty node everything fits: the server knows what it gives. */
  #fits(job: Assignment): boolean {
    if (this.#running.size === 0) return true;
    const { numCpus, memoryBytes, maxParallelJobs } = this.#capacity;
    return (
      this.#usedCpus + job.num_cpus <= numCpus &&
      this.#usedMemoryBytes + job.memory_bytes <= memoryBytes &&
      this.#running.size < (maxParallelJobs ?? Number.POSITIVE_INFINITY)
    );
  }

  /** A running job has set free what it had; harmless when it had done so already. */
  release(attempt: number): void {
    const job = this.#running.get(attempt);
    if (job === undefined) return;
    this.#running.delete(attempt);
    this.#usedCpus -= job.num_cpus;
    this.#usedMemoryBytes -= job.memory_bytes;
  }

  /** Takes a waiting job out; false when it is not waiting. */
  withdraw(attempt: number): boolean {
    const before = this.#waiting.length;
    this.#waiting = this.#waiting.filter((job) => job.attempt !== attempt);
    return this.#waiting.length < before;
  }

  /** Takes all waiting jobs out. */
  withdrawAll(): Assignment[] {
    return this.#waiting.splice(0);
  }
}
