/** Prints lists page by page, or one result, in the output format. */

import type { ListName, ListRecord } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { jsonText } from '../../base/exact-json.ts';
import { didYouMean } from '../../model/spec/names.ts';
import { type Context, note } from '../context/context.ts';
import { csvLine } from './csv.ts';
import { fitted, type LongTexts } from './fit.ts';
import { usualColumns } from './list-columns.ts';
import type { Sink } from './pager.ts';
import { TextTable } from './table.ts';
import { attributePrefix, cellOf, namesOfHeading, textColumn } from './text-columns.ts';

export interface ShownColumns {
  /** The columns to print, in this order; null for the usual ones. */
  chosen: readonly string[] | null;
  /** The usual ones of a list that has no columns of its own in list-columns.ts. */
  usual?: readonly string[];
  excluded: readonly string[];
  /** Whether the usual columns are shown as wide as they are. */
  isWide?: boolean;
  /** Whether a pager shows the list, where stdout is a terminal. */
  hasPager?: boolean;
  /** Whether the rows are those of several workflows, which a column then names. */
  isOfSeveral?: boolean;
}

/** Prints a list as its pages arrive; stops early when the reader is gone. */
export async function printList(
  context: Context,
  list: ListName | string,
  pages: AsyncIterable<readonly ListRecord[]>,
  shown: ShownColumns = { chosen: null, excluded: [] },
): Promise<void> {
  const printer = listPrinter(context, list, shown);
  const sink = await openSink(context, shown.hasPager ?? false);
  let isFirst = true;
  let isRead = true;
  for await (const records of pages) {
    const text = printer.page(records, isFirst);
    isFirst = false;
    isRead = await sink.out(text);
    if (!isRead) break;
  }
  if (isRead) await sink.out(printer.end(isFirst));
  await sink.close();
  if (isRead) noteHidden(context, printer.hidden?.() ?? []);
}

async function openSink(context: Context, hasPager: boolean): Promise<Sink> {
  const { terminal, format } = context;
  if (hasPager && terminal.isStdoutTerminal) return (await import('./pager.ts')).openPager(context);
  const keeps = format === 'text' ? 'colors' : 'lines';
  return { out: (text) => terminal.out(text, keeps), close: async () => {} };
}

function noteHidden(context: Context, hidden: readonly string[]): void {
  if (hidden.length === 0) return;
  note(context, `not shown: ${hidden.join(', ')}; to see them: -w, or --columns`);
}

interface ListPrinter {
  page(records: readonly ListRecord[], isFirst: boolean): string;
  /** `isEmpty`: there was no page. */
  end(isEmpty: boolean): string;
  /** The headers of columns that did not fit. */
  hidden?(): readonly string[];
}

function listPrinter(context: Context, list: string, shown: ShownColumns): ListPrinter {
  if (context.format === 'json') return jsonPrinter(list);
  const named = shown.usual ?? usualColumns(context, list as ListName, shown.isOfSeveral);
  const usual = (record: ListRecord): readonly string[] =>
    context.format === 'csv' ? Object.keys(record) : named.filter((column) => column in record);
  const columnsOf = (record: ListRecord | undefined): string[] => {
    if (record === undefined) return [...(shown.chosen ?? named)].filter((c) => !shown.excluded.includes(c));
    const excluded = shown.excluded.map((name) => columnNamed(list, record, name));
    const chosen = shown.chosen?.map((name) => columnNamed(list, record, name)) ?? usual(record);
    return chosen.filter((column) => !excluded.includes(column));
  };
  const isFitted = context.terminal.isStdoutTerminal && shown.chosen === null && shown.isWide !== true;
  return context.format === 'csv' ? csvPrinter(columnsOf) : textPrinter(context, columnsOf, isFitted);
}

/** The heading of a column may be shorter than its name: `peak_memory` names the column `peak_memory_bytes`. */
function columnNamed(list: string, record: ListRecord, name: string): string {
  const found = namesOfHeading(name).find((each) => each in record);
  if (found !== undefined) return found;
  if (name.startsWith(attributePrefix) && 'attributes' in record) return name;
  const known = Object.keys(record);
  const message = `${list} have no column '${name}'${didYouMean(name, known)}`;
  throw new TorcError('usage', message, `Columns: ${known.join(', ')}`);
}

function jsonPrinter(list: string): ListPrinter {
  return {
    page(records, isFirst) {
      const lines = records.map((record) => jsonText(record)).join(',\n');
      if (isFirst) return `{"${list}":[${lines === '' ? '' : `\n${lines}`}`;
      return lines === '' ? '' : `,\n${lines}`;
    },
    end: (isEmpty) => (isEmpty ? `{"${list}":[]}\n` : ']}\n'),
  };
}

function csvPrinter(columnsOf: (record: ListRecord | undefined) => string[]): ListPrinter {
  let columns: string[] = [];
  return {
    page(records, isFirst) {
      if (isFirst) columns = columnsOf(records[0]);
      const lines = records.map((record) => csvLine(columns.map((column) => cellOf(record, column))));
      return (isFirst ? csvLine(columns) : '') + lines.join('');
    },
    end: (isEmpty) => (isEmpty ? csvLine(columnsOf(undefined)) : ''),
  };
}

function textPrinter(
  context: Context,
  columnsOf: (record: ListRecord | undefined) => string[],
  isFitted: boolean,
): ListPrinter {
  let table: TextTable | null = null;
  let hidden: readonly string[] = [];
  const start = (records: readonly ListRecord[]): TextTable => {
    const all = columnsOf(records[0]).map(textColumn(context, records));
    const fit = isFitted ? fitted(all, records, context.terminal.columns()) : { columns: all, hidden: [] };
    hidden = fit.hidden;
    return new TextTable(fit.columns, painter(context));
  };
  return {
    page(records) {
      table ??= start(records);
      return table.lines(records);
    },
    end: (isEmpty) => (isEmpty ? start([]).lines([]) : ''),
    hidden: () => hidden,
  };
}

/**
 * A table of a few records, for plans and summaries. On a terminal it is as wide as that: a long text in its last column
 * is broken into lines, others are cut, and columns that have no room are left out from the right and named below.
 */
export function textTable(context: Context, columns: readonly string[], records: readonly ListRecord[]): string {
  return fittedTable(context, columns, records, 'last-wrapped');
}

/** The same with each record on one line of the terminal: all long texts are cut. */
export function cutTable(context: Context, columns: readonly string[], records: readonly ListRecord[]): string {
  return fittedTable(context, columns, records, 'cut');
}

function fittedTable(
  context: Context,
  names: readonly string[],
  records: readonly ListRecord[],
  longTexts: LongTexts,
): string {
  const { terminal } = context;
  const all = names.map(textColumn(context, records));
  const isFitted = terminal.isStdoutTerminal;
  const { columns, hidden } = isFitted
    ? fitted(all, records, terminal.columns(), longTexts)
    : { columns: all, hidden: [] };
  const left = hidden.length === 0 ? '' : `(too narrow for ${hidden.join(', ')})\n`;
  return new TextTable(columns, painter(context)).lines(records) + left;
}

const green = 32;
const red = 31;
const yellow = 33;
const cyan = 36;

const statusColors: Readonly<Record<string, number>> = {
  done: green,
  success: green,
  failed: red,
  refused: red,
  canceled: yellow,
  terminated: yellow,
  timeout: yellow,
  submitted: cyan,
  submitted_pending: cyan,
  running: cyan,
};

/** The text in the colour of its status, if stdout has colour. */
export function colored(context: Context, text: string): string {
  const color = statusColors[text.trim()];
  return context.hasColor && color !== undefined ? painted(color, text) : text;
}

function painter(context: Context): (header: string, padded: string) => string {
  return (header, padded) => {
    if (/status$|^outcome$/.test(header)) return colored(context, padded);
    const isFailure = failureColumns.includes(header) && /[1-9]/.test(padded);
    return isFailure && context.hasColor ? painted(red, padded) : padded;
  };
}

/** Columns in which any number but 0 is a failure. */
const failureColumns: readonly string[] = ['return_code', 'num_failed', 'failed'];

function painted(color: number, text: string): string {
  return `\x1b[${color}m${text}\x1b[0m`;
}

/** Prints one result: the value as JSON, its fields as one line of CSV, or `text`. */
export async function printResult(context: Context, value: object, text: () => string): Promise<void> {
  switch (context.format) {
    case 'json':
      await context.terminal.out(`${jsonText(value)}\n`);
      return;
    case 'csv':
      await context.terminal.out(csvLine(Object.keys(value)) + csvLine(Object.values(value)));
      return;
    case 'text':
      await context.terminal.out(text(), 'colors');
  }
}
