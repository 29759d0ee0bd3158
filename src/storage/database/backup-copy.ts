/** Reading a copy of the database that no process has open. */
import Sqlite from 'better-sqlite3';
import { TorcError } from '../../base/errors.ts';
import type { Database } from './database.ts';

type Table = 'workflows' | 'jobs' | 'attempts';

export function countRows(db: Database, table: Table): number {
  return db.get<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)?.n ?? 0;
}

/** Checks a backup as a whole and returns what is in it. Throws the database's own error, or TorcError 'unusable'. */
export function readCopy(path: string): { schema_version: number; num_workflows: number; num_jobs: number } {
  const copy = new Sqlite(path, { readonly: true, fileMustExist: true });
  try {
    const value = (sql: string): number => Number(copy.prepare(sql).pluck().get());
    const found = copy.pragma('integrity_check', { simple: true });
    if (found !== 'ok') {
      throw new TorcError(
        'unusable',
        `the copy ${path} is damaged: ${String(found)}`,
        'Check the database itself: torc server check',
      );
    }
    return {
      schema_version: Number(copy.pragma('user_version', { simple: true })),
      num_workflows: value('SELECT count(*) FROM workflows'),
      num_jobs: value('SELECT count(*) FROM jobs'),
    };
  } finally {
    copy.close();
  }
}

/** What a copy with its write-ahead log has, after a check of its pages: 'ok', or what is wrong. Changes the copy. */
export function quickCheck(path: string): { found: string; schema_version: number } {
  const copy = new Sqlite(path, { fileMustExist: true });
  try {
    return {
      found: String(copy.pragma('quick_check(1)', { simple: true })),
      schema_version: Number(copy.pragma('user_version', { simple: true })),
    };
  } finally {
    copy.close();
  }
}
