/** Records as plain aligned columns that people and awk can read. */
import { jsonText } from '../../base/exact-json.ts';
import { visible } from '../../base/text.ts';

export interface TextColumn {
  header: string;
  cell(record: Readonly<Record<string, unknown>>): string;
  isNumeric: boolean;
  /** A text of any length, which may be cut on a terminal. */
  isText?: boolean;
}

const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Any value as a cell: a missing value is `-`, so that columns can be counted; instants lose their milliseconds. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  if (typeof value === 'string' && instant.test(value)) return `${value.slice(0, 19)}Z`;
  return visible(typeof value === 'object' ? jsonText(value) : String(value));
}

const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/;
const combining = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: this is how colours begin
const colors = /\x1b\[[0-9;]*m/g;

function characterWidth(character: string): number {
  if (combining.test(character)) return 0;
  return wide.test(character) || (character.codePointAt(0) ?? 0) >= 0x1f300 ? 2 : 1;
}

/** The width of the text in terminal columns; colours take none. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text.replace(colors, '')) width += characterWidth(character);
  return width;
}

/** The text cut to at most `columns`, ending in `…` when it was cut. */
export function fitWidth(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let fitted = '';
  let width = 0;
  for (const character of text) {
    width += characterWidth(character);
    if (width > columns - 1) break;
    fitted += character;
  }
  return columns < 1 ? '' : `${fitted}…`;
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

  #line(cells: readonly string[], isPainted = false): string {
    const padded = cells.map((cell, at) => {
      const column = this.#columns[at];
      const space = ' '.repeat(Math.max(0, (this.#widths?.[at] ?? 0) - displayWidth(cell)));
      const isLast = at === cells.length - 1;
      const text = column?.isNumeric ? space + cell : isLast ? cell : cell + space;
      return isPainted ? this.#paint(column?.header ?? '', text) : text;
    });
    return `${padded.join(gap)}\n`;
  }
}

/** `name: value` lines with the values in one column. */
export function factLines(facts: readonly (readonly [name: string, value: unknown])[]): string {
  const width = Math.max(0, ...facts.map(([name]) => name.length)) + 1;
  return facts.map(([name, value]) => `${`${name}:`.padEnd(width)} ${cellText(value)}\n`).join('');
}
