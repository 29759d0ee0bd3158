/** A small text file that only this user or root can have written, wherever it lies. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { systemCode } from '../errors.ts';
import { isOurs, isWritableByOthers, kindOf, shownMode, userName } from './owners.ts';

const mostBytes = 65_536;

/** `problem`: why the text is not believed, as the end of a sentence that begins with the path. */
export type OwnText = { text: string } | { problem: string };

/** The text of a file, null where there is none. Links are followed: what they lead to has to be this user's. */
export function readOwnText(path: string): OwnText | null {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const code = systemCode(error);
    if (code === null) throw error;
    return code === 'ENOENT' || code === 'ENOTDIR' ? null : { problem: `cannot be read (${code})` };
  }
  try {
    const found = fstatSync(file);
    if (!found.isFile()) return { problem: `is ${kindOf(found)}` };
    if (!isOurs(found)) return { problem: `belongs to another user (${userName(found.uid)})` };
    if (isWritableByOthers(found)) return { problem: `can be changed by other users (mode ${shownMode(found)})` };
    if (found.size > mostBytes) return { problem: `is larger than ${mostBytes} bytes` };
    return { text: readFileSync(file, 'utf8') };
  } finally {
    closeSync(file);
  }
}
