/** Why nothing can be written into a folder. */
import { closeSync, constants, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../errors.ts';
import { temporaryName } from './private.ts';

/** As much as one large change to the database writes: what has just been refused may have left room for less. */
const triedBytes = 1024 * 1024;
const content = (): Buffer => Buffer.alloc(triedBytes, 'torc');

/** The system's code for a file that cannot be written into a folder, which is removed again; null when it can be. */
export function writeProblem(folder: string): string | null {
  const path = temporaryName(join(folder, '.torc-write'));
  try {
    const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      const bytes = content();
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
      // a network file system may say it only now
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    return null;
  } catch (error) {
    return systemCode(error);
  } finally {
    remove(path);
  }
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // it says the same again
  }
}

/** The same where a file system may hang, which must not block this process. Never fails. */
export async function writeProblemLater(folder: string): Promise<string | null> {
  const path = temporaryName(join(folder, '.torc-write'));
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(content());
      await file.sync();
    } finally {
      await file.close();
    }
    return null;
  } catch (error) {
    return systemCode(error);
  } finally {
    await rm(path, { force: true }).catch(() => {});
  }
}
