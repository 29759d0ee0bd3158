/**
 * Puts a backup in the place of the database of a directory. At each instant the directory has the one or the other: the
 * backup is copied and checked beside the database, the database is copied to where it is kept, and then one rename
 * replaces it. The next opening finds the mark of a copy, and goes on above everything that the replaced one gave out.
 */
import { accessSync, constants, existsSync, lstatSync, rmSync, type Stats, statfsSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Clock, isoInstant } from '../../base/clock.ts';
import { asTorcError, systemCode, TorcError } from '../../base/errors.ts';
import { backupFolder, replacedName, serverDirectoryNames } from '../../base/paths.ts';
import { schemaVersion } from '../../base/program.ts';
import { shellWord } from '../../base/text.ts';
import { syncFolder } from '../../base/trusted/folders.ts';
import { refuseForeign } from '../../base/trusted/owners.ts';
import {
  copyIntoPrivate,
  explainDirectory,
  makePrivateFolder,
  movePrivateFile,
  openPrivateFolder,
  temporaryName,
} from '../../base/trusted/private.ts';
import { copyToScratch, makeScratchFolder, removeScratchFolder } from '../../base/trusted/scratch.ts';
import { formatMemory } from '../../base/units.ts';
import { type CopyContent, markAsCopy, originOf, readCopy, takeInLog } from '../../storage/database/backup-copy.ts';
import { heldBy, Ownership, takenBy } from './ownership.ts';

export interface RestoreOptions {
  directory: string;
  backup: string;
  dryRun: boolean;
  clock: Clock;
  /** What this process was started for; others that want the database see it. */
  command: string;
}

export interface Restored {
  dry_run: boolean;
  directory: string;
  backup: CopyContent & {
    path: string;
    /** When it was made; null for a copy that torc has not made. */
    copied_at: string | null;
    /** Whether the next command upgrades it. */
    is_older: boolean;
  };
  /** The database that is there now; null where there is none. */
  replaced: {
    /** Null for one that cannot be read, as for the other counts. */
    schema_version: number | null;
    num_workflows: number | null;
    num_jobs: number | null;
    /** Whether the backup is one of this database: workers that run work for it, and for no other. */
    is_same_database: boolean;
    kept_path: string;
  } | null;
}

/**
 * Throws TorcError 'busy' while anything uses the database, 'usage' or 'unusable' for what is no whole backup, 'no_space'
 * before anything is replaced.
 */
export async function restoreBackup(options: RestoreOptions): Promise<Restored> {
  const { directory, backup, dryRun, clock, command } = options;
  const path = join(directory, 'torc.db');
  refuseOther(backup, readableBackup(backup), directory);
  if (dryRun && !existsSync(directory)) return planInScratch(options);
  let ownership: Ownership;
  try {
    openPrivateFolder(directory, serverDirectoryNames);
    ownership = await Ownership.take(directory, clock, command);
  } catch (error) {
    throw explainDirectory(error, directory);
  }
  const copy = temporaryName(path);
  try {
    refuseLittleSpace(directory, backup, path);
    copyIntoPrivate(backup, copy);
    const restored = plan(options, copy);
    if (!dryRun) replace(path, copy, restored.replaced?.kept_path ?? null, ownership);
    return restored;
  } catch (error) {
    throw explainDirectory(error, directory);
  } finally {
    rmSync(copy, { force: true });
    ownership.release();
  }
}

/** A dry run makes no directory. */
function planInScratch(options: RestoreOptions): Restored {
  const scratch = makeScratchFolder('torc-restore-');
  try {
    const copy = join(scratch, 'torc.db');
    copyToScratch(options.backup, copy);
    return plan(options, copy);
  } finally {
    removeScratchFolder(scratch);
  }
}

/** Everything that is known before anything is replaced; `copy` becomes the copy to put into place. */
function plan({ directory, backup, dryRun, clock }: RestoreOptions, copy: string): Restored {
  const { content, identity, copiedAt } = checked(backup, copy, clock.now());
  const present = presentDatabase(directory);
  return {
    dry_run: dryRun,
    directory,
    backup: {
      path: backup,
      ...content,
      copied_at: isoInstant(copiedAt),
      is_older: content.schema_version < schemaVersion(),
    },
    replaced:
      present === null
        ? null
        : {
            schema_version: present.content?.schema_version ?? null,
            num_workflows: present.content?.num_workflows ?? null,
            num_jobs: present.content?.num_jobs ?? null,
            is_same_database: identity !== null && present.content?.identity === identity,
            kept_path: join(backupFolder(directory), replacedName(clock.now())),
          },
  };
}

function checked(
  backup: string,
  copy: string,
  now: number,
): { content: CopyContent; identity: number | null; copiedAt: number | null } {
  let origin: ReturnType<typeof originOf>;
  let content: CopyContent;
  try {
    origin = originOf(copy);
    markAsCopy(copy, origin.copiedAt ?? now);
    content = readCopy(copy);
  } catch (error) {
    const code = systemCode(error) ?? '';
    if (code === 'SQLITE_FULL') throw error;
    if (!(error instanceof TorcError) && !code.startsWith('SQLITE_')) throw error;
    const words = error instanceof TorcError ? 'it is damaged' : asTorcError(error).message;
    throw new TorcError('unusable', `${backup} is not a sound copy of a torc database: ${words}`, otherBackup);
  }
  const newest = schemaVersion();
  if (content.schema_version > newest) {
    throw new TorcError(
      'unusable',
      `${backup} has schema version ${content.schema_version}; this torc supports versions up to ${newest}`,
      'Restore it with the newer torc that made it.',
    );
  }
  return { content, ...origin };
}

const otherBackup = 'Nothing was replaced. Choose another backup.';

function presentDatabase(directory: string): { content: ReturnType<typeof takeInLog> } | null {
  const path = join(directory, 'torc.db');
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return null;
  refuseForeign(path, found, 'file');
  try {
    return { content: takeInLog(path) };
  } catch (error) {
    // a process that has left no note about itself
    if ((systemCode(error) ?? '').startsWith('SQLITE_BUSY')) throw heldBy(directory, null);
    throw error;
  }
}

/** Killed at any instant, this leaves the old database or the new one. */
function replace(path: string, copy: string, keptPath: string | null, ownership: Ownership): void {
  const log = `${path}-wal`;
  if (keptPath !== null) {
    makePrivateFolder(dirname(keptPath));
    // a database that cannot be read keeps its log
    if (existsSync(log)) copyAs(log, `${keptPath}-wal`);
    copyAs(path, keptPath);
    syncFolder(dirname(keptPath));
  }
  // on another host this process may have seemed to be gone, while it copied
  if (!ownership.isKept()) throw takenBy(dirname(path));
  movePrivateFile(copy, path);
  // until it is gone, it lies beside a copy, and SQLite is not shown it
  rmSync(log, { force: true });
  syncFolder(dirname(path));
}

function copyAs(from: string, to: string): void {
  const part = temporaryName(to);
  try {
    copyIntoPrivate(from, part);
    movePrivateFile(part, to);
  } finally {
    rmSync(part, { force: true });
  }
}

function readableBackup(backup: string): Stats {
  try {
    const found = statSync(backup);
    if (!found.isFile()) throw new TorcError('usage', `${backup} is not a file`, 'Name a backup.');
    accessSync(backup, constants.R_OK);
    return found;
  } catch (error) {
    const code = systemCode(error);
    if (error instanceof TorcError || code === null) throw error;
    if (code === 'ENOENT') throw new TorcError('not_found', `there is no file ${backup}`, 'Name a backup.');
    throw new TorcError('usage', `cannot read ${backup} (${code})`, 'Name a backup.', { cause: error });
  }
}

function refuseOther(backup: string, found: Stats, directory: string): void {
  let database: Stats | undefined;
  try {
    database = statSync(join(directory, 'torc.db'), { throwIfNoEntry: false });
  } catch (error) {
    throw explainDirectory(error, directory);
  }
  if (found.ino === database?.ino && found.dev === database.dev) {
    throw new TorcError('usage', `${backup} is the database itself`, 'Name a backup.');
  }
  if ((statSync(`${backup}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) {
    throw new TorcError(
      'usage',
      `${backup} is part of a database that may be in use: part of it is in ${basename(backup)}-wal`,
      `Make a backup of it first: torc --dir ${shellWord(dirname(backup))} server backup FILE`,
    );
  }
}

/** For the copy of the backup and that of the database; a copy of a few pages more is made when it is marked. */
function refuseLittleSpace(directory: string, backup: string, path: string): void {
  const size = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  const neededBytes = size(backup) + size(path) + size(`${path}-wal`);
  const { bavail, bsize, blocks } = statfsSync(directory);
  const freeBytes = bavail * bsize;
  if (blocks === 0 || freeBytes >= neededBytes) return;
  throw new TorcError(
    'no_space',
    `restoring ${backup} takes ${formatMemory(neededBytes)} in ${directory}, and ${formatMemory(freeBytes)} is free`,
    'Free some space and try again.',
  );
}
