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
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
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
 * Runs `use` with the place of a file below `root`. The folders between are made if `isMade`; the umask decides who can
 * read them. Throws TorcError 'conflict' when one of them is not ours, and the system's error, with the real path.
 */
export function below<T>(root: string, path: string, isMade: boolean, use: (place: Place) => T): T {
  const shown = dirname(path);
  const folders: number[] = [];
  try {
    let at = root;
    for (const name of relative(root, shown).split('/').filter(Boolean)) {
      at = join(at, name);
      folders.push(openFolder(join(inside(folders, root), name), at, isMade));
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
    // nobody else puts anything there, whatever the umask leaves to a group
    mkdirSync(path, 0o755);
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

/** Whether it is a regular file of ours, without another name. */
export function isOwnFile(found: Stats, owner: number): boolean {
  return found.isFile() && found.nlink <= 1 && (isOurs(found) || found.uid === owner);
}

/**
 * A descriptor of a file of ours, with flags of open(2); with O_CREAT it is made where it is missing, and anything else
 * that has the name is removed first. Throws the system's error, EPERM for what is not ours and not to be removed.
 */
export function openOwnFile({ path, owner }: Place, flags: number, mode = 0o666): number {
  let file: number | null = null;
  try {
    file = openSync(path, flags | careful, mode);
    if (isOwnFile(fstatSync(file), owner)) return file;
  } catch (error) {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined || found.isDirectory() || isOwnFile(found, owner)) throw error;
  }
  if (file !== null) closeSync(file);
  if ((flags & O_CREAT) === 0)
    throw Object.assign(new Error(`EPERM: ${path} is not a file of this user`), { code: 'EPERM' });
  rmSync(path);
  return openSync(path, flags | O_EXCL | careful, mode);
}

/** A descriptor that writes to an empty file, a new one or one of ours. */
export function openOutput(place: Place, mode = 0o666): number {
  const file = openOwnFile(place, O_WRONLY | O_CREAT, mode);
  if (fstatSync(file).size > 0) ftruncateSync(file);
  return file;
}

/** A descriptor that reads a file of ours. Throws the system's error, EPERM for anything else. */
export function openOwnForReading(place: Place): number {
  return openOwnFile(place, O_RDONLY);
}

/** Whether this user made a link of this name; what it leads to does not matter. Throws the system's error. */
export function isOwnLink({ path, owner }: Place): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isSymbolicLink() === true && (isOurs(found) || found.uid === owner);
}

/** Writes all of a text to a descriptor. */
export function writeText(file: number, text: string): void {
  writeFileSync(file, text);
}

/** A descriptor that appends to a log that nobody else can read. */
export function openOwnLog(place: Place): number {
  const file = openOwnFile(place, O_WRONLY | O_CREAT | O_APPEND, 0o600);
  fchmodSync(file, 0o600);
  return file;
}

/** The same for a file that a job writes: a link that this user made is followed, wherever it leads. */
export function openOwnOrLinked(place: Place): number {
  const { path } = place;
  return isOwnLink(place) ? openSync(path, O_RDONLY | O_NONBLOCK) : openOwnForReading(place);
}

export interface OpenFile {
  file: number;
  /** In bytes, when it was opened. */
  size: number;
}

/** A descriptor of a regular file of anybody, to be read; neither a link nor the other end of a pipe is waited for. */
export function openRegularFile(path: string): OpenFile {
  const file = openSync(path, O_RDONLY | careful);
  const found = fstatSync(file);
  if (found.isFile()) return { file, size: found.size };
  closeSync(file);
  throw Object.assign(new Error(`EINVAL: ${path} is not a regular file`), { code: 'EINVAL' });
}

/** A file that a person named, while it is written. */
export interface NewFile {
  write(data: string | Uint8Array): void;
  /** Puts it in the place of what has its name. */
  finish(): void;
  discard(): void;
}

/**
 * Writes beside the path under a name that nobody can foresee, and appears under its own name only when it is complete;
 * what is not complete when the process exits is removed.
 * What is no regular file, such as a pipe or /dev/stdout, is written to directly. Throws the system's error.
 */
export function newFile(path: string): NewFile {
  const isSpecial = statSync(path, { throwIfNoEntry: false })?.isFile() === false;
  const written = isSpecial ? path : `${path}.${randomBytes(8).toString('hex')}`;
  const file = openSync(written, O_WRONLY | (isSpecial ? 0 : O_CREAT | O_EXCL), 0o666);
  const remove = () => {
    if (!isSpecial) rmSync(written, { force: true });
  };
  // before other listeners, which may end the process at once
  process.prependListener('exit', remove);
  return {
    write: (data) => writeFileSync(file, data),
    finish() {
      closeSync(file);
      if (!isSpecial) renameSync(written, path);
      process.off('exit', remove);
    },
    discard() {
      process.off('exit', remove);
      remove();
    },
  };
}

/** Writes a file that a person named. Throws the system's error. */
export function writeNewFile(path: string, text: string): void {
  const file = newFile(path);
  try {
    file.write(text);
    file.finish();
  } catch (error) {
    file.discard();
    throw error;
  }
}

/** Writes a file only for this user, where there must not be one of that name. Throws the system's error. */
export function writeOwnNewFile(path: string, bytes: Uint8Array): void {
  writeFileSync(path, bytes, { flag: 'wx', mode: 0o600 });
}
