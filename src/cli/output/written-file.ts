/** Files that a person named, and what to do about one that cannot be written. */
import { dirname } from 'node:path';
import { messageOf, systemCode, TorcError } from '../../base/errors.ts';
import { fullWords } from '../../base/full-disk.ts';
import { shellWord } from '../../base/text.ts';
import { writeNewFile } from '../../base/trusted/shared.ts';

/** Writes a file in the place of what has its name. Throws TorcError 'usage' or 'no_space'. */
export function writeNamedFile(path: string, text: string): void {
  try {
    writeNewFile(path, text);
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** Why a file that a person named cannot be written, with what to type next. */
export function cannotWrite(path: string, error: unknown): TorcError {
  if (error instanceof TorcError) return error;
  const folder = dirname(path);
  const code = systemCode(error);
  const full = fullWords(code, folder);
  if (full !== null) {
    return new TorcError('no_space', `cannot write ${path}: ${full.problem}`, full.advice, { cause: error });
  }
  const { why, hint } = wordsOf(code, folder) ?? { why: messageOf(error), hint: `ls -ld ${shellWord(folder)}` };
  return new TorcError('usage', `cannot write ${path}: ${why}`, hint, { cause: error });
}

function wordsOf(code: string | null, folder: string): { why: string; hint: string } | null {
  switch (code) {
    case 'ENOENT':
      return { why: `there is no directory ${folder} (ENOENT)`, hint: `mkdir -p ${shellWord(folder)}` };
    case 'ENOTDIR':
      return { why: `${folder} is not a directory (ENOTDIR)`, hint: 'Choose another name.' };
    case 'EISDIR':
      return { why: 'it is a directory (EISDIR)', hint: 'Name a file in it.' };
    case 'EEXIST':
      return { why: 'there is one already (EEXIST)', hint: 'Choose another name, or remove it.' };
    case 'EACCES':
      return { why: `no permission in ${folder} (EACCES)`, hint: `ls -ld ${shellWord(folder)}` };
    default:
      return null;
  }
}
