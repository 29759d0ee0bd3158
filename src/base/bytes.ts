/**
 * What comes from outside as bytes that are not UTF-8: node replaces them without a word, and the text then names another
 * file. Torc refuses such arguments and directories, and keeps such variables for its jobs.
 */
import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { TorcError } from './errors.ts';

/** What node puts in the place of bytes that it cannot read. */
const replacement = '\u{FFFD}';

/** The path itself; TorcError 'usage' when it is only what node made of other bytes. */
export function readablePath(path: string, what: string): string {
  if (!path.includes(replacement)) return path;
  throw new TorcError(
    'usage',
    `the ${what} ${path} is not UTF-8`,
    'Use a directory whose path is UTF-8, or rename it.',
  );
}

/** Throws TorcError 'usage' when this process was started with an argument that is not UTF-8. */
export function checkArguments(words: readonly string[]): void {
  const [word] = words.filter((one) => one.includes(replacement));
  const line = word === undefined ? null : bytesOf('/proc/self/cmdline');
  if (line === null || isUtf8(line)) return;
  throw new TorcError(
    'usage',
    `the argument ${word} is not UTF-8`,
    'Type it in UTF-8; rename files whose names are not.',
  );
}

/** The directory that torc was called in; TorcError 'usage' when it is gone, or its path is not UTF-8. */
export function currentDirectory(): string {
  try {
    return readablePath(process.cwd(), 'current directory');
  } catch (error) {
    if (error instanceof TorcError) throw error;
    throw new TorcError('usage', 'the current directory no longer exists', 'Change to another directory: cd');
  }
}

function bytesOf(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch {
    return null;
  }
}

/**
 * The variables that are not UTF-8, as their bytes: this process was started with them, or a torc that started this
 * process and could not pass them on.
 */
export function rawVariables(env: Readonly<Record<string, string | undefined>>, root = '/proc'): Map<string, Buffer> {
  const raw = new Map<string, Buffer>();
  const names = Object.keys(env).filter((name) => env[name]?.includes(replacement));
  if (names.length === 0) return raw;
  for (const pid of ['self', process.ppid]) {
    const entries = bytesOf(`${root}/${pid}/environ`)?.toString('latin1').split('\0') ?? [];
    for (const name of names) {
      const entry = entries.find((one) => one.startsWith(`${name}=`));
      const value = Buffer.from(entry?.slice(name.length + 1) ?? '', 'latin1');
      if (!raw.has(name) && !isUtf8(value) && value.toString('utf8') === env[name]) raw.set(name, value);
    }
  }
  return raw;
}
