/** Creates the output directory early, so that errors appear before anything runs. */
import { accessSync, constants } from 'node:fs';
import { systemCode, TorcError } from '../../base/errors.ts';
import { makeFolders } from '../../base/folders.ts';

/** Makes the output directory. Throws TorcError 'unusable' if it is not writable. */
export function makeOutputDirectory(path: string): void {
  try {
    makeFolders(path);
    // the dot makes this fail for a file that is not a directory
    accessSync(`${path}/.`, constants.W_OK | constants.X_OK);
  } catch (error) {
    if (systemCode(error) === null) throw error;
    const words = (error as Error).message.replace(/, \w+ '.*$/s, '');
    throw new TorcError(
      'unusable',
      `the output directory ${path} cannot be used: ${words}`,
      'Choose another with -o/--output.',
      { cause: error },
    );
  }
}
