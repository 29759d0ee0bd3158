/** Reads processes from /proc. What has vanished or may not be read is null. */
import { readdirSync, readFileSync, readSync, statfsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openKernelFile } from './trusted/named.ts';

export interface ProcessStat {
  pid: number;
  /** Neither a zombie nor dead. */
  isAlive: boolean;
  parent: number;
  group: number;
  session: number;
  /** Its own processor time, in ticks. */
  ownTicks: number;
  /** Processor time of the descendants that have been waited for, in ticks. */
  childTicks: number;
  /** In ticks since boot; pid and start time together identify a process. */
  startTime: number;
  residentPages: number;
}

/** The numbers of all processes, in no order. */
export function listPids(root: string): number[] {
  const pids: number[] = [];
  for (const name of readdirSync(root)) {
    const first = name.charCodeAt(0);
    if (first >= 48 && first <= 57) pids.push(Number(name));
  }
  return pids;
}

/** What statfs says of the kernel's own /proc. */
const procType = 0x9fa0;

/**
 * Tells which number the kernel gave to a process or thread last; null where that is not known: in some containers another
 * program writes this file, now and then. The file stays open, because a worker reads it after each end of a job.
 */
export function lastPidReader(root: string): () => number | null {
  const path = join(root, 'loadavg');
  const text = Buffer.alloc(128);
  try {
    if (statfsSync(path).type !== procType) return () => null;
    const file = openKernelFile(path);
    return () => {
      try {
        // from its start it is written anew
        const last = /(\d+)\n$/.exec(text.toString('latin1', 0, readSync(file, text, 0, text.length, 0)));
        return last === null ? null : Number(last[1]);
      } catch {
        return null;
      }
    };
  } catch {
    return () => null;
  }
}

/** Parses the text of a `stat` file. The name in it may contain anything, even brackets and line breaks. */
export function parseStat(text: string): ProcessStat | null {
  const nameEnd = text.lastIndexOf(')');
  if (nameEnd < 0) return null;
  const fields = text.slice(nameEnd + 2).split(' ');
  if (fields.length < 22) return null;
  const field = (number: number): number => Number(fields[number - 3]);
  const state = fields[0];
  // a process whose first thread has ended looks like a zombie while others go on, or still hold its files
  const isOver = state === 'X' || state === 'x' || (state === 'Z' && field(20) <= 1);
  return {
    pid: Number.parseInt(text, 10),
    isAlive: !isOver,
    parent: field(4),
    group: field(5),
    session: field(6),
    ownTicks: field(14) + field(15),
    childTicks: field(16) + field(17),
    startTime: field(22),
    residentPages: field(24),
  };
}

export interface SystemUnits {
  pageBytes: number;
  ticksPerSecond: number;
}

const auxPageSize = 6n;
const auxTicks = 17n;

/** The units of /proc, from the auxiliary vector that the kernel gave this process. */
export function systemUnits(root = '/proc'): SystemUnits {
  const units = { pageBytes: 4096, ticksPerSecond: 100 };
  try {
    const vector = readFileSync(join(root, 'self/auxv'));
    for (let at = 0; at + 16 <= vector.length; at += 16) {
      const key = vector.readBigUInt64LE(at);
      if (key === auxPageSize) units.pageBytes = Number(vector.readBigUInt64LE(at + 8));
      if (key === auxTicks) units.ticksPerSecond = Number(vector.readBigUInt64LE(at + 8));
    }
  } catch {
    // without it, the usual values of Linux apply
  }
  return units;
}

export function readStat(root: string, pid: number | 'self'): ProcessStat | null {
  try {
    return parseStat(readFileSync(`${root}/${pid}/stat`, 'latin1'));
  } catch {
    return null;
  }
}

/** Whether a process lives; its start time tells it apart from a later one with the same number. */
export function isProcessAlive(pid: number, startTicks: number | null): boolean {
  const stat = readStat('/proc', pid);
  return stat?.isAlive === true && (startTicks === null || stat.startTime === startTicks);
}

/** Whether a process is in a wait that no signal ends: for a disk, or for a file server that does not answer. */
export function isStuckInKernel(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return text[text.lastIndexOf(')') + 2] === 'D';
  } catch {
    return false;
  }
}

/** Whether a process runs as this user. */
export function isOwnProcess(pid: number): boolean {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid === process.geteuid?.();
}

/** Whether a process of this user is shown to have a file open. */
export function hasOpen(pid: number, path: string): boolean {
  try {
    const { dev, ino } = statSync(path);
    return readdirSync(`/proc/${pid}/fd`).some((name) => {
      const found = statSync(`/proc/${pid}/fd/${name}`, { throwIfNoEntry: false });
      return found?.ino === ino && found.dev === dev;
    });
  } catch {
    return false;
  }
}

/** When a process started, in clock ticks since boot; null where the system does not say. */
export function processStartTicks(pid: number): number | null {
  return readStat('/proc', pid)?.startTime ?? null;
}

/** The environment that a process was started with, as `\0NAME=value\0..`; `\0` for a kernel thread. */
export function readEnviron(root: string, pid: number): string | null {
  try {
    return `\0${readFileSync(`${root}/${pid}/environ`, 'latin1')}`;
  } catch {
    return null;
  }
}

/**
 * The memory that a process needs and cannot give back: anonymous and shared-memory pages, a shared page divided by its
 * users. Older kernels report only the sum that includes mapped files. Null when the kernel reports nothing.
 */
export async function readProportionalBytes(root: string, pid: number): Promise<number | null> {
  try {
    return parseProportionalBytes(await readFile(`${root}/${pid}/smaps_rollup`, 'latin1'));
  } catch {
    return null;
  }
}

/** The same from the text of a `smaps_rollup` file. */
export function parseProportionalBytes(text: string): number | null {
  const field = (name: string): number | null => {
    const match = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text);
    return match === null ? null : Number(match[1]) * 1024;
  };
  const anonymous = field('Pss_Anon');
  return anonymous === null ? field('Pss') : anonymous + (field('Pss_Shmem') ?? 0);
}
