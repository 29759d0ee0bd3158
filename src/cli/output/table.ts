/** Records as plain aligned columns that people and awk can read. */
import { jsonText } from '../../base/exact-json.ts';
import { visible } from '../../base/text.ts';
import { displayWidth, wrapped } from './width.ts';

export interface TextColumn {
  header: string;
  cell(record: Readonly<Record<string, unknown>>): string;
  isNumeric: boolean;
  /** A text of any length, which may be cut on a terminal. */
  isText?: boolean;
  /** As the last column of a table it is broken into lines of this width. */
  wrapsAt?: number;
}

const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Any value as a cell: a missing value is `-`, so that columns can be counted; instants lose their milliseconds. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  if (typeof value === 'string' && instant.test(value)) return `${value.slice(0, 19)}Z`;
  return visible(typeof value === 'object' ? jsonText(value) : String(value));
}

const gap = '  ';

/**
 * Prints aligned lines page by page: widths come from the header and the first page; a longer cell later shifts its
 * line, so that a million rows need no second pass.
 */
export class TextTable {
  readonly #columns: readonly TextColumn[];
  readonly #paint: (header: string, padded: string) => string;
  #widths: number[] | null = null;

  /** `paint` may colour a padded cell. */
  constructor(
    columns: readonly TextColumn[],
    paint: (header: string, padded: string) => string = (_, padded) => padded,
  ) {
    this.#columns = columns;
    this.#paint = paint;
  }

  /** The lines of these records, the first time with a header line. */
  lines(records: readonly Readonly<Record<string, unknown>>[]): string {
    const rows = records.map((record) => this.#columns.map((column) => column.cell(record)));
    const isFirst = this.#widths === null;
    this.#widths ??= this.#columns.map((column, at) =>
      rows.reduce((most, row) => Math.max(most, displayWidth(row[at] ?? '')), column.header.length),
    );
    const header = isFirst ? this.#line(this.#columns.map((column) => column.header)) : '';
    return header + rows.map((row) => this.#line(row, true)).join('');
  }

  #line(all: readonly string[], isPainted = false): string {
    const last = all.length - 1;
    const wrapsAt = this.#columns[last]?.wrapsAt;
    const [firstLine = '', ...more] = wrapsAt === undefined ? [all[last] ?? ''] : wrapped(all[last] ?? '', wrapsAt);
    const cells = all.with(last, firstLine);
    const indent = ' '.repeat(this.#widths?.slice(0, last).reduce((sum, width) => sum + width + gap.length, 0) ?? 0);
    const padded = cells.map((cell, at) => {
      const column = this.#columns[at];
      const space = ' '.repeat(Math.max(0, (this.#widths?.[at] ?? 0) - displayWidth(cell)));
      const text = column?.isNumeric ? space + cell : at === last ? cell : cell + space;
      return isPainted ? this.#paint(column?.header ?? '', text) : text;
    });
    return `${padded.join(gap)}\n${more.map((line) => `${indent}${line}\n`).join('')}`;
  }
}

/** `name: value` lines with the values in one column. */
export function factLines(facts: readonly (readonly [name: string, value: unknown])[]): string {
  const width = Math.max(0, ...facts.map(([name]) => name.length)) + 1;
  return facts.map(([name, value]) => `${`${name}:`.padEnd(width)} ${cellText(value)}\n`).join('');
}
