/** The options that all lists share, and the request they become. */
import type { ListName, Request } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';

export interface ListFilter {
  column: string;
  value: string;
}

/** Options of a list after parsing. */
export interface ListOptions {
  filter: readonly ListFilter[];
  limit?: number;
  skip?: number;
  sortBy?: string;
  reverseSort?: boolean;
  /** The columns of text and CSV, in this order. */
  columns?: readonly string[];
  excludeColumn: readonly string[];
  /** All usual columns, however wide the terminal is. */
  wide?: boolean;
  pager?: boolean;
  /** Only the newest result of each job. */
  latestOnly?: boolean;
  /** Of events: only those after this one. */
  after?: string | undefined;
}

/** Reads `column=value`; the value may contain `=`; an empty value means "has none". */
export function parseFilter(text: string): ListFilter {
  const at = text.indexOf('=');
  const column = text.slice(0, at).trim();
  if (at < 0 || column === '') {
    throw new TorcError(
      'usage',
      `'${text}' is not a filter`,
      'Filters are written column=value, such as -f status=ready',
    );
  }
  return { column, value: text.slice(at + 1) };
}

/** Reads the key of an event, such as 118 or 118.4. */
export function parseEventKey(text: string): string {
  if (/^\d{1,15}(\.\d{1,6})?$/.test(text)) return text;
  throw new TorcError('usage', `'${text}' is not the key of an event`, 'See them with torc events list.');
}

/** Reads `a,b,c`. */
export function parseColumns(text: string): string[] {
  const columns = text.split(',').map((column) => column.trim());
  if (columns.some((column) => column === '')) {
    throw new TorcError('usage', `'${text}' is not a list of columns`, 'Columns are written a,b,c');
  }
  return columns;
}

/** The request for rows `skip` to `skip + limit` of a list. */
export function listRequest(
  list: ListName,
  workflowKey: string | null,
  options: ListOptions,
  page: { limit: number; skip: number },
): Request<'list'> {
  return {
    list,
    workflow_key: workflowKey,
    filters: options.filter.map(({ column, value }) => ({ column, value })),
    sort_by: options.sortBy ?? null,
    reverse: options.reverseSort ?? false,
    ...(options.latestOnly === true ? { latest_only: true } : {}),
    ...(options.after === undefined ? {} : { after: options.after }),
    ...page,
  };
}
