/** Who owns a file or folder, and who else can change it. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, type Stats, statSync } from 'node:fs';
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

/** Whether others than the owner may change a file, or put something into a folder. */
export function isWritableByOthers({ mode }: Pick<Stats, 'mode'>): boolean {
  return (mode & 0o022) !== 0;
}

/** Whether others than the owner can reach what is in a folder. */
export function isOpenToOthers({ mode }: Pick<Stats, 'mode'>): boolean {
  return (mode & 0o011) !== 0;
}

/** The name of a user for messages and commands, `#1234` where the system has none, as sudo takes it. */
export function userName(uid: number): string {
  if (uid === 0) return 'root';
  try {
    const line = execFileSync('getent', ['passwd', String(uid)], { encoding: 'utf8', timeout: 5_000 });
    return line.slice(0, line.indexOf(':')) || `#${uid}`;
  } catch {
    return `#${uid}`;
  }
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

/** Whether a file or folder is root's and this user can do nothing with it: a command of root has left it behind. */
export function isForRootAlone(path: string, found: Stats): boolean {
  if (found.uid !== 0 || ownUid() === 0) return false;
  const { R_OK, W_OK, X_OK } = constants;
  try {
    accessSync(path, found.isDirectory() ? R_OK | W_OK | X_OK : R_OK | W_OK);
    return false;
  } catch {
    return true;
  }
}

/**
 * Throws TorcError 'conflict' unless a file or folder of a private folder is of the expected kind, ours, without another
 * name, and not to be changed by others. `found` is what its open descriptor, or lstat, says. Throws as the system does
 * for one of ours that is a folder instead of a file, or a file instead of a folder.
 */
export function refuseForeign(path: string, found: Stats, kind: 'file' | 'folder'): void {
  const folder = dirname(path);
  if (!isOurs(found)) throw notYours(path, `belongs to another user (uid ${found.uid})`);
  if (kind === 'file' ? !found.isFile() : !found.isDirectory()) throw otherKind(path, found);
  if (isForRootAlone(path, found)) {
    throw new TorcError(
      'conflict',
      `${path} belongs to root, and only root can use it: root has run torc here`,
      `Let root give it back to you: sudo chown -R ${shellWord(`${userName(ownUid()).replace('#', '')}:`)} ${shellWord(folder)}`,
    );
  }
  if (kind === 'file' && found.nlink > 1) {
    const [own, copy] = [shellWord(path), shellWord(`${path}.copy`)];
    throw new TorcError(
      'conflict',
      `${path} has another name as well (a hard link): what torc writes to it would appear there too`,
      `Look at it, then put a copy in its place: cp -p ${own} ${copy} && mv ${copy} ${own}`,
    );
  }
  if (!isWritableByOthers(found) || !isOpenToOthers(statSync(folder))) return;
  const problem = `can be changed by other users (mode ${shownMode(found)})`;
  throw new TorcError('conflict', `${path} ${problem}`, `Look at it, then remove it or: chmod go-w ${shellWord(path)}`);
}
