/** Filters, order and number of records that are all here, as lists have them. */
import type { ListRecord } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { didYouMean, quoted } from '../../model/spec/names.ts';
import type { ListFilter } from './filters.ts';

export interface RecordOptions {
  filter: readonly ListFilter[];
  limit?: number;
  sortBy?: string;
  reverseSort?: boolean;
}

/** Throws TorcError 'usage' for a column that there is not. */
export function chosenRecords<T extends ListRecord>(
  records: readonly T[],
  columns: readonly string[],
  { filter, limit, sortBy, reverseSort = false }: RecordOptions,
): T[] {
  for (const column of [...filter.map((each) => each.column), ...(sortBy === undefined ? [] : [sortBy])]) {
    if (columns.includes(column)) continue;
    const message = `there is no column ${quoted(column)}${didYouMean(column, columns)}`;
    throw new TorcError('usage', message, `Columns: ${columns.join(', ')}`);
  }
  const found = records.filter((record) => filter.every(({ column, value }) => matches(record[column], value)));
  if (sortBy !== undefined) found.sort((a, b) => compared(a[sortBy], b[sortBy]));
  if (reverseSort) found.reverse();
  return found.slice(0, limit);
}

/** An empty value means that there is none. */
function matches(cell: unknown, value: string): boolean {
  if (cell === null || value === '') return cell === null && value === '';
  return typeof cell === 'number' ? cell === Number(value) : String(cell) === value;
}

/** Missing values come first, as in a database. */
function compared(a: unknown, b: unknown): number {
  if (a === null || b === null) return Number(a !== null) - Number(b !== null);
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a).localeCompare(String(b), 'en', { numeric: true });
}
