/** A server for actions that schedule nodes: without a serving process they would never run. */
import type { Api } from '../../api/contract.ts';
import { type Context, note } from '../context/context.ts';
import type { Connection } from './connection.ts';
import { startDaemon } from './daemon.ts';

/** A server that torc starts automatically stops after this long without workers, allocations and clients. */
export const idleMinutes = 15;

/** Starts a server that stops when idle, and says so. */
export async function startOwnServer(context: Context): Promise<void> {
  const place = await startDaemon(context, { idleMinutes });
  note(
    context,
    `Started a server on ${place.hostname} (pid ${place.pid}); it stops after ${idleMinutes} minutes without use.`,
  );
}

/**
 * Whether a server must start after this command: actions that schedule nodes have fired,
 * or would in a dry run.
 */
export async function needsServer(connection: Connection, workflowKey: string, dryRun: boolean): Promise<boolean> {
  if (connection.kind === 'remote') return false;
  const filter = dryRun
    ? { column: 'trigger_type', value: 'on_workflow_start' }
    : { column: 'state', value: 'pending' };
  return await hasNodeActions(connection.api, workflowKey, filter);
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
