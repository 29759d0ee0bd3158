/** Whether what lies in the server directory is ours: who could put something there could have it run by us. */
import type { Stats } from 'node:fs';
import { TorcError } from './errors.ts';

/** Throws TorcError 'conflict' for a file of another user than this one and root. Root may look at everybody's. */
export function refuseForeign(path: string, { uid }: Pick<Stats, 'uid'>): void {
  const own = process.geteuid?.() ?? 0;
  if (uid === own || uid === 0 || own === 0) return;
  throw new TorcError(
    'conflict',
    `${path} belongs to another user (uid ${uid})`,
    'Choose another directory with --dir.',
  );
}

/** Throws TorcError 'conflict' for a directory in which others than its owner may put files. */
export function refuseWritableByOthers(path: string, { mode }: Pick<Stats, 'mode'>): void {
  if ((mode & 0o022) === 0) return;
  const shown = (mode & 0o7777).toString(8).padStart(4, '0');
  const message = `other users can write to the server directory ${path} (mode ${shown}), so they could run commands as you`;
  throw new TorcError('conflict', message, `chmod go-w '${path.replaceAll("'", `'\\''`)}'`);
}
