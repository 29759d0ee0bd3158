/** Files that are given on a command line, among them standard input. */
import { readFileSync, statSync } from 'node:fs';
import { asTorcError, systemCode, TorcError } from '../../base/errors.ts';

/** The argument that means standard input. */
export const standardInput = '-';

export const commandsHint = 'A commands file has one shell command on each line.';

export function shownName(path: string): string {
  return path === standardInput ? 'standard input' : path;
}

/** Throws TorcError, with this hint if the file does not exist. */
export function fileBytes(path: string, hint: string): number {
  try {
    return statSync(path).size;
  } catch (error) {
    throw unreadable(path, error, hint);
  }
}

/** The content of a file, or of standard input for `-`. Throws TorcError, with this hint if the file does not exist. */
export function readBytes(path: string, hint: string): Buffer {
  try {
    return readFileSync(path === standardInput ? 0 : path);
  } catch (error) {
    throw unreadable(path, error, hint);
  }
}

/** Why a file cannot be read, for people. */
export function unreadable(path: string, error: unknown, hint: string): TorcError {
  const code = systemCode(error);
  if (code === 'ENOENT') return new TorcError('not_found', `there is no file ${path}`, hint, { cause: error });
  const reason = code === 'EISDIR' ? 'it is a directory' : asTorcError(error).message;
  return new TorcError('usage', `cannot read ${shownName(path)}: ${reason}`, null, { cause: error });
}
