/** Who owns a file or folder, and who else can change it. */
import { type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { TorcError } from '../errors.ts';
import { shellWord } from '../text.ts';

/** This process's effective user. */
export function ownUid(): number {
  return process.geteuid?.() ?? 0;
}

/** Whether this user or root is the owner. */
export function isOurs({ uid }: Pick<Stats, 'uid'>): boolean {
  return uid === 0 || uid === ownUid();
}

/**
 * Whether the owner of something in a folder is this user, root or, for root alone, the owner of the folder: root may
 * use the server directory of anybody, and then trusts that user.
 */
export function isOursIn(folder: string, found: Pick<Stats, 'uid'>): boolean {
  return isOurs(found) || (ownUid() === 0 && statSync(folder).uid === found.uid);
}

/** Whether others than the owner may change a file, or put something into a folder. */
export function isWritableByOthers({ mode }: Pick<Stats, 'mode'>): boolean {
  return (mode & 0o022) !== 0;
}

/** Whether others than the owner can reach what is in a folder. */
export function isOpenToOthers({ mode }: Pick<Stats, 'mode'>): boolean {
  return (mode & 0o011) !== 0;
}

export function shownMode({ mode }: Pick<Stats, 'mode'>): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}

/** What a path is, for messages: `a symbolic link`. */
export function kindOf(found: Stats): string {
  if (found.isSymbolicLink()) return 'a symbolic link';
  if (found.isDirectory()) return 'a directory';
  if (found.isFIFO()) return 'a named pipe';
  return found.isFile() ? 'a file' : 'a device or socket';
}

/** TorcError 'conflict' for something in a private folder that this user did not put there. */
export function notYours(path: string, problem: string): TorcError {
  return new TorcError('conflict', `${path} ${problem}`, `Remove what is not yours: rm -r ${shellWord(path)}`);
}

/** A link or pipe may be a trap; a folder or file of ours is a mistake, for which the system has a code. */
function otherKind(path: string, found: Stats): Error {
  if (!found.isFile() && !found.isDirectory()) return notYours(path, `is ${kindOf(found)}`);
  const code = found.isDirectory() ? 'EISDIR' : 'ENOTDIR';
  return Object.assign(new Error(`${code}: ${path} is ${kindOf(found)}`), { code });
}

/**
 * Throws TorcError 'conflict' unless a file or folder of a private folder is of the expected kind, ours, and not to be
 * changed by others. `found` is what its open descriptor, or lstat, says. Throws as the system does for one of ours
 * that is a folder instead of a file, or a file instead of a folder.
 */
export function refuseForeign(path: string, found: Stats, kind: 'file' | 'folder'): void {
  if (!isOursIn(dirname(path), found)) throw notYours(path, `belongs to another user (uid ${found.uid})`);
  if (kind === 'file' ? !found.isFile() : !found.isDirectory()) throw otherKind(path, found);
  if (!isWritableByOthers(found) || !isOpenToOthers(statSync(dirname(path)))) return;
  const problem = `can be changed by other users (mode ${shownMode(found)})`;
  throw new TorcError('conflict', `${path} ${problem}`, `Look at it, then remove it or: chmod go-w ${shellWord(path)}`);
}
