/** The server that a command starts: for workers of allocations, for actions that schedule nodes, for workers that wait. */
import type { Api } from '../../api/contract.ts';
import { counted } from '../../base/text.ts';
import { type Context, note } from '../context/context.ts';
import { type Awaited, firstAwaited } from './awaited.ts';
import type { Connection } from './connection.ts';
import { askServer, type DaemonOptions, type ServerPlace, startDaemon } from './daemon.ts';

/** A server that torc starts automatically stops after this long without workers, allocations and clients. */
export const idleMinutes = 15;

/** Starts a server that stops when idle, and says so; does nothing where one answers, such as another command's. */
export async function startOwnServer(context: Context): Promise<void> {
  const place = await startUnlessRunning(context, { idleMinutes });
  if (place === null) return;
  note(
    context,
    `Started a server on ${place.hostname} (pid ${place.pid}); it stops after ${idleMinutes} minutes without use.`,
  );
}

/** Starts the server that workers wait for as it was started before, and says so. */
export async function startAgain(context: Context, awaited: Awaited): Promise<void> {
  const { host, port, advertise, relay, lease_seconds, idle_minutes } = awaited.lasting ?? {};
  const place = await startUnlessRunning(context, {
    ...(host == null ? {} : { host }),
    ...(port == null ? {} : { port }),
    ...(advertise == null ? {} : { advertise }),
    ...(relay == null ? {} : { relay }),
    ...(lease_seconds == null ? {} : { leaseSeconds: lease_seconds }),
    ...(awaited.lasting === null ? { idleMinutes } : idle_minutes == null ? {} : { idleMinutes: idle_minutes }),
  });
  if (place === null) return;
  const where = `${place.hostname} (pid ${place.pid})`;
  note(context, `${whoWaited(awaited)} without a server; started one on ${where}.`);
}

function whoWaited(awaited: Awaited): string {
  const [count, one] = firstAwaited(awaited);
  return `${counted(count, one)} ${count === 1 ? 'was' : 'were'}`;
}

/** Null when a server answers already. */
async function startUnlessRunning(context: Context, options: DaemonOptions): Promise<ServerPlace | null> {
  if ((await askServer(context.directory)) !== null) return null;
  try {
    return await startDaemon(context, options);
  } catch (error) {
    // two commands may start one at the same time: the directory goes to one of them
    if ((await askServer(context.directory)) !== null) return null;
    throw error;
  }
}

/**
 * Whether a server must start after this command: actions that schedule nodes have fired, or would in a dry run; or the
 * workflow asks for nodes by itself.
 */
export async function needsServer(connection: Connection, workflowKey: string, dryRun: boolean): Promise<boolean> {
  if (connection.kind === 'remote') return false;
  const filter = dryRun
    ? { column: 'trigger_type', value: 'on_workflow_start' }
    : { column: 'state', value: 'pending' };
  if (await hasNodeActions(connection.api, workflowKey, filter)) return true;
  return asksForNodes(connection.api, workflowKey);
}

/** Whether the workflow has an autoscaler. */
export async function asksForNodes(api: Api, workflowKey: string): Promise<boolean> {
  return (await api.call('workflow_show', { workflow_key: workflowKey })).autoscaler !== null;
}

async function hasNodeActions(
  api: Api,
  workflowKey: string,
  filter: { column: string; value: string },
): Promise<boolean> {
  const { records } = await api.call('list', {
    list: 'actions',
    workflow_key: workflowKey,
    filters: [{ column: 'action_type', value: 'schedule_nodes' }, filter],
    sort_by: null,
    reverse: false,
    limit: 1,
    skip: 0,
  });
  return records.length > 0;
}
