/** Databases that no process has open: copies, and one that is about to be replaced. */
import { closeSync, constants, readSync } from 'node:fs';
import type Sqlite from 'better-sqlite3';
import { systemCode, TorcError } from '../../base/errors.ts';
import { openPrivateFile } from '../../base/trusted/private.ts';
import { openSqlite } from './sqlite.ts';

export interface CopyContent {
  schema_version: number;
  num_workflows: number;
  num_jobs: number;
}

/** Checks a backup as a whole and returns what is in it. Throws the database's own error, or TorcError 'unusable'. */
export function readCopy(path: string): CopyContent {
  const copy = openSqlite(path, { readonly: true, fileMustExist: true });
  try {
    const found = copy.pragma('integrity_check', { simple: true });
    if (found !== 'ok') {
      throw new TorcError(
        'unusable',
        `the copy ${path} is damaged: ${String(found)}`,
        'Check the database itself: torc server check',
      );
    }
    return contentOf(copy);
  } finally {
    copy.close();
  }
}

function contentOf(copy: Sqlite.Database): CopyContent {
  const value = (sql: string): number => Number(copy.prepare(sql).pluck().get());
  return {
    schema_version: Number(copy.pragma('user_version', { simple: true })),
    num_workflows: value('SELECT count(*) FROM workflows'),
    num_jobs: value('SELECT count(*) FROM jobs'),
  };
}

/** Which database a copy is one of, and when it was made; null where it does not say. */
export function originOf(path: string): { identity: number | null; copiedAt: number | null } {
  const copy = openSqlite(path, { readonly: true, fileMustExist: true });
  try {
    const meta = (name: string) => copy.prepare('SELECT value FROM meta WHERE name = ?').pluck().get(name);
    return { identity: (meta('identity') as number) ?? null, copiedAt: (meta('copied_at') as number) ?? null };
  } finally {
    copy.close();
  }
}

/** What the file itself says, without its log: null for one that is no database. Throws the system's error. */
export function readHeader(path: string): { schemaVersion: number; sizeBytes: number } | null {
  const header = Buffer.alloc(100);
  const file = openPrivateFile(path, constants.O_RDONLY);
  readSync(file, header, 0, header.length, 0);
  closeSync(file);
  if (header.toString('latin1', 0, 16) !== 'SQLite format 3\0') return null;
  // 65536 has no place in two bytes
  const pageBytes = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16);
  return { schemaVersion: header.readUInt32BE(60), sizeBytes: pageBytes * header.readUInt32BE(28) };
}

/**
 * Takes the log of a database into its file, and returns what is in it; null for one that cannot be read. Throws the
 * database's error SQLITE_BUSY while another process has it open.
 */
export function takeInLog(path: string): (CopyContent & { identity: number | null }) | null {
  // SQLite would remove the log of a file that it does not know
  if (readHeader(path) === null) return null;
  const sqlite = openSqlite(path, { timeout: 0, fileMustExist: true });
  try {
    sqlite.pragma('locking_mode = EXCLUSIVE');
    sqlite.exec('BEGIN EXCLUSIVE; COMMIT');
    const identity = sqlite.prepare(`SELECT value FROM meta WHERE name = 'identity'`).pluck().get();
    return { ...contentOf(sqlite), identity: (identity as number) ?? null };
  } catch (error) {
    if ((systemCode(error) ?? '').startsWith('SQLITE_BUSY')) throw error;
    return null;
  } finally {
    sqlite.close();
  }
}

/** Marks a copy as one, so that torc knows a restored backup, and leaves it as one file without a log. */
export function markAsCopy(path: string, now: number): void {
  const copy = openSqlite(path, { timeout: 0 });
  try {
    copy.pragma('locking_mode = EXCLUSIVE');
    copy.prepare(`INSERT OR REPLACE INTO meta (name, value) VALUES ('copied_at', ?)`).run(now);
    copy.pragma('journal_mode = DELETE');
  } finally {
    copy.close();
  }
}

/** What a copy with its write-ahead log has, after a check of its pages: 'ok', or what is wrong. Changes the copy. */
export function quickCheck(path: string): { found: string; schema_version: number } {
  const copy = openSqlite(path, { fileMustExist: true });
  try {
    return {
      found: String(copy.pragma('quick_check(1)', { simple: true })),
      schema_version: Number(copy.pragma('user_version', { simple: true })),
    };
  } finally {
    copy.close();
  }
}
