/**
 * One transaction: the facts that others must learn after COMMIT, and the writes that wait for its end. Nothing in
 * memory may change before COMMIT, so facts are collected here.
 */
import { dirname } from 'node:path';
import { systemCode, TorcError } from '../../base/errors.ts';
import { fullWords } from '../../base/full-disk.ts';
import { writeProblem } from '../../base/trusted/write-problem.ts';
import type { JobStatus } from '../../model/status.ts';
import type { Database } from './database.ts';
import type { Fact } from './facts.ts';
import { History, type MoveRow, type NewEvent } from './history.ts';
import { UsageRollUp, type Use } from './usage-roll-up.ts';
import { type EndedAttempt, WorkerTimes } from './worker-times.ts';

export class Transaction {
  readonly db: Database;
  /** The instant of everything in this transaction; milliseconds UTC. */
  readonly now: number;
  /** The login name of the person whose request this part serves; null while nobody's is served. */
  #who: string | null = null;
  #facts: Fact[] = [];
  /** Changes of job_counts by `workflow status failed`. */
  #counts = new Map<string, number>();
  readonly #history: History;
  readonly #usage: UsageRollUp;
  readonly #workerTimes: WorkerTimes;
  readonly #memory = new Map<string, boolean>();

  constructor(db: Database, now: number) {
    this.db = db;
    this.now = now;
    this.#history = new History(db, now);
    this.#usage = new UsageRollUp(db);
    this.#workerTimes = new WorkerTimes(db);
  }

  /** The facts of the transaction so far, in order. */
  get facts(): readonly Fact[] {
    return this.#facts;
  }

  /** Notes that something became true. Rolling back the savepoint removes it again. */
  tell(fact: Fact): void {
    this.#facts.push(fact);
  }

  get who(): string | null {
    return this.#who;
  }

  /** The person whose request is served. */
  get person(): string {
    if (this.#who === null) throw new TorcError('bug', 'no person asked for this');
    return this.#who;
  }

  /** Runs `work` for a person: its events carry the name. */
  actFor<T>(who: string | null, work: () => T): T {
    const before = this.#who;
    this.#who = who;
    try {
      return work();
    } finally {
      this.#who = before;
    }
  }

  /** Runs `work` as if it had happened long ago: its facts reach nobody. */
  silently<T>(work: () => T): T {
    const numFacts = this.#facts.length;
    const result = work();
    this.#facts.length = numFacts;
    return result;
  }

  /** Notes that the number of a workflow's jobs in a status changes. */
  count(workflowKey: number, status: JobStatus, failed: boolean, change: number): void {
    const key = `${workflowKey} ${status} ${failed ? 1 : 0}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + change);
  }

  /** The answer to a question whose answer does not change during the transaction; asked once. */
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
   * transaction (disk full) is rethrown as TransactionLost: the next savepoint would silently begin another one. So is
   * an I/O error, after which memory is unreliable.
   */
  savepoint<T>(work: () => T): T {
    const undo = this.#mark();
    const outerCounts = this.#counts;
    this.#counts = new Map();
    this.db.run('SAVEPOINT member');
    try {
      const result = work();
      this.db.run('RELEASE member');
      for (const [key, change] of this.#counts) outerCounts.set(key, (outerCounts.get(key) ?? 0) + change);
      this.#counts = outerCounts;
      return result;
    } catch (error) {
      this.#counts = outerCounts;
      undo();
      this.db.mirrors.rolledBack();
      if (!this.db.isInTransaction || isIoError(error)) throw new TransactionLost(error);
      this.db.run('ROLLBACK TO member');
      this.db.run('RELEASE member');
      throw error;
    }
  }

  /**
   * Runs `work` and rolls back all that it wrote: for a dry run, whose plan is then exactly the one that would be
   * applied.
   */
  rehearse<T>(work: () => T): T {
    const undo = this.#mark();
    const outerCounts = this.#counts;
    this.#counts = new Map();
    this.db.run('SAVEPOINT rehearsal');
    try {
      return work();
    } finally {
      this.#counts = outerCounts;
      undo();
      this.db.mirrors.rolledBack();
      if (this.db.isInTransaction) {
        this.db.run('ROLLBACK TO rehearsal');
        this.db.run('RELEASE rehearsal');
      }
    }
  }

  /**
   * Remembers what is collected in memory; the returned function restores that. The savepoint covers what was written.
   */
  #mark(): () => void {
    const numFacts = this.#facts.length;
    const undoHistory = this.#history.mark();
    const undoUsage = this.#usage.mark();
    const undoTimes = this.#workerTimes.mark();
    return () => {
      this.#facts.length = numFacts;
      undoHistory();
      undoUsage();
      undoTimes();
    };
  }

  /** Writes the collected changes of job_counts; called before COMMIT and before anything reads the counts. */
  flushCounts(): void {
    for (const [key, change] of this.#counts) {
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
    this.#counts.clear();
  }

  /** Notes what an attempt has used. */
  used(use: Use): void {
    this.#usage.add(use);
  }

  /** Notes that an attempt is no longer live, for the sums of its worker. */
  ended(attempt: EndedAttempt): void {
    this.#workerTimes.add(attempt);
  }

  /** Writes a row of the history: what happened other than the normal life of a job. */
  event(fields: NewEvent): void {
    this.#history.add(fields, this.#who);
  }

  /** Writes a row of the history for each row of a query: job_key, type, old_status, new_status, data. */
  events(workflowKey: number, rows: string, ...values: unknown[]): void {
    this.#history.addMany(workflowKey, this.#who, rows, values);
  }

  /** The row of the history that takes the next normal moves of these jobs' attempts; valid until the next event. */
  moves(workflowKey: number, jobKeys: readonly number[]): MoveRow {
    return this.#history.moves(workflowKey, jobKeys);
  }

  /** Moves of the workflow from now on go into another row of the history. */
  endMoves(workflowKey: number): void {
    this.#history.endMoves(workflowKey);
  }

  /** Writes what was collected for the end of the transaction, and notes whose history grew. */
  finish(): void {
    this.flushCounts();
    this.#usage.finish();
    this.#workerTimes.finish();
    for (const workflowKey of this.#history.finish()) this.tell({ kind: 'history_grew', workflowKey });
  }
}

/** The database rolled back the whole transaction; no member may be answered with success. */
export class TransactionLost extends Error {
  constructor(cause: unknown) {
    super('the transaction was rolled back by the database', { cause });
  }
}

/** Runs `work` in one durable transaction; rolls back and rethrows when it throws. */
export function inTransaction<T>(db: Database, now: number, work: (tx: Transaction) => T): T {
  const beganMs = performance.now();
  db.run('BEGIN IMMEDIATE');
  try {
    const tx = new Transaction(db, now);
    const result = work(tx);
    tx.finish();
    // a caller swallowed the loss: what came after it was in no transaction at all
    if (!db.isInTransaction) throw new TransactionLost(null);
    db.run('COMMIT');
    db.mirrors.committed();
    return result;
  } catch (error) {
    db.mirrors.rolledBack();
    rollBack(db);
    const isSlow = performance.now() - beganMs > mostAnswerMs;
    throw explainWrite(error, dirname(db.path), isSlow);
  }
}

/** A file system that took longer than this to fail is not tried again: this process would stand still as long once more. */
const mostAnswerMs = 2_000;

function rollBack(db: Database): void {
  if (!db.isInTransaction) return;
  try {
    db.run('ROLLBACK');
  } catch {
    // the earlier error says more; an I/O error makes the owner open the database again
  }
}

function explainWrite(error: unknown, directory: string, isSlow: boolean): unknown {
  const cause = error instanceof TransactionLost ? error.cause : error;
  const code = systemCode(cause) ?? '';
  const words = cause instanceof Error ? cause.message : 'the transaction was rolled back';
  if (code.startsWith('SQLITE_IOERR')) {
    // SQLite does not say which error of the system it had
    const why = fullWords(isSlow ? 'ETIMEDOUT' : writeProblem(directory), directory);
    return new TorcError(
      'no_space',
      why === null
        ? `the database could not be written (${words}), and whether this change is stored is not known`
        : `the database could not be written (${words}): ${why.problem}; whether this change is stored is not known`,
      why === null
        ? 'Check the quota and the file system of the server directory, see what was stored, then try again.'
        : `${why.advice} The server then continues by itself: see what was stored, then try again.`,
      { cause },
    );
  }
  if (error instanceof TransactionLost || code === 'SQLITE_FULL') {
    return new TorcError(
      'no_space',
      `the database cannot be written: ${words}`,
      'Nothing was changed. Free some space on the file system of the server directory (disk or quota).',
      { cause },
    );
  }
  return cause;
}

/** Whether what the connection holds in memory is unreliable from now on. */
export function isIoError(error: unknown): boolean {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  return (systemCode(cause) ?? '').startsWith('SQLITE_IOERR');
}
