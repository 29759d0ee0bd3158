/** Tables on a terminal: columns that fit side by side, the most important ones first. */
import type { TextColumn } from './table.ts';
import { displayWidth, fitWidth } from './width.ts';

/** A text is cut to no less than this. */
const leastText = 20;
const gapWidth = 2;

interface Measured {
  column: TextColumn;
  width: number;
  /** What it may be cut to. */
  least: number;
}

/** What becomes of a long text: all are cut, or the one in the last column is broken into lines. */
export type LongTexts = 'cut' | 'last-wrapped';

/**
 * The columns that fit into `width` for these records, with long texts shortened, and the headers of those that do not
 * fit: they are left out from the right.
 */
export function fitted(
  columns: readonly TextColumn[],
  records: readonly Readonly<Record<string, unknown>>[],
  width: number,
  longTexts: LongTexts = 'cut',
): { columns: TextColumn[]; hidden: string[] } {
  const measured = columns.map((column): Measured => {
    const widest = records.reduce((most, record) => Math.max(most, displayWidth(column.cell(record))), 0);
    const needed = Math.max(widest, column.header.length);
    const least = column.isText === true ? Math.min(needed, Math.max(leastText, column.header.length)) : needed;
    return { column, width: needed, least };
  });
  let count = measured.length;
  while (count > 1 && totalWidth(measured.slice(0, count)) > width) count -= 1;
  const kept = measured.slice(0, count);
  let spare = width - totalWidth(kept);
  const shown = kept.map(({ column, width: wanted, least }, at) => {
    const more = Math.max(0, Math.min(wanted - least, spare));
    spare -= more;
    if (wanted <= least + more) return column;
    const room = Math.max(1, least + more);
    const isWrapped = longTexts === 'last-wrapped' && at === measured.length - 1;
    return isWrapped ? { ...column, wrapsAt: room } : cut(column, room);
  });
  return { columns: shown, hidden: measured.slice(count).map(({ column }) => column.header) };
}

function totalWidth(columns: readonly Measured[]): number {
  return columns.reduce((sum, { least }) => sum + least, 0) + gapWidth * (columns.length - 1);
}

function cut(column: TextColumn, width: number): TextColumn {
  return { ...column, cell: (record) => fitWidth(column.cell(record), width) };
}
