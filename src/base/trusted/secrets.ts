/** Files with a secret that a person names: a password, a token, the URL of a webhook. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { systemCode, TorcError } from '../errors.ts';
import { shellWord } from '../text.ts';
import { isOurs, shownMode } from './owners.ts';

const mostBytes = 65_536;

/** The first line of a file. Throws as `readSecretFile`, and TorcError 'usage' when there is nothing in it. */
export function readSecretLine(path: string): string {
  const line = (readSecretFile(path).split('\n')[0] ?? '').trim();
  if (line === '') throw new TorcError('usage', `the first line of ${path} is empty`, 'Write the secret into it.');
  return line;
}

/** The text of a file. Throws TorcError 'not_found', or 'conflict' for one that others own or can read. */
export function readSecretFile(path: string): string {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const code = systemCode(error);
    if (code === null) throw error;
    throw new TorcError('not_found', `${path} cannot be read (${code})`, `ls -l ${shellWord(path)}`);
  }
  try {
    const found = fstatSync(file);
    if (!found.isFile() || found.size > mostBytes) {
      throw new TorcError('conflict', `${path} is not a small file`, 'Name a file that contains only the secret.');
    }
    if (!isOurs(found)) {
      throw new TorcError('conflict', `${path} belongs to another user (uid ${found.uid})`, 'Name a file of your own.');
    }
    if ((found.mode & 0o077) !== 0) {
      const problem = `other users can read ${path} (mode ${shownMode(found)}), and it holds a secret`;
      throw new TorcError('conflict', problem, `chmod 600 ${shellWord(path)}`);
    }
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}
