/**
 * The highest epoch that a directory has seen, beside the database: a backup that is put in its place knows only a lower
 * one, and workers would take its server for an outdated one.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** 0 when none was noted. */
export function seenEpoch(directory: string): number {
  try {
    const epoch = Number(readFileSync(join(directory, 'epoch'), 'utf8'));
    return Number.isSafeInteger(epoch) && epoch > 0 ? epoch : 0;
  } catch {
    return 0;
  }
}

export function noteEpoch(directory: string, epoch: number): void {
  const path = join(directory, 'epoch');
  writeFileSync(`${path}.${process.pid}`, `${epoch}\n`, { mode: 0o600 });
  renameSync(`${path}.${process.pid}`, path);
}
