/** Lists that the server answers as a whole, with the filters, orders and columns that all lists have. */
import type { ListRecord } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { jsonText } from '../../base/exact-json.ts';
import { isPattern, patternTest } from '../../model/pattern.ts';
import { didYouMean, quoted } from '../../model/spec/names.ts';
import type { Context } from '../context/context.ts';
import { printList } from '../output/output.ts';
import { namesOfHeading } from '../output/text-columns.ts';
import type { ListFilter, ListOptions } from './filters.ts';

/** Which rows are shown, and in which order. */
export type RecordOptions = Pick<ListOptions, 'filter' | 'limit' | 'skip' | 'sortBy' | 'reverseSort'>;

export interface RecordColumns {
  /** Of the list, in messages. */
  name: string;
  columns: readonly string[];
  /** Columns of which only some words are possible. */
  words?: Readonly<Record<string, readonly string[]>>;
}

export interface RecordList<R extends ListRecord> extends RecordColumns {
  /** Those of text, unless others are chosen. */
  usual: readonly string[];
  /** What text says instead of columns, and besides them. */
  asText(record: R): ListRecord;
  /** What is printed as text when there are no rows at all. */
  ifNone: string;
}

/** Prints the rows that the options choose. Throws TorcError 'usage' for a column that the list does not have. */
export async function showRecords<R extends ListRecord>(
  context: Context,
  list: RecordList<R>,
  records: readonly R[],
  options: ListOptions,
): Promise<void> {
  const chosen = chosenRecords(list, records, options);
  if (records.length === 0 && context.format === 'text') {
    await context.terminal.out(list.ifNone);
    return;
  }
  const rows = context.format === 'text' ? chosen.map((record) => ({ ...record, ...list.asText(record) })) : chosen;
  async function* pages(): AsyncGenerator<readonly ListRecord[]> {
    yield rows;
  }
  await printList(context, list.name, pages(), {
    chosen: options.columns ?? null,
    usual: context.format === 'csv' ? list.columns : list.usual,
    excluded: options.excludeColumn,
    isWide: options.wide ?? false,
    hasPager: options.pager ?? false,
  });
}

/** The rows that meet all filters, in the order and number that the options ask for. */
export function chosenRecords<R extends ListRecord>(
  list: RecordColumns,
  records: readonly R[],
  { filter, sortBy, reverseSort = false, skip = 0, limit }: RecordOptions,
): R[] {
  const tests = filter.map((each) => testOf(list, records, each));
  const found = records.filter((record) => tests.every((test) => test(record)));
  if (sortBy !== undefined) {
    const column = columnOf(list, sortBy);
    found.sort((a, b) => compare(a[column], b[column]));
  }
  if (reverseSort) found.reverse();
  return found.slice(skip, limit === undefined ? undefined : skip + limit);
}

/** The column that is typed, by its name or heading. Throws TorcError 'usage' for one that the list does not have. */
export function columnOf({ name, columns }: RecordColumns, typed: string): string {
  const found = namesOfHeading(typed).find((each) => columns.includes(each));
  if (found !== undefined) return found;
  const message = `${name} have no column '${typed}'${didYouMean(typed, columns)}`;
  throw new TorcError('usage', message, `Columns: ${columns.join(', ')}`);
}

/** The value of a filter means what the values of its column are. */
function testOf<R extends ListRecord>(
  list: RecordColumns,
  records: readonly R[],
  { column: typed, value }: ListFilter,
): (record: R) => boolean {
  const column = columnOf(list, typed);
  if (value === '') return (record) => record[column] === null;
  if (column === 'name' && isPattern(value)) {
    const matches = patternTest(value);
    return (record) => matches(String(record[column]));
  }
  const words = list.words?.[column];
  if (words?.includes(value) === false) {
    const hint = `Possible values: ${words.join(', ')}.`;
    throw new TorcError('usage', `${column} cannot be ${quoted(value)}${didYouMean(value, words)}`, hint);
  }
  const kind = typeof records.find((record) => record[column] !== null)?.[column];
  if (kind === 'boolean') return isValue(column, flagOf(column, value));
  if (kind === 'number') return isValue(column, numberOf(column, value));
  if (column.endsWith('_at')) return isValue(column, instantOf(column, value));
  const keys = column.endsWith('_key') ? value.split(',') : [value];
  return (record) => keys.includes(String(record[column]));
}

function isValue(column: string, value: unknown): (record: ListRecord) => boolean {
  return (record) => record[column] === value;
}

function flagOf(column: string, value: string): boolean {
  if (value === 'true' || value === '1') return true;
  if (value === 'false' || value === '0') return false;
  throw new TorcError('usage', `${column} must be true or false, not ${quoted(value)}`);
}

function numberOf(column: string, value: string): number {
  const number = Number(value);
  if (!Number.isNaN(number)) return number;
  throw new TorcError('usage', `${column} must be a number, not ${quoted(value)}`);
}

function instantOf(column: string, value: string): string {
  const instant = Date.parse(value);
  if (!Number.isNaN(instant)) return new Date(instant).toISOString();
  throw new TorcError('usage', `${column} must be a time in ISO 8601, not ${quoted(value)}`);
}

/** As SQLite sorts: what is missing first, numbers as numbers, texts by their characters. */
function compare(a: unknown, b: unknown): number {
  if (a === null || b === null) return Number(b === null) - Number(a === null);
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const [one, other] = [a, b].map((value) => (typeof value === 'object' ? jsonText(value) : String(value)));
  return (one as string) < (other as string) ? -1 : Number(one !== other);
}
