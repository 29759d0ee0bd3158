/** A file that a person names, opened so that it can be read again and again. */
import { createReadStream, createWriteStream, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { makeScratchFolder, removeScratchFolder } from './scratch.ts';

/**
 * The descriptor of a file; of standard input for null. What comes through a pipe is copied to a file that has no name any
 * more. Throws the system's error.
 */
export async function openRepeatable(path: string | null): Promise<number> {
  if (path !== null && statSync(path).isFile()) return openSync(path, 'r');
  const folder = makeScratchFolder('torc-lines-');
  try {
    const copy = join(folder, 'lines');
    await pipeline(path === null ? process.stdin : createReadStream(path), createWriteStream(copy, { mode: 0o600 }));
    return openSync(copy, 'r');
  } finally {
    removeScratchFolder(folder);
  }
}
