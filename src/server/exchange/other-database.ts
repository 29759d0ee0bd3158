/** Refuses workers that another database has greeted, as after a server directory was deleted and made again. */
import { TorcError } from '../../base/errors.ts';
import type { ServiceInfo } from '../context.ts';

/** Throws TorcError 'other_database'. A worker that names no database has not been greeted yet, or is an older one. */
export function refuseOtherDatabase(
  { database }: { database?: number | undefined },
  { identity, directory }: Pick<ServiceInfo, 'identity' | 'directory'>,
): void {
  if (database === undefined || database === identity) return;
  throw new TorcError(
    'other_database',
    `the worker belongs to another database than the one that is in ${directory} now`,
    'The directory was created again after the worker had started: its workflow is not here. Create the workflow again.',
  );
}
