/** The copy of a database that is made before its schema is upgraded, so that the torc that wrote it can go on with it. */
import { closeSync, constants, fsyncSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type Sqlite from 'better-sqlite3';
import { systemCode, TorcError } from '../../base/errors.ts';
import { backupFolder, upgradeCopyName, upgradeCopyVersion } from '../../base/paths.ts';
import { syncFolder } from '../../base/trusted/folders.ts';
import {
  createPrivateFile,
  makePrivateFolder,
  movePrivateFile,
  openPrivateFile,
  temporaryName,
} from '../../base/trusted/private.ts';
import { formatMemory } from '../../base/units.ts';
import { markAsCopy, quickCheck } from './backup-copy.ts';

/** How many copies are kept, of any version; older ones are removed once there is a new one. */
const numKept = 3;

/**
 * Copies the open database of this schema version into the directory's folder of backups, and returns the copy's path.
 * Throws TorcError 'no_space' when there is too little room for the copy and the upgrade, and the database's error.
 */
export function copyBeforeUpgrade(sqlite: Sqlite.Database, path: string, version: number, now: number): string {
  const folder = backupFolder(dirname(path));
  refuseLittleSpace(sqlite, path, version);
  makePrivateFolder(folder);
  const target = join(folder, upgradeCopyName(version, now));
  const part = temporaryName(target);
  try {
    createPrivateFile(part, '');
    sqlite.prepare('VACUUM INTO ?').run(part);
    markAsCopy(part, now);
    const { found, schema_version: copied } = quickCheck(part);
    if (found !== 'ok' || copied !== version) {
      throw new TorcError(
        'unusable',
        `the copy of ${path} is damaged: ${found}`,
        'Restore a backup: torc server restore FILE',
      );
    }
    makeDurable(part);
    movePrivateFile(part, target);
    syncFolder(folder);
  } catch (error) {
    rmSync(part, { force: true });
    if (isFull(error)) throw tooLittleSpace(path, version, 'its file system is full or your quota is used up');
    throw error;
  }
  removeOlder(folder);
  return target;
}

function makeDurable(path: string): void {
  const file = openPrivateFile(path, constants.O_RDONLY);
  fsyncSync(file);
  closeSync(file);
}

function refuseLittleSpace(sqlite: Sqlite.Database, path: string, version: number): void {
  const number = (pragma: string): number => Number(sqlite.pragma(pragma, { simple: true }));
  // the copy, and what the upgrade writes: at most about all of it once more
  const neededBytes = 2 * number('page_count') * number('page_size');
  const { bavail, bsize, blocks } = statfsSync(dirname(path));
  const freeBytes = bavail * bsize;
  // some network file systems do not say how large they are
  if (blocks === 0 || freeBytes >= neededBytes) return;
  throw tooLittleSpace(
    path,
    version,
    `that takes ${formatMemory(neededBytes)}, and ${formatMemory(freeBytes)} is free`,
  );
}

function tooLittleSpace(path: string, version: number, why: string): TorcError {
  return new TorcError(
    'no_space',
    `${path} has the older schema version ${version} and cannot be copied before it is upgraded: ${why}`,
    'Free some space and try again, or use the torc that wrote it.',
  );
}

function isFull(error: unknown): boolean {
  return ['SQLITE_FULL', 'ENOSPC', 'EDQUOT'].includes(systemCode(error) ?? '');
}

function removeOlder(folder: string): void {
  for (const { name } of upgradeCopies(folder).slice(numKept)) {
    try {
      rmSync(join(folder, name), { force: true });
    } catch {
      // what cannot be removed is no reason not to upgrade
    }
  }
}

/** The newest first. */
function upgradeCopies(folder: string): { name: string; version: number }[] {
  const found = readdirSync(folder).flatMap((name) => {
    const version = upgradeCopyVersion(name);
    return version === null ? [] : [{ name, version, stamp: name.slice(name.lastIndexOf('_')) }];
  });
  return found.sort((a, b) => (a.stamp < b.stamp ? 1 : -1));
}

/** The newest copy that a torc of this schema version can use; null when there is none. */
export function newestCopyFor(directory: string, version: number): string | null {
  const folder = backupFolder(directory);
  try {
    const found = upgradeCopies(folder).find((copy) => copy.version <= version);
    return found === undefined ? null : join(folder, found.name);
  } catch {
    return null;
  }
}
