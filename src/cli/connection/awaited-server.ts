/**
 * The server that workers wait for while none runs. Every command that finds such workers in the database says so, or
 * starts the server again: never in a dry run, never inside of a job, and by default only where it ran before.
 */
import { hostname } from 'node:os';
import { isInsideJob, serverPolicy } from '../../base/config.ts';
import { asTorcError } from '../../base/errors.ts';
import { counted } from '../../base/text.ts';
import { type Context, note } from '../context/context.ts';
import { type Awaited, firstAwaited } from './awaited.ts';
import type { Connection } from './connection.ts';

/**
 * Who waits for a server, or null when nobody does. Never throws: the command itself is done. The workers of other
 * local runs do not count where this process `serves`: one of those runs takes its place.
 */
export async function findAwaited({ kind, api }: Connection, serves: boolean): Promise<Awaited | null> {
  if (kind === 'remote') return null;
  const found = await api.call('server_awaited', {}).catch(() => null);
  if (found === null) return null;
  const awaited = serves ? { ...found, num_workers: 0 } : found;
  return firstAwaited(awaited)[0] === 0 ? null : awaited;
}

/** Called once the command has closed the database. A server that does not start fails no command. */
export async function settleAwaited(context: Context, awaited: Awaited): Promise<void> {
  if (!mayStart(context, awaited)) {
    note(context, `No server is running, and ${whoWaits(awaited)}: ${context.torc} server start --daemon`, 'warning');
    return;
  }
  try {
    const { startAgain } = await import('./action-server.ts');
    await startAgain(context, awaited);
  } catch (thrown) {
    const { message, hint } = asTorcError(thrown);
    const help = hint === null ? '' : ` (${hint})`;
    note(
      context,
      `No server is running, and ${whoWaits(awaited)}. It could not be started: ${message}${help}`,
      'warning',
    );
  }
}

/** Without `TORC_SERVER`: where the server in the background ran that nobody has stopped. */
function mayStart({ env, isDryRun }: Context, { lasting }: Awaited): boolean {
  const policy = serverPolicy(env);
  // a server on a compute node would end with the job
  if (policy === 'off' || isDryRun || isInsideJob(env)) return false;
  return policy === 'auto' || lasting?.hostname === hostname();
}

function whoWaits(awaited: Awaited): string {
  const [count, one] = firstAwaited(awaited);
  if (one === 'worker') return `${counted(count, one)} ${count === 1 ? 'waits' : 'wait'} for one`;
  return `${counted(count, one)} ${count === 1 ? 'needs' : 'need'} one`;
}
