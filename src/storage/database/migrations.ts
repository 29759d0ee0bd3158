/** The schema of the database, from version to version. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type Sqlite from 'better-sqlite3';
import { TorcError } from '../../base/errors.ts';
import { shellWord } from '../../base/text.ts';
import { openSqlite } from './sqlite.ts';
import { copyBeforeUpgrade, newestCopyFor } from './upgrade-copy.ts';

interface Migration {
  version: number;
  /** Its text; most commands need none of them. */
  read(): string;
}

/** The numbered schema files in order; each brings the schema from version n - 1 to n. */
function migrations(directory: string): Migration[] {
  return readdirSync(directory)
    .filter((name) => /^\d{3}_.*\.sql$/.test(name))
    .sort()
    .map((name) => ({ version: Number(name.slice(0, 3)), read: () => readFileSync(join(directory, name), 'utf8') }));
}

/** Throws TorcError 'unusable' for the database of a newer torc or of another program. */
export function refuseForeignSchema(sqlite: Sqlite.Database, path: string, schema: string): void {
  const current = versionOf(sqlite);
  const all = migrations(schema);
  const newest = all.at(-1)?.version ?? 0;
  if (current > newest) {
    const copy = newestCopyFor(dirname(path), newest);
    throw new TorcError(
      'unusable',
      `${path} has schema version ${current}; this torc supports versions up to ${newest}`,
      copy === null
        ? 'Use the newer torc that wrote it, or choose another directory with --dir.'
        : `Use the newer torc that wrote it, or go back to how it was before: torc server restore ${shellWord(copy)}`,
    );
  }
  if (current === 0 && sqlite.prepare('SELECT 1 FROM sqlite_master LIMIT 1').get() !== undefined) {
    throw unusable(path, 'another program created it');
  }
  if (current > 0 && current < newest) refuseOtherParts(sqlite, path, current, all);
}

/**
 * Between two releases a version number may have stood for something else for a while. A database from then would go
 * through updates that are not made for it.
 */
function refuseOtherParts(sqlite: Sqlite.Database, path: string, version: number, all: readonly Migration[]): void {
  const model = openSqlite(':memory:');
  try {
    for (const each of all.filter((one) => one.version <= version)) model.exec(each.read());
    const [found, expected] = [partsOf(sqlite), partsOf(model)];
    const odd = [...expected].find((part) => !found.has(part)) ?? [...found].find((part) => !expected.has(part));
    if (odd === undefined) return;
    throw new TorcError(
      'unusable',
      `${path} has schema version ${version}, but not as it was released: the ${odd} ${found.has(odd) ? 'should not be there' : 'is missing'}`,
      'It was written by a torc between two releases. Use that one to export its workflows (torc workflows export), or choose another directory with --dir.',
    );
  } finally {
    model.close();
  }
}

/** Tables, columns, indexes: `column jobs.failure`. */
function partsOf(sqlite: Sqlite.Database): Set<string> {
  const sql = `SELECT type || ' ' || name FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
    UNION ALL SELECT 'column ' || t.name || '.' || c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'`;
  return new Set(sqlite.prepare(sql).pluck().all() as string[]);
}

function versionOf(sqlite: Sqlite.Database): number {
  return Number(sqlite.pragma('user_version', { simple: true }));
}

/** An update of a database that held something. */
export interface Upgrade {
  from: number;
  to: number;
  /** The database as it was before. */
  copyPath: string;
}

/**
 * Brings the schema up to date in one transaction, after a copy was made of what there is; null when nothing had to be
 * kept. Throws TorcError 'unusable' when that fails, and 'no_space' when there is no room; then it stays as it was.
 */
export function migrate(sqlite: Sqlite.Database, path: string, schema: string, now: number): Upgrade | null {
  const from = versionOf(sqlite);
  const pending = migrations(schema).filter((each) => each.version > from);
  const to = pending.at(-1)?.version ?? from;
  if (from === to) return null;
  const copyPath = from === 0 ? null : copyBeforeUpgrade(sqlite, path, from, now);
  let reached = from;
  try {
    sqlite.exec('BEGIN IMMEDIATE');
    for (const { version, read } of pending) {
      reached = version;
      sqlite.exec(read());
    }
    sqlite.exec(`PRAGMA user_version = ${to}; COMMIT`);
  } catch (error) {
    if (sqlite.inTransaction) sqlite.exec('ROLLBACK');
    const words = error instanceof Error ? error.message : String(error);
    throw new TorcError(
      'unusable',
      `cannot update ${path} to schema version ${reached}; it stays at ${versionOf(sqlite)}: ${words}`,
      'Check that its file system has free space and try again, or use the torc that wrote it.',
      { cause: error },
    );
  }
  return copyPath === null ? null : { from, to, copyPath };
}

export function unusable(path: string, words: string): TorcError {
  return new TorcError(
    'unusable',
    `${path} is damaged or is not a torc database: ${words}`,
    'Restore a backup (torc server restore FILE), or choose another directory with --dir. If the file never held anything, remove it.',
  );
}
