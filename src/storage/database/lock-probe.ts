/** Whether a file system keeps the locks by which SQLite keeps two processes apart. */
import { systemCode } from '../../base/errors.ts';
import { openSqlite } from './sqlite.ts';

/** Makes a database and locks it until the returned function is called. Throws the database's error. */
export function holdLock(path: string): () => void {
  const held = openSqlite(path, { timeout: 0 });
  held.exec('CREATE TABLE t (x); BEGIN EXCLUSIVE');
  return () => held.close();
}

/** Whether another process holds the lock of this database. Throws the database's error for anything else. */
export function isLocked(path: string): boolean {
  const probe = openSqlite(path, { timeout: 0, fileMustExist: true });
  try {
    probe.exec('BEGIN EXCLUSIVE');
    return false;
  } catch (error) {
    if (systemCode(error) === 'SQLITE_BUSY') return true;
    throw error;
  } finally {
    probe.close();
  }
}

export function sqliteVersion(): string {
  const memory = openSqlite(':memory:');
  try {
    return String(memory.prepare('SELECT sqlite_version()').pluck().get());
  } finally {
    memory.close();
  }
}
