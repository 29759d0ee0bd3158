/** Any `list` command: reads a list page by page and prints each page at once. */
import type { Api, ListName, ListRecord } from '../../api/contract.ts';
import { withConnection } from '../connection/session.ts';
import { type Context, note } from '../context/context.ts';
import { printList } from '../output/output.ts';
import { type ListFilter, type ListOptions, listRequest } from './filters.ts';
import { chooseWorkflows } from './workflow-key.ts';

/** The first page is small, so that its lines appear at once; others have as many rows as the server allows. */
export const firstPageRows = 500;
export const pageRows = 10_000;

/** A row of user data may have a megabyte. */
const userDataRows = 50;

/** The pages of a list from `skip` on, with at most `limit` rows in total (default: all). */
export async function* listPages(
  api: Api,
  list: ListName,
  workflowKey: string | null,
  options: ListOptions,
): AsyncGenerator<readonly ListRecord[]> {
  let skip = options.skip ?? 0;
  let after = options.after;
  // in the order of commits each page begins after the last event of the one before
  const hasCursor = list === 'events' && options.sortBy === undefined && options.reverseSort !== true;
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  const most = list === 'user_data' ? userDataRows : pageRows;
  for (let size = firstPageRows; left > 0; size = pageRows) {
    const limit = Math.min(size, most, left);
    const { records, more } = await api.call(
      'list',
      listRequest(list, workflowKey, { ...options, after }, { limit, skip }),
    );
    yield records;
    if (!more || records.length === 0) return;
    if (hasCursor) after = String(records.at(-1)?.event_key);
    skip = hasCursor ? 0 : skip + records.length;
    left -= records.length;
  }
}

/** With `-U`, only the workflows of that user. */
function ownedBy(options: ListOptions, user: string | null): ListOptions {
  return user === null ? options : { ...options, filter: [...options.filter, { column: 'user', value: user }] };
}

/** Of workflows only those that are named, in arguments or with `-k`; the environment does not shorten the list. */
async function namedBy(
  context: Context,
  api: Api,
  options: ListOptions,
  words: readonly string[],
): Promise<ListOptions> {
  if (words.length === 0 && context.workflowKey === null) return options;
  const { keys } = await chooseWorkflows(context, api, words, 'reads');
  return { ...options, filter: [...options.filter, { column: 'workflow_key', value: keys.join(',') }] };
}

/** The same pages; `found` is called for each that has rows. */
async function* seen(
  pages: AsyncIterable<readonly ListRecord[]>,
  found: () => void,
): AsyncGenerator<readonly ListRecord[]> {
  for await (const records of pages) {
    if (records.length > 0) found();
    yield records;
  }
}

interface Narrowed {
  workflowKey: string | null;
  narrowed: ListOptions;
  isOfSeveral: boolean;
}

/** The rows of one workflow, or by a filter those of several. */
async function narrowedTo(
  context: Context,
  api: Api,
  list: ListName,
  options: ListOptions,
  words: readonly string[],
): Promise<Narrowed> {
  if (list === 'workflows') {
    const narrowed = ownedBy(await namedBy(context, api, options, words), context.userOption);
    return { workflowKey: null, narrowed, isOfSeveral: false };
  }
  const { keys } = await chooseWorkflows(context, api, words, 'lists');
  const [only = '', ...others] = keys;
  if (others.length === 0) return { workflowKey: only, narrowed: options, isOfSeveral: false };
  const filter = [...options.filter, { column: 'workflow_key', value: keys.join(',') }];
  return { workflowKey: null, narrowed: { ...options, filter }, isOfSeveral: true };
}

function isFailed({ column, value }: ListFilter): boolean {
  return column === 'outcome' && value === 'failed';
}

/** Prints a list: the rows of the workflow that is given, or the workflows that are. */
export async function showList(
  context: Context,
  list: ListName,
  options: ListOptions,
  given: string | null | readonly string[] = null,
): Promise<void> {
  const words = typeof given === 'string' ? [given] : (given ?? []);
  await withConnection(context, async ({ api }) => {
    const { workflowKey, narrowed, isOfSeveral } = await narrowedTo(context, api, list, options, words);
    const shown = {
      chosen: options.columns ?? null,
      excluded: options.excludeColumn,
      isWide: options.wide ?? false,
      hasPager: options.pager ?? false,
      isOfSeveral,
    };
    let hasRows = false;
    const pages = listPages(api, list, workflowKey, narrowed);
    await printList(
      context,
      list,
      seen(pages, () => (hasRows = true)),
      shown,
    );
    if (list === 'jobs' && hasRows && options.filter.some(isFailed)) {
      note(
        context,
        `what they printed: ${context.torc} jobs logs KEY; why, and what to type: ${context.torc} jobs show KEY`,
      );
    }
  });
}
