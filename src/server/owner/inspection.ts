/** A look at a server directory that leaves everything in it as it was. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { schemaVersion } from '../../base/program.ts';
import { copyToScratch, makeScratchFolder, removeScratchFolder } from '../../base/trusted/scratch.ts';
import { quickCheck, readHeader } from '../../storage/database/backup-copy.ts';
import { holdLock, isLocked, sqliteVersion } from '../../storage/database/lock-probe.ts';
import { presentHolder } from './ownership.ts';

export { isLocked, presentHolder, sqliteVersion };

/** Of a larger database only the header is read: the look shall take no longer than other short commands. */
const mostCopiedBytes = 16 * 1024 * 1024;

export interface DatabaseLook {
  sizeBytes: number;
  /** Null when nothing was read. */
  schemaVersion: number | null;
  /** What is wrong; null when nothing is found. */
  problem: string | null;
  /** Why its pages were not read; null when they were. */
  unread: 'in use' | 'large' | null;
}

/** Null where there is no database. Throws the system's error, or the database's for a file that is none. */
export function lookAtDatabase(directory: string): DatabaseLook | null {
  const path = join(directory, 'torc.db');
  const before = stateOf(path);
  if (before === null) return null;
  const look = { sizeBytes: before.sizeBytes, schemaVersion: null, problem: null };
  if (presentHolder(directory) !== null) return { ...look, unread: 'in use' };
  if (before.sizeBytes > mostCopiedBytes) return { ...look, ...lookAtHeader(path), unread: 'large' };
  const scratch = makeScratchFolder('torc-doctor-');
  try {
    const copy = join(scratch, 'torc.db');
    copyToScratch(path, copy);
    if (existsSync(`${path}-wal`)) copyToScratch(`${path}-wal`, `${copy}-wal`);
    const { found, schema_version } = quickCheck(copy);
    // a copy that was made while it was written says nothing
    if (presentHolder(directory) !== null || stateOf(path)?.stamp !== before.stamp)
      return { ...look, unread: 'in use' };
    return { ...look, schemaVersion: schema_version, problem: found === 'ok' ? null : found, unread: null };
  } finally {
    removeScratchFolder(scratch);
  }
}

/** The size of the database of an older torc, as long as that has not been upgraded; null for any other and a new one. */
export function olderDatabaseBytes(directory: string): number | null {
  const path = join(directory, 'torc.db');
  const found = stateOf(path);
  const version = found === null ? null : (readHeader(path)?.schemaVersion ?? null);
  // the header of one that is being made has version 0
  const isOlder = version !== null && version > 0 && version < schemaVersion();
  return found !== null && isOlder ? found.sizeBytes : null;
}

function lookAtHeader(path: string): Pick<DatabaseLook, 'schemaVersion' | 'problem'> {
  const header = readHeader(path);
  if (header === null) return { schemaVersion: null, problem: 'it is no SQLite database' };
  const { schemaVersion, sizeBytes } = header;
  // pages may still be only in the log
  const hasLog = (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
  const isShort = !hasLog && statSync(path).size < sizeBytes;
  return { schemaVersion, problem: isShort ? 'the file is shorter than its header says' : null };
}

function stateOf(path: string): { sizeBytes: number; stamp: string } | null {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return null;
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false });
  const stamp = [found.mtimeMs, found.size, log?.mtimeMs, log?.size].join(' ');
  return { sizeBytes: found.size + (log?.size ?? 0), stamp };
}

/**
 * Whether another process sees the lock of a file in this directory, and how far the clock of its file system is ahead,
 * in seconds. `asks` lets another process look. Removes what it made. Throws the system's or the database's error.
 */
export async function probeFolder(
  directory: string,
  asks: (path: string) => Promise<boolean>,
): Promise<{ hasLocks: boolean; aheadSeconds: number }> {
  const scratch = makeScratchFolder('.torc-doctor-', directory);
  try {
    const path = join(scratch, 'locked');
    const startedAt = Date.now();
    const release = holdLock(path);
    const { mtimeMs } = statSync(path);
    const endedAt = Date.now();
    try {
      const ahead = mtimeMs > endedAt ? mtimeMs - endedAt : Math.min(0, mtimeMs - startedAt);
      return { hasLocks: await asks(path), aheadSeconds: ahead / 1000 };
    } finally {
      release();
    }
  } finally {
    removeScratchFolder(scratch);
  }
}
