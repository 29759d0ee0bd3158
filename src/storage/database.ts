/**
 * The one connection to `torc.db`: exclusive, write-ahead logged, durable at COMMIT.
 *
 * `locking_mode=EXCLUSIVE` before `journal_mode=WAL` needs no shared-memory file, so a network home directory is
 * bearable; the lock is held until close. The owner must never open the file by another descriptor: closing that one
 * would drop the lock.
 */
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { systemCode, TorcError } from '../base/errors.ts';

const schemaDirectory = join(dirname(fileURLToPath(import.meta.url)), 'schema');

export type Statement = Sqlite.Statement<unknown[], unknown>;

export class Database {
  readonly path: string;
  readonly #sqlite: Sqlite.Database;
  readonly #statements = new Map<string, Statement>();

  private constructor(path: string, sqlite: Sqlite.Database) {
    this.path = path;
    this.#sqlite = sqlite;
  }

  /**
   * Opens or creates the database and brings its schema up to date.
   * Throws TorcError 'busy' when another process holds it, 'conflict' when it is newer than this program or damaged.
   */
  static open(path: string): Database {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    makePrivate(path);
    const sqlite = openExclusive(path);
    try {
      migrate(sqlite, path);
    } catch (error) {
      sqlite.close();
      throw error;
    }
    return new Database(path, sqlite);
  }

  /** A prepared statement, made once for each text. */
  statement(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#sqlite.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  get(sql: string, ...values: unknown[]): Record<string, unknown> | undefined {
    return this.statement(sql).get(...values) as Record<string, unknown> | undefined;
  }

  /** One row as an array: for hot paths, where the names of an object's columns cost two thirds of the reading. */
  row(sql: string, ...values: unknown[]): unknown[] | undefined {
    return this.statement(sql)
      .raw(true)
      .get(...values) as unknown[] | undefined;
  }

  all(sql: string, ...values: unknown[]): Record<string, unknown>[] {
    return this.statement(sql).all(...values) as Record<string, unknown>[];
  }

  /** Rows as arrays, one at a time: for reading a whole workflow. Nothing may be written before the last one. */
  rows(sql: string, ...values: unknown[]): IterableIterator<unknown> {
    return this.statement(sql)
      .raw(true)
      .iterate(...values);
  }

  /** Runs a statement; returns the number of changed rows and the key of an inserted one. */
  run(sql: string, ...values: unknown[]): { changes: number; key: number } {
    const result = this.statement(sql).run(...values);
    return { changes: result.changes, key: Number(result.lastInsertRowid) };
  }

  get isInTransaction(): boolean {
    return this.#sqlite.inTransaction;
  }

  close(): void {
    this.#statements.clear();
    this.#sqlite.close();
  }
}

/** Makes a new file readable by its owner alone; SQLite gives its write-ahead log the same mode. */
function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch {
    // it is there already, or cannot be made: then opening it says why
  }
}

function openExclusive(path: string): Sqlite.Database {
  let sqlite: Sqlite.Database | undefined;
  try {
    sqlite = new Sqlite(path, { timeout: 0 });
    sqlite.pragma('locking_mode = EXCLUSIVE');
    sqlite.pragma('journal_mode = WAL');
    sqlite.pragma('synchronous = FULL');
    sqlite.pragma('foreign_keys = OFF');
    sqlite.pragma('cache_size = -32768');
    sqlite.pragma('temp_store = MEMORY');
    // takes the lock for good: in exclusive mode it is not given back after the transaction
    sqlite.exec('BEGIN EXCLUSIVE; COMMIT');
    return sqlite;
  } catch (error) {
    sqlite?.close();
    throw explainOpen(error, path);
  }
}

function explainOpen(error: unknown, path: string): unknown {
  const code = systemCode(error) ?? '';
  const words = error instanceof Error ? error.message : String(error);
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return new TorcError('busy', `another process holds ${path}`, 'Wait until it has ended, or start a server.');
  }
  if (code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT')) {
    return new TorcError(
      'conflict',
      `${path} is damaged or no torc database: ${words}`,
      'Restore a backup of it, or choose another directory with --dir.',
    );
  }
  if (code.startsWith('SQLITE_')) {
    return new TorcError(
      'conflict',
      `cannot open ${path}: ${words}`,
      'Check that the directory is yours and writable.',
    );
  }
  return error;
}

/** The numbered schema files in order; each brings the schema from version n - 1 to n. */
function migrations(): { version: number; sql: string }[] {
  return readdirSync(schemaDirectory)
    .filter((name) => /^\d{3}_.*\.sql$/.test(name))
    .sort()
    .map((name) => ({ version: Number(name.slice(0, 3)), sql: readFileSync(join(schemaDirectory, name), 'utf8') }));
}

function migrate(sqlite: Sqlite.Database, path: string): void {
  const current = Number(sqlite.pragma('user_version', { simple: true }));
  const all = migrations();
  const newest = all.at(-1)?.version ?? 0;
  if (current > newest) {
    throw new TorcError(
      'conflict',
      `${path} has schema version ${current}; this torc knows versions up to ${newest}`,
      'Use the newer torc that wrote it, or choose another directory with --dir.',
    );
  }
  for (const { version, sql } of all.filter((m) => m.version > current)) {
    sqlite.exec(`BEGIN IMMEDIATE; ${sql}; PRAGMA user_version = ${version}; COMMIT`);
  }
}
