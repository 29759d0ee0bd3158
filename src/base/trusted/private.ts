/**
 * Folders and files that only this user writes and then believes: the server directory and everything in it. Once a
 * folder and the way to it are checked, nobody else can rename or add anything there, so paths in it stay what they are;
 * each file is checked on its descriptor all the same, for what was left while the folder was open to others.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { hasStrictModes } from '../config.ts';
import { systemCode, TorcError } from '../errors.ts';
import { fullWords } from '../full-disk.ts';
import { shellWord } from '../text.ts';
import { makeFolders } from './folders.ts';
import { isForRootAlone, isOurs, isWritableByOthers, ownUid, refuseForeign, shownMode, userName } from './owners.ts';
import { unsafeParent } from './parents.ts';

/** Neither follows a link nor waits for the other end of a pipe. */
const careful = constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Throws TorcError 'conflict' for a server directory that is another user's, to which others can write, or in whose
 * place they could put another one. It need not be there. Throws the system's error for one that cannot be looked at.
 */
export function refuseUnsafePrivateFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false }) !== undefined) refuseSharedFolder(path);
  const problem = hasStrictModes() ? unsafeParent(path) : null;
  if (problem !== null) throw unsafe(path, problem);
}

/**
 * Makes the server directory with mode 0700 where it is missing. Throws as `refuseUnsafePrivateFolder`, also when one of
 * the `names` in it (`workers/*`: each one in that folder) was put there by somebody else, and the system's error when
 * it cannot be made.
 */
export function openPrivateFolder(path: string, names: readonly string[] = []): void {
  refuseUnsafePrivateFolder(path);
  makeFolders(path, 0o700);
  refuseSharedFolder(path);
  for (const name of names.flatMap((name) => (name.endsWith('/*') ? entries(path, name.slice(0, -2)) : [name]))) {
    const found = lstatSync(`${path}/${name}`, { throwIfNoEntry: false });
    if (found !== undefined) refuseForeign(`${path}/${name}`, found, found.isDirectory() ? 'folder' : 'file');
  }
}

function entries(path: string, folder: string): string[] {
  const found = lstatSync(`${path}/${folder}`, { throwIfNoEntry: false });
  if (found === undefined) return [];
  refuseForeign(`${path}/${folder}`, found, 'folder');
  return readdirSync(`${path}/${folder}`).map((name) => `${folder}/${name}`);
}

function unsafe(path: string, problem: string): TorcError {
  const owner = ownUid() === 0 ? statSync(nearestFolder(path)).uid : 0;
  return new TorcError(
    'conflict',
    `the server directory ${path} is not safe: ${problem}, so they could run commands as you`,
    owner === 0
      ? 'Choose another with --dir, such as ~/.torc. TORC_STRICT_MODES=no accepts it: only if you trust all of them completely.'
      : byOwner(owner),
  );
}

/** The folder itself or the nearest one above it that exists. */
function nearestFolder(path: string): string {
  return statSync(path, { throwIfNoEntry: false }) === undefined ? nearestFolder(dirname(path)) : path;
}

/** What root types instead of a command in the directory of another user. */
function byOwner(uid: number): string {
  return `Run torc as its owner (sudo -u ${shellWord(userName(uid))} torc ..), or choose another directory with --dir.`;
}

/** Turns a system error about a server directory into a TorcError with advice; returns any other error unchanged. */
export function explainDirectory(error: unknown, directory: string): unknown {
  const code = systemCode(error);
  if (error instanceof TorcError || code === null) return error;
  const full = fullWords(code, directory);
  if (full !== null) {
    const isFull = code === 'ENOSPC' || code === 'EDQUOT';
    return new TorcError(isFull ? 'no_space' : 'unusable', full.problem, `${full.advice} Then try again.`);
  }
  return new TorcError(
    'unusable',
    `cannot use the server directory ${directory} (${code})`,
    'Check that it is a directory, yours and writable, or choose another one with --dir.',
  );
}

/**
 * Throws TorcError 'conflict' for a server directory that belongs to somebody else, or to which others can write. Root
 * too has to act as the owner, who could not use what root leaves there.
 */
export function refuseSharedFolder(path: string): void {
  const found = statSync(path);
  if (!isOurs(found)) {
    const owner =
      ownUid() === 0
        ? `${userName(found.uid)} (uid ${found.uid}), who could not use what root leaves there`
        : `another user (uid ${found.uid})`;
    const hint = ownUid() === 0 ? byOwner(found.uid) : 'Choose another directory with --dir.';
    throw new TorcError('conflict', `the server directory ${path} belongs to ${owner}`, hint);
  }
  if (isForRootAlone(path, found)) {
    throw new TorcError(
      'conflict',
      `the server directory ${path} belongs to root, and only root can use it`,
      'Choose another directory with --dir. If root made it for you, root can give it to you with chown.',
    );
  }
  if (!isWritableByOthers(found)) return;
  throw new TorcError(
    'conflict',
    `other users can write to the server directory ${path} (mode ${shownMode(found)}), so they could run commands as you`,
    `chmod go-w ${shellWord(path)}`,
  );
}

/** Makes a folder inside a private one; one that exists must be ours. Throws TorcError 'conflict' or the system's error. */
export function makePrivateFolder(path: string): void {
  makeFolders(path, 0o700);
  refuseForeign(path, lstatSync(path), 'folder');
}

/** The open file after it was checked; closed when it is refused. */
function checked(path: string, file: number): number {
  try {
    refuseForeign(path, fstatSync(file), 'file');
    return file;
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

/**
 * A descriptor of a file that is ours, with flags of open(2); a new one gets mode 0600. Throws TorcError 'conflict' for
 * anything else, and the system's error.
 */
export function openPrivateFile(path: string, flags: number): number {
  try {
    return checked(path, openSync(path, flags | careful, 0o600));
  } catch (error) {
    const found = systemCode(error) === null ? undefined : lstatSync(path, { throwIfNoEntry: false });
    if (found !== undefined) refuseForeign(path, found, 'file');
    throw error;
  }
}

/** Runs `use` with an open file, and closes it. */
function using<T>(file: number, use: (file: number) => T): T {
  try {
    return use(file);
  } finally {
    closeSync(file);
  }
}

/** The text of a file, null when there is none. Throws TorcError 'conflict' for one that is not ours. */
export function readPrivateFile(path: string): string | null {
  try {
    return using(openPrivateFile(path, constants.O_RDONLY), (file) => readFileSync(file, 'utf8'));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Whether there is such a file. Opens it, because a network file system remembers for a while that one was absent. */
export function isPrivateFile(path: string): boolean {
  try {
    closeSync(openPrivateFile(path, constants.O_RDONLY));
    return true;
  } catch (error) {
    if (systemCode(error) === null) throw error;
    return false;
  }
}

/** Makes a file with mode 0600. Throws the system's error EEXIST when there is anything at the path. */
export function createPrivateFile(path: string, text: string): void {
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  using(file, () => writeFileSync(file, text));
}

/** A name beside a path that nobody can foresee. */
export function temporaryName(path: string): string {
  return `${path}.${randomBytes(8).toString('hex')}`;
}

/** Puts a new file with mode 0600 in the place of what is at the path: a reader sees the old text or the new one. */
export function replacePrivateFile(path: string, text: string): void {
  const temporary = temporaryName(path);
  try {
    createPrivateFile(temporary, text);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Replaces a file by a durable copy of itself that no process has open. Throws the system's error. */
export function replaceByOwnCopy(path: string): void {
  const copy = temporaryName(path);
  copyFileSync(path, copy, constants.COPYFILE_EXCL);
  using(openPrivateFile(copy, constants.O_RDONLY), fsyncSync);
  renameSync(copy, path);
}

/**
 * Makes a durable copy of a file, with mode 0600, where nothing is yet. Where the file system can, both share their blocks.
 * Throws the system's error.
 */
export function copyIntoPrivate(from: string, to: string): void {
  copyFileSync(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  using(openPrivateFile(to, constants.O_RDWR), (file) => {
    fchmodSync(file, 0o600);
    fsyncSync(file);
  });
}

/** Renames a file within a private folder. Throws the system's error. */
export function movePrivateFile(from: string, to: string): void {
  renameSync(from, to);
}

/** Writes a text over the file itself, which is made where it is missing. */
export function overwritePrivateFile(path: string, text: string): void {
  using(openPrivateFile(path, constants.O_WRONLY | constants.O_CREAT), (file) => {
    ftruncateSync(file);
    writeFileSync(file, text);
  });
}

/** A descriptor that appends to a file with mode 0600, which is made where it is missing. */
export function openForAppending(path: string): number {
  const file = openPrivateFile(path, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND);
  if ((fstatSync(file).mode & 0o077) !== 0) fchmodSync(file, 0o600);
  return file;
}
