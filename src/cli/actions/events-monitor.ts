/** `torc events monitor`: the events of a workflow as they happen. */
import type { Api, ListRecord } from '../../api/contract.ts';
import { delay } from '../../base/clock.ts';
import { withConnection } from '../connection/session.ts';
import type { Context } from '../context/context.ts';
import type { ListOptions } from '../input/filters.ts';
import { listPages } from '../input/list.ts';
import { chooseWorkflow } from '../input/workflow-key.ts';
import { printList } from '../output/output.ts';

export interface MonitorOptions extends ListOptions {
  /** Seconds. */
  duration?: number;
}

const lookEveryMs = 1_000;

/** Statuses in which nothing more happens by itself. */
const ended = ['uninitialized', 'done', 'failed', 'canceled', 'timeout'];

/** Prints events until the run has ended, the time is over or ^C; with `after` first those since then. */
export async function monitorEvents(context: Context, key: string | null, options: MonitorOptions): Promise<void> {
  await withConnection(context, async ({ api }) => {
    const workflowKey = await chooseWorkflow(context, api, key, 'reads');
    const shown = { chosen: options.columns ?? null, excluded: options.excludeColumn };
    await printList(context, 'events', eventsAsTheyHappen(context, api, workflowKey, options), shown);
  });
}

async function* eventsAsTheyHappen(
  { clock }: Context,
  api: Api,
  workflowKey: string,
  options: MonitorOptions,
): AsyncGenerator<readonly ListRecord[]> {
  const endsAt = clock.monotonic() + (options.duration ?? Number.POSITIVE_INFINITY) * 1000;
  let after = options.after ?? (await newestEvent(api, workflowKey));
  for (;;) {
    // asked for first: what happened before the end is listed after it
    const { status } = await api.call('workflow_show', { workflow_key: workflowKey });
    for await (const records of listPages(api, 'events', workflowKey, { ...options, after })) {
      if (records.length === 0) continue;
      after = String(records.at(-1)?.event_key);
      yield records;
    }
    if (ended.includes(status) || clock.monotonic() >= endsAt) return;
    await delay(clock, lookEveryMs);
  }
}

async function newestEvent(api: Api, workflowKey: string): Promise<string | undefined> {
  const order = { sort_by: null, reverse: true } as const;
  const request = { list: 'events', workflow_key: workflowKey, filters: [], ...order, limit: 1, skip: 0 } as const;
  const { records } = await api.call('list', { ...request, filters: [] });
  return records.length === 0 ? undefined : String(records[0]?.event_key);
}
