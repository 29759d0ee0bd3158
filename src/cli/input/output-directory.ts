/** The output directory, seen to before anything depends on it. */
import { accessSync, constants } from 'node:fs';
import { systemCode, TorcError } from '../../base/errors.ts';
import { makeFolders } from '../../base/folders.ts';

/** Makes the output directory. Throws TorcError 'unusable' where nothing can be written into it. */
export function makeOutputDirectory(path: string): void {
  try {
    makeFolders(path);
    // the dot makes a file that is no directory an error
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
