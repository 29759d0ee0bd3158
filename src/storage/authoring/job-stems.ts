/** The forms of the names of new jobs, and what these ask for: counted together, for reports. */
import { stemOf } from '../../model/usage.ts';
import type { Transaction } from '../database/transaction.ts';

/** Jobs of further forms are not counted: as many as forms of names that uses are rolled up by. */
const mostStems = 1000;

/** The jobs that one transaction adds to a workflow; `store` counts them. */
export class JobStems {
  readonly #tx: Transaction;
  readonly #workflowKey: number;
  readonly #keys: Map<string, number>;
  /** By form and request. */
  readonly #counts = new Map<number, Map<number, number>>();

  constructor(tx: Transaction, workflowKey: number) {
    this.#tx = tx;
    this.#workflowKey = workflowKey;
    const sql = 'SELECT stem, stem_key FROM stems WHERE workflow_key = ?';
    this.#keys = new Map(tx.db.rows<[string, number]>(sql, workflowKey));
  }

  /** Null for a job that is not counted. */
  keyOf(name: string): number | null {
    const stem = stemOf(name);
    const known = this.#keys.get(stem);
    if (known !== undefined) return known;
    if (this.#keys.size >= mostStems) return null;
    const sql = 'INSERT INTO stems (workflow_key, stem) VALUES (?, ?)';
    const { key } = this.#tx.db.run(sql, this.#workflowKey, stem);
    this.#keys.set(stem, key);
    return key;
  }

  add(key: number | null, shapeKey: number): void {
    if (key === null) return;
    let shapes = this.#counts.get(key);
    if (shapes === undefined) {
      shapes = new Map();
      this.#counts.set(key, shapes);
    }
    shapes.set(shapeKey, (shapes.get(shapeKey) ?? 0) + 1);
  }

  store(): void {
    for (const [key, shapes] of this.#counts) {
      for (const [shapeKey, numJobs] of shapes) {
        this.#tx.db.run(
          `INSERT INTO stem_requests (workflow_key, stem_key, shape_key, num_jobs) VALUES (?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET num_jobs = num_jobs + excluded.num_jobs`,
          this.#workflowKey,
          key,
          shapeKey,
          numJobs,
        );
      }
    }
    this.#counts.clear();
  }
}
