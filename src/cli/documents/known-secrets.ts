/** What must not be in a document that is passed on, whatever it looks like. */
import { readServerFile } from '../../api/server-file.ts';
import { secretValues } from '../../base/masking.ts';
import type { Context } from '../context/context.ts';

/** The server's token, and secrets of this environment. */
export function knownSecrets({ directory, env }: Context): string[] {
  const found = secretValues(env);
  try {
    const file = readServerFile(directory);
    if (file !== null) found.push(file.token);
  } catch {
    // there is no server whose token could appear
  }
  return found;
}
