/** What a check of `torc doctor` finds, and what several of them ask about a directory. */
import { readFileSync, type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** In their order. */
export const checkNames = [
  'node',
  'helper',
  'sqlite',
  'config',
  'directory',
  'file system',
  'quota',
  'locks',
  'clock',
  'database',
  'server',
  'network',
  'slurm',
] as const;
export type CheckName = (typeof checkNames)[number];

/** `advice`: what to do; null when all is well. */
export interface Finding {
  status: 'ok' | 'warning' | 'failed';
  found: string;
  advice: string | null;
}

export const ok = (found: string): Finding => ({ status: 'ok', found, advice: null });
export const warning = (found: string, advice: string): Finding => ({ status: 'warning', found, advice });
export const failed = (found: string, advice: string): Finding => ({ status: 'failed', found, advice });

export function statOrNull(path: string): Stats | null {
  return statSync(path, { throwIfNoEntry: false }) ?? null;
}

/** The directory itself, or the nearest one above it that is there. */
export function nearestFolder(path: string): string {
  return statOrNull(path) !== null || dirname(path) === path ? path : nearestFolder(dirname(path));
}

export interface Mount {
  type: string;
  /** Separated by commas. */
  options: string;
  point: string;
}

/** The mount that has a path. */
export function mountOf(path: string): Mount | null {
  const unescaped = (word: string): string =>
    word.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)));
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, point = '', type = '', options = ''] = line.split(' ');
      return { point: unescaped(point), type, options };
    })
    .filter(({ point }) => path === point || path.startsWith(point === '/' ? '/' : `${point}/`));
  // of several on one directory the last one counts
  return mounts.reduce<Mount | null>(
    (best, each) => (best === null || each.point.length >= best.point.length ? each : best),
    null,
  );
}
