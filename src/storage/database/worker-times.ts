/** What attempts had and used that end in a transaction, added to the sums of their workers once at its end. */
import type { Database } from './database.ts';

/** Of an attempt that is no longer live. */
export interface EndedAttempt {
  /** 0 where no worker had it. */
  computeNodeKey: number;
  /** On all of its nodes. */
  numCpus: number;
  /** Null where its process never started: it does not count. */
  startedAt: number | null;
  endedAt: number;
  cpuMs: number | null;
}

/** The same of attempts in the database, from a query that gives `compute_node_key` and the names of the sums. */
export const summedAttempts = `a.compute_node_key, count(*) AS num_attempts,
  total(a.num_cpus * a.num_nodes * max(0, coalesce(a.ended_at, a.started_at) - a.started_at)) AS had_ms,
  total(a.cpu_ms) AS used_ms`;

interface Sum {
  numAttempts: number;
  hadMs: number;
  usedMs: number;
}

export class WorkerTimes {
  readonly #db: Database;
  readonly #ended: EndedAttempt[] = [];

  constructor(db: Database) {
    this.#db = db;
  }

  add(ended: EndedAttempt): void {
    this.#ended.push(ended);
  }

  /** Remembers what is collected; the returned function restores that. */
  mark(): () => void {
    const { length } = this.#ended;
    return () => {
      this.#ended.length = length;
    };
  }

  /** One write for each worker, however many of its attempts ended. */
  finish(): void {
    const sums = new Map<number, Sum>();
    for (const { computeNodeKey, numCpus, startedAt, endedAt, cpuMs } of this.#ended) {
      if (computeNodeKey === 0 || startedAt === null) continue;
      let sum = sums.get(computeNodeKey);
      if (sum === undefined) {
        sum = { numAttempts: 0, hadMs: 0, usedMs: 0 };
        sums.set(computeNodeKey, sum);
      }
      sum.numAttempts += 1;
      sum.hadMs += numCpus * Math.max(0, endedAt - startedAt);
      sum.usedMs += cpuMs ?? 0;
    }
    this.#ended.length = 0;
    for (const [computeNodeKey, { numAttempts, hadMs, usedMs }] of sums) {
      this.#db.run(
        `INSERT INTO worker_times (compute_node_key, num_attempts, had_ms, used_ms) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET num_attempts = num_attempts + excluded.num_attempts,
         had_ms = had_ms + excluded.had_ms, used_ms = used_ms + excluded.used_ms`,
        computeNodeKey,
        numAttempts,
        hadMs,
        usedMs,
      );
    }
  }
}
