/** Prints lists page by page, or one result, in the output format. */

import type { ListName, ListRecord } from '../../api/contract.ts';
import { TorcError } from '../../base/errors.ts';
import { jsonText } from '../../base/exact-json.ts';
import { formatMemory } from '../../base/units.ts';
import type { Attributes } from '../../model/expanded.ts';
import { didYouMean } from '../../model/spec/names.ts';
import type { Context } from '../context/context.ts';
import { csvLine } from './csv.ts';
import { textColumns } from './list-columns.ts';
import { cellText, type TextColumn, TextTable } from './table.ts';

const bytesUnit = '_bytes';

export interface ShownColumns {
  /** The columns to print, in this order; null for the usual ones. */
  chosen: readonly string[] | null;
  excluded: readonly string[];
}

/** Prints a list as its pages arrive; stops early when the reader is gone. */
export async function printList(
  context: Context,
  list: ListName,
  pages: AsyncIterable<readonly ListRecord[]>,
  shown: ShownColumns = { chosen: null, excluded: [] },
): Promise<void> {
  const printer = listPrinter(context, list, shown);
  const keeps = context.format === 'text' ? 'colors' : 'lines';
  let isFirst = true;
  for await (const records of pages) {
    const text = printer.page(records, isFirst);
    isFirst = false;
    if (!(await context.terminal.out(text, keeps))) return;
  }
  await context.terminal.out(printer.end(isFirst), keeps);
}

interface ListPrinter {
  page(records: readonly ListRecord[], isFirst: boolean): string;
  /** `isEmpty`: there was no page. */
  end(isEmpty: boolean): string;
}

function listPrinter(context: Context, list: ListName, shown: ShownColumns): ListPrinter {
  if (context.format === 'json') return jsonPrinter(list);
  const usual = (record: ListRecord): readonly string[] =>
    context.format === 'csv' ? Object.keys(record) : textColumns[list].filter((column) => column in record);
  const columnsOf = (record: ListRecord | undefined): string[] => {
    if (record === undefined)
      return [...(shown.chosen ?? textColumns[list])].filter((c) => !shown.excluded.includes(c));
    const excluded = shown.excluded.map((name) => columnNamed(list, record, name));
    const chosen = shown.chosen?.map((name) => columnNamed(list, record, name)) ?? usual(record);
    return chosen.filter((column) => !excluded.includes(column));
  };
  return context.format === 'csv' ? csvPrinter(columnsOf) : textPrinter(context, columnsOf);
}

const attributePrefix = 'attribute.';

/** The value of a column, which may be one attribute: `attribute.release_id`. */
function cellOf(record: ListRecord, column: string): unknown {
  if (!column.startsWith(attributePrefix)) return record[column];
  return (record.attributes as Attributes | null | undefined)?.[column.slice(attributePrefix.length)] ?? null;
}

/** The heading of a size has no unit: `peak_memory` names the column `peak_memory_bytes`. */
function columnNamed(list: ListName, record: ListRecord, name: string): string {
  const found = [name, `${name}${bytesUnit}`].find((each) => each in record);
  if (found !== undefined) return found;
  if (name.startsWith(attributePrefix) && 'attributes' in record) return name;
  const known = Object.keys(record);
  const message = `${list} have no column '${name}'${didYouMean(name, known)}`;
  throw new TorcError('usage', message, `Columns: ${known.join(', ')}`);
}

function jsonPrinter(list: ListName): ListPrinter {
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

function textPrinter(context: Context, columnsOf: (record: ListRecord | undefined) => string[]): ListPrinter {
  let table: TextTable | null = null;
  return {
    page(records) {
      table ??= new TextTable(columnsOf(records[0]).map(textColumn(records)), painter(context));
      return table.lines(records);
    },
    end: (isEmpty) => (isEmpty ? new TextTable(columnsOf(undefined).map(textColumn([]))).lines([]) : ''),
  };
}

/** A table of a few records, for plans and summaries. */
export function textTable(context: Context, columns: readonly string[], records: readonly ListRecord[]): string {
  return new TextTable(columns.map(textColumn(records)), painter(context)).lines(records);
}

/** Text shows sizes with a unit and instants without milliseconds; everything else is as in JSON. */
function textColumn(sample: readonly ListRecord[]): (name: string) => TextColumn {
  return (name) => {
    const isMemory = name.endsWith(bytesUnit);
    return {
      header: isMemory ? name.slice(0, -bytesUnit.length) : name,
      cell: (record) => readable(cellOf(record, name), isMemory),
      isNumeric: sample.length > 0 && sample.every((record) => isNumberOrNull(cellOf(record, name))),
    };
  };
}

function isNumberOrNull(value: unknown): boolean {
  return value === null || typeof value === 'number';
}

function readable(value: unknown, isMemory: boolean): string {
  return isMemory && typeof value === 'number' ? formatMemory(value) : cellText(value);
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
  return context.hasColor && color !== undefined ? `\x1b[${color}m${text}\x1b[0m` : text;
}

function painter(context: Context): (header: string, padded: string) => string {
  return (header, padded) => (/status$/.test(header) ? colored(context, padded) : padded);
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
