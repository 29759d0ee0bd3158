/** Creates the output directory early, so that errors appear before anything runs. */
import { createHash } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { outputDirectory } from '../../base/config.ts';
import { messageOf, systemCode, TorcError } from '../../base/errors.ts';
import { fullWords } from '../../base/full-disk.ts';
import { claimOutputs, otherOwner } from '../../base/output-owner.ts';
import { makeFolders } from '../../base/trusted/folders.ts';
import { unsafeFolder } from '../../base/trusted/parents.ts';
import { explainDirectory, refuseUnsafePrivateFolder } from '../../base/trusted/private.ts';
import { below } from '../../base/trusted/shared.ts';
import { type Context, note } from '../context/context.ts';

/**
 * Makes the output directory, and warns when others can change what is in it. Throws as `makeOutputDirectory`; makes
 * nothing for a server directory that would be refused.
 */
export function prepareOutputDirectory(context: Context, path: string): void {
  refuseUnsafe(context.directory);
  makeOutputDirectory(path, context.directory);
  const problem = unsafeFolder(path);
  if (problem !== null) note(context, `the output of jobs can be replaced by others: ${problem}`, 'warning');
}

function refuseUnsafe(directory: string): void {
  try {
    refuseUnsafePrivateFolder(directory);
  } catch (error) {
    throw explainDirectory(error, directory);
  }
}

/**
 * The output directory of a command: `-o`, else `TORC_OUTPUT_DIR` (not that of the job in which this process runs), else
 * `torc_output` here, or one with a name of its own where that belongs to another server directory.
 */
export function chosenOutput({ directory, env }: Pick<Context, 'directory' | 'env'>, option?: string): string {
  const isInJob = (env.TORC_JOB_KEY ?? '') !== '';
  const chosen = option ?? (isInJob ? undefined : env.TORC_OUTPUT_DIR);
  const path = outputDirectory(chosen, {});
  if ((chosen ?? '') !== '' || otherOwner(path, directory) === null) return path;
  return `${path}_${createHash('sha256').update(directory).digest('hex').slice(0, 8)}`;
}

/**
 * Makes the output directory of a server directory. Throws TorcError 'unusable' if it is not writable, 'no_space' if
 * nothing more can be written there, 'conflict' if it has the outputs of another one.
 */
export function makeOutputDirectory(path: string, serverDirectory: string): void {
  try {
    makeWritable(path);
    claimOutputs(path, serverDirectory);
  } catch (error) {
    const code = systemCode(error);
    if (error instanceof TorcError || code === null) throw error;
    const advice = 'Choose another with -o/--output.';
    const full = fullWords(code, path);
    if (full !== null) throw new TorcError('no_space', full.problem, `${full.advice} ${advice}`, { cause: error });
    const words = messageOf(error).replace(/, \w+ '.*$/s, '');
    throw new TorcError('unusable', `the output directory ${path} cannot be used: ${words}`, advice, { cause: error });
  }
}

function makeWritable(path: string): void {
  makeFolders(path);
  // the dot makes this fail for a file that is not a directory
  accessSync(`${path}/.`, constants.W_OK | constants.X_OK);
  for (const name of ['job_stdio', 'resource_monitor', 'user_data']) refuseFolderOfOthers(path, name);
}

/** Throws TorcError 'conflict' for a folder of torc that another user made there. */
function refuseFolderOfOthers(path: string, name: string): void {
  try {
    below(path, join(path, name, 'any'), false, () => {});
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}
