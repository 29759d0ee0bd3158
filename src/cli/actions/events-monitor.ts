/** `torc events monitor`: the events of a workflow as they happen. */
import type { ListRecord } from '../../api/contract.ts';
import type { Connection } from '../connection/connection.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import type { ListOptions } from '../input/filters.ts';
import { listPages } from '../input/list.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { printList } from '../output/output.ts';

export interface MonitorOptions extends ListOptions {
  /** Seconds. */
  duration?: number;
}

/** Statuses in which nothing more happens by itself. */
const ended = ['uninitialized', 'done', 'failed', 'canceled', 'timeout'];

/** Prints events until the run has ended, the time is over or ^C; with `after` first those since then. */
export async function monitorEvents(context: Context, key: string | null, options: MonitorOptions): Promise<void> {
  const follow = async (connection: Connection): Promise<void> => {
    const workflowKey = await chooseWorkflow(context, connection.api, key, 'reads');
    const shown = { chosen: options.columns ?? null, excluded: options.excludeColumn };
    await printList(context, 'events', eventsAsTheyHappen(context, connection, workflowKey, options), shown);
  };
  // when the server ends, with the last worker for example, the rest is read here
  await withConnection(context, follow, { serves: true });
}

async function* eventsAsTheyHappen(
  context: Context,
  connection: Connection,
  workflowKey: string,
  options: MonitorOptions,
): AsyncGenerator<readonly ListRecord[]> {
  const { api } = connection;
  const ending = new AbortController();
  const cancel = context.clock.after((options.duration ?? 0) * 1000, () => {
    if (options.duration !== undefined) ending.abort();
  });
  let { after } = options;
  async function* newEvents(place: string | undefined): AsyncGenerator<readonly ListRecord[]> {
    let isEmpty = true;
    for await (const records of listPages(api, 'events', workflowKey, { ...options, after })) {
      if (records.length === 0) continue;
      after = String(records.at(-1)?.event_key);
      isEmpty = false;
      yield records;
    }
    // the next look need not read again what no filter matched
    if (isEmpty) after = place ?? after;
  }
  try {
    while (!ending.signal.aborted) {
      const asked = { workflow_keys: [workflowKey], after: after ?? null, records: false, filters: [] };
      for await (const message of connection.follow(asked, ending.signal)) {
        if (message.event === 'away') {
          note(context, `${message.data.message}; still waiting for events`, 'warning');
          break;
        }
        after ??= message.id;
        // asked for first: what happened before the end is listed after it
        const { status } = await api.call('workflow_show', { workflow_key: workflowKey });
        yield* newEvents(message.id);
        if (ended.includes(status)) return;
      }
      // finds the next server, or takes its place
      if (!ending.signal.aborted) await api.call('server_info', {});
    }
    yield* newEvents(undefined);
  } finally {
    cancel();
    ending.abort();
  }
}
