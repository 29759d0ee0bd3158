/** Creates the output directory early, so that errors appear before anything runs. */
import { accessSync, constants } from 'node:fs';
import { systemCode, TorcError } from '../../base/errors.ts';
import { makeFolders } from '../../base/trusted/folders.ts';
import { unsafeFolder } from '../../base/trusted/parents.ts';
import { type Context, note } from '../context/context.ts';

/** Makes the output directory, and warns when others can change what is in it. Throws TorcError 'unusable'. */
export function prepareOutputDirectory(context: Context, path: string): void {
  makeOutputDirectory(path);
  const problem = unsafeFolder(path);
  if (problem !== null) note(context, `the output of jobs can be replaced by others: ${problem}`, 'warning');
}

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
