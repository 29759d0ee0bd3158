/** A directory with a real quota: a subvolume of btrfs on a loop device. Only root can make one. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface QuotaDirectory {
  path: string;
  /** How much may be in it from now on; null for any amount. */
  allow(bytes: number | null): void;
  remove(): void;
}

/** Null, with a warning, where there can be none. */
export function quotaDirectory(): QuotaDirectory | null {
  const place = mkdtempSync(join(tmpdir(), 'torc-quota-'));
  const [image, mounted] = [join(place, 'image'), join(place, 'mounted')] as const;
  const path = join(mounted, 'limited');
  const run = (command: string, ...args: string[]): void => {
    execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  };
  const remove = (): void => {
    spawnSync('umount', ['-l', mounted]);
    rmSync(place, { recursive: true, force: true });
  };
  try {
    writeFileSync(image, '');
    truncateSync(image, 400 * 1024 * 1024);
    mkdirSync(mounted);
    run('mkfs.btrfs', '-q', image);
    run('mount', '-o', 'loop', image, mounted);
    run('btrfs', 'quota', 'enable', mounted);
    run('btrfs', 'subvolume', 'create', path);
  } catch (error) {
    remove();
    const why = error instanceof Error ? error.message.trim().split('\n').at(-1) : String(error);
    console.warn(`\n!! No quota can be set here (${why}): the tests of a QUOTA that is used up are SKIPPED.\n`);
    return null;
  }
  return {
    path,
    allow: (bytes) => run('btrfs', 'qgroup', 'limit', bytes === null ? 'none' : `${bytes}`, path),
    remove,
  };
}
