/** Files that jobs wrote, where a file system may take its time: as shared.ts, without stopping this process. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** The last bytes of a regular file, at most this many; links are not followed. Throws the system's error. */
export async function readEnd(path: string, mostBytes: number): Promise<Buffer> {
  // pipes are not waited for
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (!found.isFile()) throw Object.assign(new Error(`EINVAL: ${path} is not a regular file`), { code: 'EINVAL' });
    const bytes = Buffer.alloc(Math.min(found.size, mostBytes));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, found.size - bytes.length);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
