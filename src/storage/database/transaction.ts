/**
 * One transaction and what it changed that others must know after COMMIT: which workflows got ready jobs, which ended,
 * which workers have something to stop. Nothing in memory may change before COMMIT, so it is collected here.
 */
import { systemCode, TorcError } from '../../base/errors.ts';
import type { JobStatus } from '../../model/status.ts';
import type { Database } from './database.ts';

interface Effects {
  /** Changes of job_counts by `workflow status failed`. */
  counts: Map<string, number>;
  /** Workflows in which a job became ready. */
  readied: Set<number>;
  /** Workflows in which a job left the active statuses. */
  settled: Set<number>;
  /** Workers that have a new attempt to stop. */
  stopping: Set<number>;
  /** Ids of workers that are told by a file to stop. */
  fenced: Set<string>;
  /** Actions that may have to fire once the transaction is through. */
  actions: Set<number>;
  /** How long jobs ran, by their shape. */
  runtimes: [shapeKey: number, runtimeMs: number][];
  /** Whether an action fired that a server has to carry out. */
  hasFired: boolean;
}

function noEffects(): Effects {
  return {
    counts: new Map(),
    readied: new Set(),
    settled: new Set(),
    stopping: new Set(),
    fenced: new Set(),
    actions: new Set(),
    runtimes: [],
    hasFired: false,
  };
}

export class Transaction {
  readonly db: Database;
  /** The instant of everything in this transaction; milliseconds UTC. */
  readonly now: number;
  #effects = noEffects();
  readonly #memory = new Map<string, boolean>();

  constructor(db: Database, now: number) {
    this.db = db;
    this.now = now;
  }

  get readied(): ReadonlySet<number> {
    return this.#effects.readied;
  }
  get settled(): ReadonlySet<number> {
    return this.#effects.settled;
  }
  get stopping(): ReadonlySet<number> {
    return this.#effects.stopping;
  }
  get fenced(): ReadonlySet<string> {
    return this.#effects.fenced;
  }

  get runtimes(): readonly [shapeKey: number, runtimeMs: number][] {
    return this.#effects.runtimes;
  }

  get hasFired(): boolean {
    return this.#effects.hasFired;
  }

  count(workflowKey: number, status: JobStatus, failed: boolean, change: number): void {
    const key = `${workflowKey} ${status} ${failed ? 1 : 0}`;
    this.#effects.counts.set(key, (this.#effects.counts.get(key) ?? 0) + change);
  }
  noteReady(workflowKey: number): void {
    this.#effects.readied.add(workflowKey);
  }
  noteSettled(workflowKey: number): void {
    this.#effects.settled.add(workflowKey);
  }
  noteStopping(computeNodeKey: number): void {
    this.#effects.stopping.add(computeNodeKey);
  }
  noteFenced(workerId: string): void {
    this.#effects.fenced.add(workerId);
  }
  noteAction(actionKey: number): void {
    this.#effects.actions.add(actionKey);
  }
  noteRuntime(shapeKey: number, runtimeMs: number): void {
    this.#effects.runtimes.push([shapeKey, runtimeMs]);
  }
  noteFired(): void {
    this.#effects.hasFired = true;
  }
  /** The noted actions, which are forgotten with that. */
  takeNotedActions(): number[] {
    const noted = [...this.#effects.actions];
    this.#effects.actions.clear();
    return noted;
  }

  /** The answer to a question that has the same answer all through the transaction; asked once. */
  remembered(question: string, ask: () => boolean): boolean {
    let answer = this.#memory.get(question);
    if (answer === undefined) {
      answer = ask();
      this.#memory.set(question, answer);
    }
    return answer;
  }

  /**
   * Runs one member of a batch so that its failure undoes only itself; rethrows. A failure that rolled back the whole
   * transaction (disk full) is rethrown as TransactionLost: the next savepoint would silently begin another one. So is an
   * I/O error, after which nothing in memory can be believed.
   */
  savepoint<T>(work: () => T): T {
    const outer = this.#effects;
    this.#effects = noEffects();
    this.db.run('SAVEPOINT member');
    try {
      const result = work();
      this.db.run('RELEASE member');
      this.#effects = merged(outer, this.#effects);
      return result;
    } catch (error) {
      this.#effects = outer;
      if (!this.db.isInTransaction || isIoError(error)) throw new TransactionLost(error);
      this.db.run('ROLLBACK TO member');
      this.db.run('RELEASE member');
      throw error;
    }
  }

  /** Runs `work` and takes back all that it wrote: for a dry run, whose plan is then the very one that would be applied. */
  rehearse<T>(work: () => T): T {
    const outer = this.#effects;
    this.#effects = noEffects();
    this.db.run('SAVEPOINT rehearsal');
    try {
      return work();
    } finally {
      this.#effects = outer;
      if (this.db.isInTransaction) {
        this.db.run('ROLLBACK TO rehearsal');
        this.db.run('RELEASE rehearsal');
      }
    }
  }

  /** Writes the collected changes of job_counts; called before COMMIT and before anything reads the counts. */
  flushCounts(): void {
    for (const [key, change] of this.#effects.counts) {
      if (change === 0) continue;
      const [workflowKey, status, failed] = key.split(' ');
      this.db.run(
        `INSERT INTO job_counts (workflow_key, status, failed, n) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET n = n + excluded.n`,
        Number(workflowKey),
        status,
        Number(failed),
        change,
      );
    }
    this.#effects.counts.clear();
  }

  event(fields: {
    workflowKey: number;
    type: string;
    jobKey?: number;
    attemptKey?: number;
    oldStatus?: JobStatus;
    newStatus?: JobStatus;
    data?: unknown;
  }): void {
    this.db.run(
      `INSERT INTO events (at, workflow_key, job_key, attempt_key, type, old_status, new_status, data)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      this.now,
      fields.workflowKey,
      fields.jobKey ?? null,
      fields.attemptKey ?? null,
      fields.type,
      fields.oldStatus ?? null,
      fields.newStatus ?? null,
      fields.data === undefined ? null : JSON.stringify(fields.data),
    );
  }
}

/** The whole transaction was rolled back by the database; nobody in it may be answered with success. */
export class TransactionLost extends Error {
  constructor(cause: unknown) {
    super('the transaction was rolled back by the database', { cause });
  }
}

/** Runs `work` in one durable transaction; rolls back and rethrows when it throws. */
export function inTransaction<T>(db: Database, now: number, work: (tx: Transaction) => T): T {
  db.run('BEGIN IMMEDIATE');
  try {
    const tx = new Transaction(db, now);
    const result = work(tx);
    tx.flushCounts();
    // somebody swallowed the loss: what came after it stood in no transaction at all
    if (!db.isInTransaction) throw new TransactionLost(null);
    db.run('COMMIT');
    return result;
  } catch (error) {
    rollBack(db);
    throw explainWrite(error);
  }
}

function rollBack(db: Database): void {
  if (!db.isInTransaction) return;
  try {
    db.run('ROLLBACK');
  } catch {
    // the error before this one tells more; an I/O error makes the owner open the database again
  }
}

function explainWrite(error: unknown): unknown {
  const cause = error instanceof TransactionLost ? error.cause : error;
  const code = systemCode(cause) ?? '';
  const words = cause instanceof Error ? cause.message : 'it rolled the transaction back';
  if (code.startsWith('SQLITE_IOERR')) {
    return new TorcError(
      'no_space',
      `the database could not be written (${words}), and whether this change is stored is not known`,
      'Is the quota or the file system of the server directory full, or does it fail? Look how things stand, then try again.',
      { cause },
    );
  }
  if (error instanceof TransactionLost || code === 'SQLITE_FULL') {
    return new TorcError(
      'no_space',
      `the database cannot be written: ${words}`,
      'Make room on the file system of the server directory (disk or quota); nothing was changed.',
      { cause },
    );
  }
  return cause;
}

/** Whether what the connection has in memory can no longer be believed. */
export function isIoError(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return (systemCode(cause) ?? '').startsWith('SQLITE_IOERR');
}

function merged(outer: Effects, inner: Effects): Effects {
  for (const [key, change] of inner.counts) outer.counts.set(key, (outer.counts.get(key) ?? 0) + change);
  for (const key of inner.readied) outer.readied.add(key);
  for (const key of inner.settled) outer.settled.add(key);
  for (const key of inner.stopping) outer.stopping.add(key);
  for (const workerId of inner.fenced) outer.fenced.add(workerId);
  for (const key of inner.actions) outer.actions.add(key);
  for (const runtime of inner.runtimes) outer.runtimes.push(runtime);
  outer.hasFired ||= inner.hasFired;
  return outer;
}
