/** Files that are given on a command line, among them standard input. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { asTorcError, systemCode, TorcError } from '../../base/errors.ts';
import { nearestName, quoted } from '../../model/spec/names.ts';

/** The argument that means standard input. */
export const standardInput = '-';

export const commandsHint = 'A commands file has one shell command on each line.';

/** What the names of specifications end in. */
export const specExtensions: readonly string[] = ['.yaml', '.yml', '.json', '.json5', '.kdl'];

/** What to type instead of a specification that does not exist: one in the same folder with a similar name. */
export function specificationHint(path: string): string {
  const meant = similarSpecification(path);
  if (meant === null) return 'torc example lists some to start from.';
  return `Did you mean ${quoted(dirname(path) === '.' ? meant : join(dirname(path), meant))}?`;
}

function similarSpecification(path: string): string | null {
  const isSpec = (name: string): boolean => specExtensions.includes(extname(name).toLowerCase());
  const stemOf = (name: string): string => (isSpec(name) ? name.slice(0, -extname(name).length) : name);
  let names: string[];
  try {
    names = readdirSync(dirname(path)).filter(isSpec);
  } catch {
    return null;
  }
  const wanted = basename(path);
  return names.find((name) => stemOf(name) === stemOf(wanted)) ?? nearestName(wanted, names);
}

/** What to do when a file does not exist, where that depends on its name. */
type Hint = string | ((path: string) => string);

export function shownName(path: string): string {
  return path === standardInput ? 'standard input' : path;
}

/** Throws TorcError, with this hint if the file does not exist. */
export function fileBytes(path: string, hint: Hint): number {
  try {
    return statSync(path).size;
  } catch (error) {
    throw unreadable(path, error, hint);
  }
}

/** The content of a file, or of standard input for `-`. Throws TorcError, with this hint if the file does not exist. */
export function readBytes(path: string, hint: Hint): Buffer {
  try {
    return readFileSync(path === standardInput ? 0 : path);
  } catch (error) {
    throw unreadable(path, error, hint);
  }
}

/** Why a file cannot be read, for people. */
export function unreadable(path: string, error: unknown, hint: Hint): TorcError {
  const code = systemCode(error);
  if (code === 'ENOENT') {
    const advice = typeof hint === 'string' ? hint : hint(path);
    return new TorcError('not_found', `there is no file ${path}`, advice, { cause: error });
  }
  const reason = code === 'EISDIR' ? 'it is a directory' : asTorcError(error).message;
  return new TorcError('usage', `cannot read ${shownName(path)}: ${reason}`, null, { cause: error });
}
