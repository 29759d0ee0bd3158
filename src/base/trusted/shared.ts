/**
 * Files below a directory in which others may put, rename and remove things: the output directory, which a person chose
 * and which may be a project's. What is found there is looked at on its descriptor, links are not followed, and pipes
 * are not waited for. Node has no openat: a path through /proc/self/fd stays in the folder that was checked, whatever
 * its name leads to by now.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  type Stats,
  statSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { systemCode, TorcError } from '../errors.ts';
import { makeFolders } from './folders.ts';
import { isOurs, kindOf } from './owners.ts';

const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const careful = O_NOFOLLOW | O_NONBLOCK;

/** A file in a folder that was checked. */
export interface Place {
  /** Leads into the checked folder as long as that is open. */
  path: string;
  /** The owner of the folder. */
  owner: number;
}

/**
 * Runs `use` with the place of a file below `root`. The folders between are made, with what the umask leaves, if
 * `isMade`. Throws TorcError 'conflict' when one of them is not ours, and the system's error, with the real path.
 */
export function below<T>(root: string, path: string, isMade: boolean, use: (place: Place) => T): T {
  const shown = dirname(path);
  const folders: number[] = [];
  try {
    for (const name of relative(root, shown).split('/').filter(Boolean)) {
      folders.push(openFolder(join(inside(folders, root), name), join(root, name), isMade));
    }
    const folder = folders.at(-1);
    const owner = (folder === undefined ? statSync(root) : fstatSync(folder)).uid;
    return use({ path: join(inside(folders, root), basename(path)), owner });
  } catch (error) {
    throw withRealPath(error, folders.at(-1), folders.length === 0 ? root : shown);
  } finally {
    for (const folder of folders) closeSync(folder);
  }
}

function inside(folders: readonly number[], root: string): string {
  const last = folders.at(-1);
  return last === undefined ? root : `/proc/self/fd/${last}`;
}

function withRealPath(error: unknown, folder: number | undefined, path: string): unknown {
  if (!(error instanceof Error) || folder === undefined) return error;
  error.message = error.message.replaceAll(`/proc/self/fd/${folder}/`, `${path}/`);
  return error;
}

/** A descriptor of a folder that is ours. A link to it that we made is followed: people move their output that way. */
function openFolder(at: string, shown: string, isMade: boolean): number {
  let folder: number;
  try {
    folder = openSync(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' && isMade) return openFolder(made(at), shown, false);
    const found = code === 'ELOOP' || code === 'ENOTDIR' ? lstatSync(at, { throwIfNoEntry: false }) : undefined;
    if (found === undefined) throw error;
    if (!found.isSymbolicLink() || !isOurs(found)) throw notOurs(shown, found);
    folder = openSync(at, O_RDONLY | O_DIRECTORY);
  }
  const found = fstatSync(folder);
  if (isOurs(found) || isOwnerOfNewFiles(folder, found)) return folder;
  closeSync(folder);
  throw notOurs(shown, found);
}

function made(path: string): string {
  makeFolders(dirname(path));
  try {
    mkdirSync(path);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
  return path;
}

function notOurs(path: string, found: Stats): TorcError {
  const what = found.isDirectory() ? '' : `, ${kindOf(found)},`;
  return new TorcError(
    'conflict',
    `${path}${what} was made by another user (uid ${found.uid})`,
    'Choose another output directory with -o/--output.',
  );
}

/** Owners that a file system gives to what this user makes, as `DEVICE UID`. */
const mappedOwners = new Set<string>();

/** Some network file systems give every file to one user: there, a folder of that user may be ours. */
function isOwnerOfNewFiles(folder: number, { dev, uid }: Stats): boolean {
  if (mappedOwners.has(`${dev} ${uid}`)) return true;
  const path = `/proc/self/fd/${folder}/.torc-${randomBytes(8).toString('hex')}`;
  try {
    const file = openSync(path, O_WRONLY | O_CREAT | O_EXCL, 0o600);
    const isMapped = fstatSync(file).uid === uid;
    closeSync(file);
    rmSync(path, { force: true });
    if (isMapped) mappedOwners.add(`${dev} ${uid}`);
    return isMapped;
  } catch {
    return false;
  }
}

function isOwnFile(found: Stats, owner: number): boolean {
  return found.isFile() && found.nlink <= 1 && (isOurs(found) || found.uid === owner);
}

/**
 * A descriptor that writes to an empty file, made with what the umask leaves. A file of ours is emptied, anything else
 * that has the name is removed first. Throws the system's error.
 */
export function openOutput({ path, owner }: Place, mode = 0o666): number {
  const file = openOwn(path, O_WRONLY | O_CREAT, owner, mode);
  if (file !== null) {
    if (fstatSync(file).size > 0) ftruncateSync(file);
    return file;
  }
  rmSync(path);
  return openSync(path, O_WRONLY | O_CREAT | O_EXCL | careful, mode);
}

/** A descriptor that appends to a file of ours with mode 0600; anything else that has the name is removed first. */
export function openOwnLog({ path, owner }: Place): number {
  let file = openOwn(path, O_WRONLY | O_CREAT | O_APPEND, owner, 0o600);
  if (file === null) {
    rmSync(path);
    file = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | careful, 0o600);
  }
  fchmodSync(file, 0o600);
  return file;
}

/** Null for what is not a file of ours. */
function openOwn(path: string, flags: number, owner: number, mode?: number): number | null {
  let file: number;
  try {
    file = openSync(path, flags | careful, mode);
  } catch (error) {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined || found.isDirectory() || isOwnFile(found, owner)) throw error;
    return null;
  }
  if (isOwnFile(fstatSync(file), owner)) return file;
  closeSync(file);
  return null;
}

/** A descriptor that reads a file of ours. Throws the system's error, EPERM for anything else. */
export function openOwnForReading({ path, owner }: Place): number {
  const file = openOwn(path, O_RDONLY, owner);
  if (file !== null) return file;
  throw Object.assign(new Error(`EPERM: ${path} is not a file of this user`), { code: 'EPERM' });
}
