/**
 * The history of workflows as a transaction writes it. A normal move of a job (claimed, started, ended) is an entry in
 * a row that many moves of the transaction share; everything else has a row of its own. The events of one job, and
 * those of the workflow as a whole, keep their order: a move that follows an event of the same job goes into a later
 * row. The list of events reads both kinds of rows as one.
 */
import { jsonText } from '../../base/exact-json.ts';
import type { JobStatus } from '../../model/status.ts';
import type { Database } from './database.ts';

/** Claimed, started, finished, finished without an earlier report of the start. */
export type MoveLetter = 'c' | 's' | 'f' | 'u';

export interface NewEvent {
  workflowKey: number;
  type: string;
  jobKey?: number;
  attemptKey?: number;
  oldStatus?: JobStatus;
  newStatus?: JobStatus;
  data?: unknown;
}

/** A row of moves that is still open. */
export interface MoveRow {
  /** Stored with the attempt, so that the history of one job is found by its attempts. */
  eventKey: number;
  add(attemptKey: number, letter: MoveLetter): void;
}

interface OpenRow extends MoveRow {
  moves: string[];
  /** Jobs with an event of their own since the row was opened. */
  jobsWithEvents: Set<number>;
}

/** Readers unpack a row as a whole, so it stays short: one that has as many takes no more. */
const mostMoves = 200;

export class History {
  readonly #db: Database;
  readonly #now: number;
  /** By workflow. A savepoint that is rolled back removes its rows from here too. */
  #open = new Map<number, OpenRow>();
  readonly #grown = new Set<number>();

  constructor(db: Database, now: number) {
    this.#db = db;
    this.#now = now;
  }

  /** `who`: the person who caused it, or null. */
  add(fields: NewEvent, who: string | null): void {
    const { workflowKey, jobKey } = fields;
    if (jobKey === undefined) this.endMoves(workflowKey);
    else this.#open.get(workflowKey)?.jobsWithEvents.add(jobKey);
    this.#insert(fields, who);
  }

  /** A row for each row of a query, whose columns are job_key, type, old_status and new_status. */
  addMany(workflowKey: number, who: string | null, rows: string, values: readonly unknown[]): void {
    this.endMoves(workflowKey);
    const sql = `INSERT INTO events (at, workflow_key, who, job_key, type, old_status, new_status, data)
      SELECT ?, ?, ?, * FROM (${rows})`;
    if (this.#db.run(sql, this.#now, workflowKey, who, ...values).changes > 0) this.#grown.add(workflowKey);
  }

  moves(workflowKey: number, jobKeys: readonly number[]): MoveRow {
    const open = this.#open.get(workflowKey);
    const isOpen = open !== undefined && open.moves.length < mostMoves;
    if (isOpen && !jobKeys.some((jobKey) => open.jobsWithEvents.has(jobKey))) return open;
    this.endMoves(workflowKey);
    const moves: string[] = [];
    const eventKey = this.#insert({ workflowKey, type: 'job_moves' }, null);
    const add = (key: number, letter: MoveLetter): void => void moves.push(`${key}${letter}`);
    const row = { eventKey, moves, add, jobsWithEvents: new Set<number>() };
    this.#open.set(workflowKey, row);
    return row;
  }

  /** Remembers which rows are open; the returned function restores that. */
  mark(): () => void {
    if (this.#open.size === 0) return () => this.#open.clear();
    const before = [...this.#open].map(([workflowKey, row]) => ({ workflowKey, row, length: row.moves.length }));
    return () => {
      this.#open.clear();
      for (const { workflowKey, row, length } of before) {
        row.moves.length = length;
        this.#open.set(workflowKey, row);
      }
    };
  }

  /** Closes all rows; returns the workflows whose history may have grown. */
  finish(): ReadonlySet<number> {
    for (const workflowKey of [...this.#open.keys()]) this.endMoves(workflowKey);
    return this.#grown;
  }

  /** Closes the open row of a workflow, if there is one. */
  endMoves(workflowKey: number): void {
    const row = this.#open.get(workflowKey);
    if (row === undefined) return;
    this.#open.delete(workflowKey);
    this.#db.run('UPDATE events SET data = ? WHERE event_key = ?', JSON.stringify(row.moves), row.eventKey);
  }

  #insert(fields: NewEvent, who: string | null): number {
    this.#grown.add(fields.workflowKey);
    return this.#db.run(
      `INSERT INTO events (at, workflow_key, job_key, attempt_key, type, old_status, new_status, data, who)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      this.#now,
      fields.workflowKey,
      fields.jobKey ?? null,
      fields.attemptKey ?? null,
      fields.type,
      fields.oldStatus ?? null,
      fields.newStatus ?? null,
      fields.data === undefined ? null : jsonText(fields.data),
      who,
    ).key;
  }
}
