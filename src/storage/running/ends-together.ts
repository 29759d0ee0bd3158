/**
 * Ends that a worker reports together: their attempts are read at once, and the jobs that ended with success are moved at
 * once, in a few statements instead of some for each. Before anything else is decided, those that wait are moved.
 */
import type { Transaction } from '../database/transaction.ts';
import { propagateSuccesses } from './completion.ts';
import type { ComputeNode } from './compute-nodes.ts';
import { type Attempt, findAttempts } from './reported-attempts.ts';
import { type JobState, moveSuccesses } from './transitions.ts';

/** From this many reports on; for fewer, one statement each costs less than a list. */
const fewest = 8;

export class EndsTogether {
  readonly #tx: Transaction;
  readonly #workflowKey: number;
  /** Not yet reported on. */
  readonly #attempts: Map<number, Attempt>;
  readonly #jobs: JobState[] = [];

  private constructor(tx: Transaction, workflowKey: number, attempts: Map<number, Attempt>) {
    this.#tx = tx;
    this.#workflowKey = workflowKey;
    this.#attempts = attempts;
  }

  /** Null where each is better recorded by itself. */
  static of(tx: Transaction, node: ComputeNode, attemptKeys: readonly number[]): EndsTogether | null {
    if (attemptKeys.length < fewest) return null;
    return new EndsTogether(tx, node.workflowKey, findAttempts(tx, node, attemptKeys));
  }

  /** The attempt as it was read; a second report on it finds none, and reads what is stored. */
  take(attemptKey: number): Attempt | null {
    const attempt = this.#attempts.get(attemptKey) ?? null;
    this.#attempts.delete(attemptKey);
    return attempt;
  }

  /** The job of an attempt that is stored as ended with success. */
  add(job: JobState): void {
    this.#jobs.push(job);
  }

  /** Moves the jobs that wait. What other reports change is read again. */
  settle(): void {
    this.#attempts.clear();
    const jobs = this.#jobs.splice(0);
    if (jobs.length === 0) return;
    moveSuccesses(this.#tx, this.#workflowKey, jobs);
    const jobKeys = jobs.map(({ jobKey }) => jobKey);
    propagateSuccesses(this.#tx, jobKeys);
  }
}
