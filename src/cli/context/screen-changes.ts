/** What a terminal has to be sent so that it shows other lines: only what differs, because a line over ssh may be slow. */

/** Characters that all take one column, and colours. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: this is how colours begin
const simple = /^(?:[\x20-\x7e]|\x1b\[[0-9;]*m)*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const pieces = /\x1b\[([0-9;]*)m|[\x20-\x7e]/g;
/** To skip as many equal cells takes as much as to send them. */
const leastSkipped = 6;

interface Cell {
  character: string;
  /** What is sent to have its colours, from none on. */
  style: string;
}

const blank: Cell = { character: ' ', style: '' };
const reset = '\x1b[0m';

/** Where a character of the screen is; both from 0. */
const at = (row: number, column: number): string => `\x1b[${row + 1};${column + 1}H`;

/** From a screen that shows `before` to one that shows `after`; null where it is not known what it shows. */
export function screenChanges(before: readonly string[] | null, after: readonly string[]): string {
  if (before === null) return `\x1b[H${after.map((line) => `${line}\x1b[K`).join('\r\n')}\x1b[J`;
  const changed = after.map((line, row) => lineChange(row, before[row] ?? '', line));
  const rest = before.length > after.length ? `${at(after.length, 0)}\x1b[J` : '';
  return `${changed.join('')}${rest}`;
}

/** Only of simple lines is it known which column a character is in. */
function lineChange(row: number, before: string, after: string): string {
  if (before === after) return '';
  if (!simple.test(before) || !simple.test(after)) return `${at(row, 0)}${after}\x1b[K`;
  const [old, cells] = [cellsOf(before), cellsOf(after)];
  const parts = differences(old, cells);
  const [first, last] = [parts[0], parts.at(-1)];
  const text = first === undefined ? '' : `${at(row, first.from)}${partsText(cells, parts)}`;
  if (old.slice(cells.length).every((cell) => isSame(cell, blank))) return text;
  return `${text}${last?.to === cells.length ? '' : at(row, cells.length)}\x1b[K`;
}

function cellsOf(line: string): Cell[] {
  const cells: Cell[] = [];
  let style = '';
  for (const [piece, codes] of line.matchAll(pieces)) {
    if (codes === undefined) cells.push({ character: piece, style });
    else style = codes === '' || codes === '0' ? '' : style + piece;
  }
  return cells;
}

const isSame = (a: Cell, b: Cell): boolean => a.character === b.character && a.style === b.style;

interface Part {
  from: number;
  to: number;
}

/** The parts of `after` that differ, with short equal parts between them. */
function differences(before: readonly Cell[], after: readonly Cell[]): Part[] {
  const parts: Part[] = [];
  for (const [column, cell] of after.entries()) {
    if (isSame(before[column] ?? blank, cell)) continue;
    const last = parts.at(-1);
    if (last !== undefined && column - last.to < leastSkipped) last.to = column + 1;
    else parts.push({ from: column, to: column + 1 });
  }
  return parts;
}

/** From where the first part begins; ends without colours. */
function partsText(cells: readonly Cell[], parts: readonly Part[]): string {
  let text = '';
  let style = '';
  for (const [index, { from, to }] of parts.entries()) {
    const skipped = index === 0 ? 0 : from - (parts[index - 1]?.to ?? 0);
    if (skipped > 0) text += `\x1b[${skipped}C`;
    for (const cell of cells.slice(from, to)) {
      if (cell.style !== style) text += `${style === '' ? '' : reset}${cell.style}`;
      style = cell.style;
      text += cell.character;
    }
  }
  return style === '' ? text : `${text}${reset}`;
}
