/** The schema of the database, from version to version. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type Sqlite from 'better-sqlite3';
import { TorcError } from '../../base/errors.ts';

interface Migration {
  version: number;
  sql: string;
}

/** The numbered schema files in order; each brings the schema from version n - 1 to n. */
function migrations(directory: string): Migration[] {
  return readdirSync(directory)
    .filter((name) => /^\d{3}_.*\.sql$/.test(name))
    .sort()
    .map((name) => ({ version: Number(name.slice(0, 3)), sql: readFileSync(join(directory, name), 'utf8') }));
}

/** Throws TorcError 'unusable' for the database of a newer torc or of another program. */
export function refuseForeignSchema(sqlite: Sqlite.Database, path: string, schema: string): void {
  const current = versionOf(sqlite);
  const newest = migrations(schema).at(-1)?.version ?? 0;
  if (current > newest) {
    throw new TorcError(
      'unusable',
      `${path} has schema version ${current}; this torc supports versions up to ${newest}`,
      'Use the newer torc that wrote it, or choose another directory with --dir.',
    );
  }
  if (current === 0 && sqlite.prepare('SELECT 1 FROM sqlite_master LIMIT 1').get() !== undefined) {
    throw unusable(path, 'another program created it');
  }
}

function versionOf(sqlite: Sqlite.Database): number {
  return Number(sqlite.pragma('user_version', { simple: true }));
}

/** Brings the schema up to date; throws TorcError 'unusable' when that fails, at the version that was reached. */
export function migrate(sqlite: Sqlite.Database, path: string, schema: string): void {
  const current = versionOf(sqlite);
  const pending = migrations(schema).filter((m) => m.version > current);
  for (const { version, sql } of current === 0 ? atOnce(pending) : pending) {
    try {
      sqlite.exec(`BEGIN IMMEDIATE; ${sql}; PRAGMA user_version = ${version}; COMMIT`);
    } catch (error) {
      if (sqlite.inTransaction) sqlite.exec('ROLLBACK');
      const words = error instanceof Error ? error.message : String(error);
      throw new TorcError(
        'unusable',
        `cannot update ${path} to schema version ${version}; it stays at ${versionOf(sqlite)}: ${words}`,
        'Check that its file system has free space and try again, or use the torc that wrote it.',
        { cause: error },
      );
    }
  }
}

/** A new database goes through no version that somebody could need: one COMMIT instead of dozens. */
function atOnce(all: readonly Migration[]): Migration[] {
  const version = all.at(-1)?.version ?? 0;
  return [{ version, sql: all.map(({ sql }) => sql).join(';\n') }];
}

export function unusable(path: string, words: string): TorcError {
  return new TorcError(
    'unusable',
    `${path} is damaged or is not a torc database: ${words}`,
    'Restore a backup, or choose another directory with --dir. If the file never held anything, remove it.',
  );
}
