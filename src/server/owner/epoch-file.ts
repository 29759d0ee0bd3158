/**
 * The highest epoch that a directory has seen, stored beside the database: a restored backup knows only a lower one,
 * and workers would take its server for an outdated one.
 */
import { join } from 'node:path';
import { TorcError } from '../../base/errors.ts';
import { readPrivateFile, replacePrivateFile } from '../../base/trusted/private.ts';

/** Epochs grow by one, and a restore raises them to the seconds since 1970: a higher number is not an epoch. */
export const highestEpoch = 1e12;

/** 0 when none was noted, or the file holds no epoch. */
export function seenEpoch(directory: string): number {
  const epoch = Number(readEpoch(join(directory, 'epoch')));
  return Number.isSafeInteger(epoch) && epoch > 0 && epoch <= highestEpoch ? epoch : 0;
}

function readEpoch(path: string): string | null {
  try {
    return readPrivateFile(path);
  } catch (error) {
    if (error instanceof TorcError) throw error;
    return null;
  }
}

/** Notes an epoch unless the directory has seen a higher one. */
export function noteEpoch(directory: string, epoch: number): void {
  if (epoch <= seenEpoch(directory) || epoch > highestEpoch) return;
  replacePrivateFile(join(directory, 'epoch'), `${epoch}\n`);
}
