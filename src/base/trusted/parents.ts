/**
 * Whether somebody else could put another folder in the place of one that is ours, by renaming it or a parent. This is
 * what `StrictModes` of ssh asks, from the root of the file system down.
 */
import { execFileSync } from 'node:child_process';
import { lstatSync, readFileSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { systemCode } from '../errors.ts';
import { isOpenToOthers, isOurs, isWritableByOthers, ownUid, shownMode } from './owners.ts';

/** As many links as the kernel follows. */
const mostLinks = 40;

/**
 * Why the way to a folder is not safe, as a sentence about one of its parents; null when it is safe. Parents that are
 * missing are safe, because this process will make them. Below a folder that only its owner can enter, nothing else
 * matters. Throws the system's error for a way that cannot be looked at.
 */
export function unsafeParent(path: string): string | null {
  return unsafeWay(path, false);
}

/** Why others can change what is in a folder or put another one in its place; null when they cannot. */
export function unsafeFolder(path: string): string | null {
  return unsafeWay(path, true);
}

function unsafeWay(path: string, isWhole: boolean): string | null {
  // root may work in the folder of anybody, and then trusts that user
  const owner = ownUid() === 0 ? (statSync(path, { throwIfNoEntry: false })?.uid ?? 0) : 0;
  const names = resolve(path).split('/').filter(Boolean);
  let at = '/';
  let numLinks = 0;
  let isShielded = false;
  for (;;) {
    const folder = lstatSync(at);
    isShielded ||= !isOpenToOthers(folder);
    const problem = isShielded ? null : folderProblem(at, folder, owner);
    if (problem !== null) return problem;
    const name = names.shift();
    if (name === undefined) return null;
    const next = join(at, name);
    const found = lstatSync(next, { throwIfNoEntry: false });
    if (found === undefined) return null;
    if (!found.isSymbolicLink()) {
      if (names.length === 0 && !isWhole) return null;
      at = next;
      continue;
    }
    if (!isShielded && !isTrusted(found, owner)) return `${next}, a symbolic link, belongs to uid ${found.uid}`;
    numLinks += 1;
    if (numLinks > mostLinks) throw Object.assign(new Error(`too many links on the way to ${path}`), { code: 'ELOOP' });
    names.unshift(...resolve(at, readlinkSync(next)).split('/').filter(Boolean));
    // a link may lead anywhere
    at = '/';
    isShielded = false;
  }
}

function isTrusted(found: Stats, owner: number): boolean {
  return isOurs(found) || found.uid === owner || isUnmapped(found);
}

function folderProblem(path: string, found: Stats, owner: number): string | null {
  if (!isTrusted(found, owner)) return `${path} belongs to another user (uid ${found.uid})`;
  // in a sticky folder like /tmp nobody can rename what belongs to somebody else
  const isSticky = (found.mode & 0o1000) !== 0;
  if (isSticky || !isWritableByOthers(found)) return null;
  const isGroupAlone = (found.mode & 0o002) === 0;
  if (isGroupAlone && isOwnGroup(found.gid)) return null;
  return `other users can write to ${path} (mode ${shownMode(found)})`;
}

/** In a container that maps few users, root's folders outside of it seem to belong to the overflow user. */
function isUnmapped({ uid }: Stats): boolean {
  return uid === Number(systemText('overflowuid')) && !/^\s*0\s+0\s+4294967295\s*$/.test(systemText('uid_map'));
}

function systemText(name: 'overflowuid' | 'uid_map'): string {
  try {
    return readFileSync(name === 'uid_map' ? '/proc/self/uid_map' : '/proc/sys/kernel/overflowuid', 'utf8');
  } catch (error) {
    if (systemCode(error) === null) throw error;
    return '';
  }
}

/** Whether a group has only this user: the user's own one where each user gets a group of the same name. */
function isOwnGroup(gid: number): boolean {
  try {
    const user = userInfo();
    if (user.gid !== gid) return false;
    const line = execFileSync('getent', ['group', String(gid)], { encoding: 'utf8', timeout: 5_000 });
    const [name, , , members = ''] = line.trim().split(':');
    return name === user.username && members.split(',').every((member) => member === '' || member === name);
  } catch {
    return false;
  }
}
