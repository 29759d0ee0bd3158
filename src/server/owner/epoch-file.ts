/**
 * The highest epoch that a directory has seen, stored beside the database: a restored backup knows only a lower one,
 * and workers would take its server for an outdated one.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Epochs grow by one, and a restore raises them to the seconds since 1970: a higher number is not an epoch. */
export const highestEpoch = 1e12;

/** 0 when none was noted, or the file holds no epoch. */
export function seenEpoch(directory: string): number {
  try {
    const epoch = Number(readFileSync(join(directory, 'epoch'), 'utf8'));
    return Number.isSafeInteger(epoch) && epoch > 0 && epoch <= highestEpoch ? epoch : 0;
  } catch {
    return 0;
  }
}

/** Notes an epoch unless the directory has seen a higher one. */
export function noteEpoch(directory: string, epoch: number): void {
  if (epoch <= seenEpoch(directory) || epoch > highestEpoch) return;
  const path = join(directory, 'epoch');
  writeFileSync(`${path}.${process.pid}`, `${epoch}\n`, { mode: 0o600 });
  renameSync(`${path}.${process.pid}`, path);
}
