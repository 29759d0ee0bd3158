/** Old files of jobs, which are removed from a directory in which others may put things. */
import { lstatSync, realpathSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { systemCode } from '../errors.ts';
import { below, isOwnFile } from './shared.ts';

/** The bytes of a file that is removed; `absent`: it is gone; `left`: it is not a file that torc made there. */
export type Removal = number | 'absent' | 'left';

/** Removes a regular file of ours below `root`, unless it is only a look. Follows no link, not even one of this user. */
export function removeOutput(root: string, path: string, isLook: boolean): Removal {
  const folder = dirname(path);
  try {
    if (realpathSync(folder) !== join(realpathSync(root), relative(root, folder))) return 'left';
    return below(root, path, false, (place) => {
      const found = lstatSync(place.path);
      if (!isOwnFile(found, place.owner)) return 'left';
      if (!isLook) rmSync(place.path);
      return found.size;
    });
  } catch (error) {
    const code = systemCode(error);
    return code === 'ENOENT' || code === 'ENOTDIR' ? 'absent' : 'left';
  }
}
