/** Files that jobs wrote, where a file system may take its time: as shared.ts, without stopping this process. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** Opens a regular file; links are not followed, and pipes are not waited for. Throws the system's error. */
async function openCarefully(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if ((await file.stat()).isFile()) return file;
    throw Object.assign(new Error(`EINVAL: ${path} is not a regular file`), { code: 'EINVAL' });
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The last bytes of a file, at most this many. Throws the system's error. */
export async function readEnd(path: string, mostBytes: number): Promise<Buffer> {
  const file = await openCarefully(path);
  try {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.min(size, mostBytes));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, size - bytes.length);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
