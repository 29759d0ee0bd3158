/**
 * The limits of this process's cgroup on memory and CPU time, and how often the kernel has killed a process because memory
 * ran out. Versions 1 and 2, also both at once, with or without a cgroup namespace. What is absent or unreadable is null.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CgroupMemory {
  /** Processes killed so far because memory ran out. */
  oomKillCount(): number | null;
  /** The lowest limit from here upwards; null for none. */
  limitBytes(): number | null;
}

/** Version 1 writes "no limit" as the largest multiple of the page size. */
const unlimitedBytes = 2 ** 60;

interface Place {
  version: 1 | 2;
  /** From the process's own folder up to the top of the mount. */
  folders: string[];
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

interface Mount {
  root: string;
  point: string;
  type: string;
  options: string[];
}

function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ');
    const [, , , root, point] = before?.split(' ') ?? [];
    const [type, , options] = after?.split(' ') ?? [];
    if (root === undefined || point === undefined || type === undefined) return [];
    return [{ root: unescapeOctal(root), point: unescapeOctal(point), type, options: options?.split(',') ?? [] }];
  });
}

/** Paths of this process by controller; version 2 has the empty name. */
function parseOwnPaths(text: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    for (const controller of match?.[1]?.split(',') ?? []) paths.set(controller, match?.[2] ?? '/');
  }
  return paths;
}

/** A controller is in one hierarchy: one of version 1, else that of version 2. */
function findPlace(root: string, controller: 'memory' | 'cpu'): Place | null {
  const paths = parseOwnPaths(readText(join(root, 'proc/self/cgroup')) ?? '');
  const mounts = parseMounts(readText(join(root, 'proc/self/mountinfo')) ?? '');
  const first = mounts.find((mount) => mount.type === 'cgroup' && mount.options.includes(controller));
  const second = mounts.find((mount) => mount.type === 'cgroup2');
  const ownFirst = paths.get(controller);
  if (first !== undefined && ownFirst !== undefined) return { version: 1, folders: foldersUp(root, first, ownFirst) };
  const ownSecond = paths.get('');
  if (second === undefined || ownSecond === undefined) return null;
  return { version: 2, folders: foldersUp(root, second, ownSecond) };
}

/**
 * The mount may show only a part of the hierarchy (its root is taken off the path), and a container may see the host's
 * path without having it mounted (then the longest part that exists counts).
 */
function foldersUp(root: string, mount: Mount, ownPath: string): string[] {
  const isBelow = mount.root !== '/' && (ownPath === mount.root || ownPath.startsWith(`${mount.root}/`));
  let names = (isBelow ? ownPath.slice(mount.root.length) : ownPath).split('/').filter((name) => name !== '');
  const top = join(root, mount.point);
  while (names.length > 0 && !existsSync(join(top, ...names))) names = names.slice(1);
  return names.map((_, index) => join(top, ...names.slice(0, names.length - index))).concat(top);
}

function field(text: string | null, name: string): number | null {
  const match = new RegExp(`^${name} (\\d+)$`, 'm').exec(text ?? '');
  return match === null ? null : Number(match[1]);
}

function limitIn(place: Place, folder: string): number | null {
  const file = place.version === 1 ? 'memory.limit_in_bytes' : 'memory.max';
  const text = readText(join(folder, file))?.trim() ?? '';
  const own = /^\d+$/.test(text) ? Number(text) : null;
  // version 1 states the lowest limit above, even outside the mount
  const above = place.version === 1 ? field(readText(join(folder, 'memory.stat')), 'hierarchical_memory_limit') : null;
  return lowest([own, above]);
}

function lowest(limits: readonly (number | null)[]): number | null {
  const real = limits.filter((limit): limit is number => limit !== null && limit > 0 && limit < unlimitedBytes);
  return real.length === 0 ? null : Math.min(...real);
}

/** Opens the memory controller of this process's cgroup. Tests set `root`, which replaces `/`. */
export function openCgroupMemory(root = '/'): CgroupMemory {
  const place = findPlace(root, 'memory');
  if (place === null) return { oomKillCount: () => null, limitBytes: () => null };
  const [own = root] = place.folders;
  const counter = join(own, place.version === 1 ? 'memory.oom_control' : 'memory.events');
  return {
    oomKillCount: () => field(readText(counter), 'oom_kill'),
    limitBytes: () => lowest(place.folders.map((folder) => limitIn(place, folder))),
  };
}

/** The CPU time that this process may use, in CPUs: the lowest limit from its cgroup upwards; null for none. */
export function cgroupCpus(root = '/'): number | null {
  const place = findPlace(root, 'cpu');
  return lowest((place?.folders ?? []).map((folder) => cpusIn(place?.version ?? 2, folder)));
}

function cpusIn(version: 1 | 2, folder: string): number | null {
  const read = (name: string): string => readText(join(folder, name))?.trim() ?? '';
  const words = version === 1 ? [read('cpu.cfs_quota_us'), read('cpu.cfs_period_us')] : read('cpu.max').split(' ');
  // without a limit the quota is -1 in version 1 and `max` in version 2
  const [quota = 0, period = 0] = words.map((word) => (/^\d+$/.test(word) ? Number(word) : 0));
  return quota > 0 && period > 0 ? quota / period : null;
}
