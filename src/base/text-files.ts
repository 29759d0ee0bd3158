/** Reads small text files that a person names. */
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { systemCode } from './errors.ts';

/** The text of a file; throws an Error whose message says why there is none. */
export type ReadText = (path: string) => string;

const mostBytes = 64 * 1024 * 1024;

/** Paths are relative to this directory. */
export function textsIn(directory: string): ReadText {
  return (path) => {
    const file = resolve(directory, path);
    try {
      const { size } = statSync(file);
      if (size > mostBytes) throw new Error(`${file} has ${size} bytes; at most ${mostBytes} are read`);
      return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
    } catch (error) {
      const code = systemCode(error);
      if (code === 'ENOENT') throw new Error(`there is no file ${file}`);
      if (code === 'EISDIR') throw new Error(`${file} is a directory`);
      if (error instanceof TypeError) throw new Error(`${file} is not UTF-8 text`);
      if (code === null) throw error;
      throw new Error(`cannot read ${file}: ${code}`);
    }
  };
}
