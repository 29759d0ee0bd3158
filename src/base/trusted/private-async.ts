/** Private files where a file system may hang, which must not block this process: as private.ts, but asynchronous. */
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCode } from '../errors.ts';
import { refuseForeign } from './owners.ts';
import { temporaryName } from './private.ts';

const careful = constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Throws TorcError 'conflict' for a file that is not ours, and the system's error; then nothing is open. */
async function openPrivateFile(path: string, flags: number): Promise<FileHandle> {
  const file = await open(path, flags | careful, 0o600);
  try {
    refuseForeign(path, await file.stat(), 'file');
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Whether there is such a file, and it is ours. Opens it, because a network file system remembers for a while that one
 * was absent. Never fails.
 */
export async function isPrivateFileThere(path: string): Promise<boolean> {
  try {
    await (await openPrivateFile(path, constants.O_RDONLY)).close();
    return true;
  } catch {
    return false;
  }
}

/** Appends to a file with mode 0600, which is made where it is missing, and makes that durable. Throws as above. */
export async function appendDurably(path: string, text: string): Promise<void> {
  const file = await openPrivateFile(path, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND);
  try {
    await file.writeFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
}

/**
 * Puts a new file with mode 0600 in the place of what is at the path: a reader sees the old text or the new one. Throws the
 * system's error.
 */
export async function replacePrivately(path: string, text: string): Promise<void> {
  const temporary = temporaryName(path);
  try {
    const file = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    await file.writeFile(text).finally(() => file.close());
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/**
 * Makes a folder in one of the server directory's own, and that one too. Throws TorcError 'conflict' when the folder
 * exists and is not ours, and the system's error.
 */
export async function makeInnerFolder(path: string): Promise<void> {
  await makeFolder(dirname(path));
  if (!(await makeFolder(path))) refuseForeign(path, await lstat(path), 'folder');
}

/** False when there is something of this name already. */
async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    return false;
  }
}

/** Makes a folder only for this process, with a name that nobody can foresee, and returns its path. */
export function makeOwnFolder(parent: string, prefix: string): Promise<string> {
  return mkdtemp(join(parent, prefix));
}
