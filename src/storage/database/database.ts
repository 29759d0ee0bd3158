/**
 * The one connection to `torc.db`: exclusive, write-ahead logged, durable at COMMIT.
 *
 * `locking_mode=EXCLUSIVE` before `journal_mode=WAL` needs no shared-memory file, so the database can live in a
 * network home directory; the lock is held until close. The owner must never open the file by another descriptor:
 * closing that one would drop the lock.
 */
import { closeSync, constants, existsSync, lstatSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import type Sqlite from 'better-sqlite3';
import { systemClock } from '../../base/clock.ts';
import { systemCode, TorcError } from '../../base/errors.ts';
import { schemaDirectory } from '../../base/program.ts';
import { makeFolders } from '../../base/trusted/folders.ts';
import { refuseForeign } from '../../base/trusted/owners.ts';
import {
  createPrivateFile,
  movePrivateFile,
  openPrivateFile,
  refuseSharedFolder,
  replaceByOwnCopy,
} from '../../base/trusted/private.ts';
import { markAsCopy } from './backup-copy.ts';
import { migrate, refuseForeignSchema, type Upgrade, unusable } from './migrations.ts';
import { Mirrors } from './mirrors.ts';
import { openSqlite, requireSqlite } from './sqlite.ts';

export type Statement = Sqlite.Statement<unknown[], unknown>;

/** A row of a query that does not type its columns. */
export type Row = Record<string, unknown>;

export class Database {
  readonly path: string;
  #sqlite: Sqlite.Database;
  readonly #statements = new Map<string, Statement>();
  /** What is kept in memory of its rows. */
  readonly mirrors = new Mirrors<Database>(this);
  /** What opening it has done to an older one. */
  readonly upgrade: Upgrade | null;

  private constructor(path: string, sqlite: Sqlite.Database, upgrade: Upgrade | null) {
    this.path = path;
    this.#sqlite = sqlite;
    this.upgrade = upgrade;
  }

  /**
   * Opens or creates the database and brings its schema up to date with the numbered files of `schema`; an older one is
   * copied first.
   * Throws TorcError 'busy' when another process holds it, 'unusable' when it is damaged or newer than this program,
   * 'conflict' when other users could change it.
   */
  static open(path: string, schema = schemaDirectory(), now = systemClock.now()): Database {
    requireSqlite();
    makeFolders(dirname(path), 0o700);
    refuseSharedFolder(dirname(path));
    makePrivate(path);
    const sqlite = openExclusive(path, schema);
    try {
      return new Database(path, sqlite, migrate(sqlite, path, schema, now));
    } catch (error) {
      sqlite.close();
      throw explainOpen(error, path);
    }
  }

  /**
   * Drops what this connection holds in memory and opens the database again, as after an I/O error at COMMIT. When that
   * fails, it throws as `open` does and the database stays closed.
   */
  reopen(): void {
    this.close();
    this.#sqlite = openExclusive(this.path, schemaDirectory());
  }

  /**
   * Copies the database into a new file, a few pages at a time: others are served in between, and what they write is
   * copied too. The copy is marked as one.
   */
  async copyTo(path: string, now: number): Promise<void> {
    await this.#sqlite.backup(path);
    markAsCopy(path, now);
  }

  /** A prepared statement; each text is prepared once. */
  statement(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#sqlite.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** One row, typed at the query: `get<{ name: string }>('SELECT name FROM ..')`. */
  get<R extends object = Row>(sql: string, ...values: unknown[]): R | undefined {
    return this.statement(sql).get(...values) as R | undefined;
  }

  /** One row as an array: for hot paths, where an object with named columns is much slower to read. */
  row<R extends unknown[] = unknown[]>(sql: string, ...values: unknown[]): R | undefined {
    return this.statement(sql)
      .raw(true)
      .get(...values) as R | undefined;
  }

  /** All rows, typed at the query. */
  all<R extends object = Row>(sql: string, ...values: unknown[]): R[] {
    return this.statement(sql).all(...values) as R[];
  }

  /** All rows as arrays: for wide rows, where objects with named columns are much slower to read. */
  allRows<R extends unknown[] = unknown[]>(sql: string, ...values: unknown[]): R[] {
    return this.statement(sql)
      .raw(true)
      .all(...values) as R[];
  }

  /** The first column of all rows. */
  column<T>(sql: string, ...values: unknown[]): T[] {
    return this.statement(sql)
      .pluck(true)
      .all(...values) as T[];
  }

  /** The first column of all rows, one at a time; otherwise as `rows`. */
  values<T>(sql: string, ...values: unknown[]): IterableIterator<T> {
    return this.statement(sql)
      .pluck(true)
      .iterate(...values) as IterableIterator<T>;
  }

  /** Rows as arrays, one at a time: for reading a whole workflow. Nothing may be written before the last one. */
  rows<R extends unknown[] = unknown[]>(sql: string, ...values: unknown[]): IterableIterator<R> {
    return this.statement(sql)
      .raw(true)
      .iterate(...values) as IterableIterator<R>;
  }

  /** Runs a statement; returns the number of changed rows and the key of an inserted one. */
  run(sql: string, ...values: unknown[]): { changes: number; key: number } {
    const result = this.statement(sql).run(...values);
    return { changes: result.changes, key: Number(result.lastInsertRowid) };
  }

  /** Rows changed since it was opened, also those that were rolled back. */
  get numChanges(): number {
    return this.row<[number]>('SELECT total_changes()')?.[0] ?? 0;
  }

  get isOpen(): boolean {
    return this.#sqlite.open;
  }

  get isInTransaction(): boolean {
    return this.#sqlite.inTransaction;
  }

  close(): void {
    this.#statements.clear();
    this.mirrors.clear();
    this.#sqlite.close();
  }
}

/** Makes a new file readable only by its owner; SQLite gives its write-ahead log the same mode. */
function makePrivate(path: string): void {
  try {
    createPrivateFile(path, '');
  } catch {
    // the file exists, or cannot be created: then opening it reports the reason
    refuseOtherFiles(path);
  }
}

/** SQLite would take an empty file for a new database. */
function refuseOtherFiles(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (found.isDirectory()) throw unusable(path, 'it is not a file');
  refuseForeign(path, found, 'file');
  if (found.size === 0) throw unusable(path, 'it is empty');
}

/**
 * Replaces the database by a copy of itself that no process has open: its last owner, on another host, cannot be asked
 * whether it has ended, and what it may still write goes into the old file.
 */
export function replaceByCopy(path: string): void {
  for (const name of [path, `${path}-wal`]) {
    if (existsSync(name)) replaceByOwnCopy(name);
  }
}

function openExclusive(path: string, schema: string): Sqlite.Database {
  let sqlite: Sqlite.Database | undefined;
  try {
    dropStrayLog(path);
    // it was made before; where another file system has come into the place of its own, there is none to be made
    sqlite = openSqlite(path, { timeout: 0, fileMustExist: true });
    sqlite.pragma('locking_mode = EXCLUSIVE');
    // before anything is written: another program's file stays as it is
    refuseForeignSchema(sqlite, path, schema);
    sqlite.pragma('journal_mode = WAL');
    sqlite.pragma('synchronous = FULL');
    sqlite.pragma('foreign_keys = OFF');
    sqlite.pragma('cache_size = -32768');
    sqlite.pragma('temp_store = MEMORY');
    // takes the lock for good: exclusive mode keeps it after the transaction
    sqlite.exec('BEGIN EXCLUSIVE; COMMIT');
    return sqlite;
  } catch (error) {
    sqlite?.close();
    throw explainOpen(error, path);
  }
}

/**
 * A database in use is always write-ahead logged; a restored backup is not. A log beside a backup was left by a killed
 * owner of the previous database, and SQLite would apply it to the backup.
 */
function dropStrayLog(path: string): void {
  const log = `${path}-wal`;
  if (!existsSync(log)) return;
  const header = Buffer.alloc(20);
  const file = openPrivateFile(path, constants.O_RDONLY);
  readSync(file, header, 0, header.length, 0);
  closeSync(file);
  // the file format's write version: 1 for a rollback journal, 2 for a write-ahead log
  if (header[18] === 1) movePrivateFile(log, `${log}.old`);
}

function explainOpen(error: unknown, path: string): unknown {
  const code = systemCode(error) ?? '';
  const words = error instanceof Error ? error.message : String(error);
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return new TorcError('busy', `another process is using ${path}`, 'Wait until it ends, or start a server.');
  }
  if (code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT')) return unusable(path, words);
  if (code === 'SQLITE_FULL') {
    return new TorcError('no_space', `no space is left for ${path} (disk or quota)`, 'Free some space and try again.');
  }
  if (code.startsWith('SQLITE_')) {
    return new TorcError(
      'unusable',
      `cannot open ${path}: ${words}`,
      'Check that you own the file and its directory and can write to them, or choose another directory with --dir.',
    );
  }
  return error;
}
