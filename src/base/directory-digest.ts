/** What a declared directory contains, as one value to compare. */
import { createHash } from 'node:crypto';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** A larger directory is not looked into. */
const mostEntries = 5000;
/** What NFS calls a file that was removed while somebody had it open; it goes away by itself. */
const removedName = /^\.nfs[0-9a-f]{24}$/;

/**
 * SHA-256 as hex over the names, kinds, sizes and modification times of everything below a directory; links are not
 * followed. Null when there are more than 5,000 entries. Throws the system's error.
 */
export async function directoryDigest(path: string): Promise<string | null> {
  const hash = createHash('sha256');
  const open = [''];
  let count = 0;
  for (let below = open.pop(); below !== undefined; below = open.pop()) {
    const names = (await readdir(join(path, below))).filter((name) => !removedName.test(name)).sort();
    count += names.length;
    if (count > mostEntries) return null;
    for (const name of names) {
      const entry = join(below, name);
      const { size, mtimeNs, mode } = await lstat(join(path, entry), { bigint: true });
      const isDirectory = (mode & 0o170000n) === 0o040000n;
      // the size and time of a directory say no more than the names in it
      hash.update(JSON.stringify(isDirectory ? [entry] : [entry, `${size} ${mtimeNs} ${mode >> 12n}`]));
      if (isDirectory) open.push(entry);
    }
  }
  return hash.digest('hex');
}
