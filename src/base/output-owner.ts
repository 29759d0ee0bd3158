/**
 * A directory of outputs belongs to one server directory: keys, which name its files, repeat in another one. A note in
 * it names the owner.
 */
import { closeSync, readFileSync, realpathSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode, TorcError } from './errors.ts';
import { below, openOutput, openOwnForReading } from './trusted/shared.ts';

const noteName = '.torc_server';

/** The server directory that this directory of outputs belongs to, or null for this one or none that still exists. */
export function otherOwner(outputDirectory: string, serverDirectory: string): string | null {
  const owner = readNote(outputDirectory);
  if (owner === null) return null;
  const database = identityOf(owner);
  return database === null || database === identityOf(serverDirectory) ? null : owner;
}

/** Whether torc has made files in this directory for this server directory, and it is on this host. */
export function isOutputOf(outputDirectory: string, serverDirectory: string): boolean {
  return readNote(outputDirectory) !== null && otherOwner(outputDirectory, serverDirectory) === null;
}

/**
 * Notes that the outputs of this server directory are here. Throws TorcError 'conflict' when they are another one's; a
 * note that cannot be written is left out.
 */
export function claimOutputs(outputDirectory: string, serverDirectory: string): void {
  const owner = otherOwner(outputDirectory, serverDirectory);
  if (owner !== null) {
    throw new TorcError(
      'conflict',
      `the output directory ${outputDirectory} belongs to the server directory ${owner}`,
      'Choose another with -o/--output.',
    );
  }
  const own = realPath(serverDirectory);
  if (readNote(outputDirectory) === own) return;
  try {
    writeNote(outputDirectory, own);
  } catch (error) {
    if (systemCode(error) === null) throw error;
  }
}

function writeNote(outputDirectory: string, own: string): void {
  const file = below(outputDirectory, join(outputDirectory, noteName), false, (place) => openOutput(place, 0o600));
  try {
    writeSync(file, `${own}\n`);
  } finally {
    closeSync(file);
  }
}

function readNote(outputDirectory: string): string | null {
  let file: number;
  try {
    file = below(outputDirectory, join(outputDirectory, noteName), false, openOwnForReading);
  } catch {
    return null;
  }
  try {
    return readFileSync(file, 'utf8').trimEnd();
  } finally {
    closeSync(file);
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** The same for one directory by whatever path; null where there is no database. */
function identityOf(serverDirectory: string): string | null {
  const found = statSync(join(serverDirectory, 'torc.db'), { throwIfNoEntry: false });
  return found === undefined ? null : `${found.dev} ${found.ino}`;
}
