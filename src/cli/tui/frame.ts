/** The whole screen of the terminal view: a title, what is shown, and below it the keys that do something to that. */
import { visible } from '../../base/text.ts';
import { displayWidth, fitWidth } from '../output/width.ts';
import type { KeyHelp, Size } from './view.ts';

export interface Frame {
  title: string;
  lines: readonly string[];
  /** Instead of the keys; null for these. */
  footer: string | null;
  keys: readonly KeyHelp[];
}

/** As many lines as the terminal has rows: two more than there are for what is shown. */
export function frameLines(
  { title, lines, footer, keys }: Frame,
  { columns, rows }: Size,
  hasColor: boolean,
): string[] {
  const shown = lines.slice(0, rows).map((line) => fitWidth(line, columns));
  const space = Array.from({ length: rows - shown.length }, () => '');
  return [
    titleLine(title, columns, hasColor),
    ...shown,
    ...space,
    fitWidth(footer ?? keysLine(keys, columns), columns),
  ];
}

function titleLine(title: string, columns: number, hasColor: boolean): string {
  const text = fitWidth(visible(`torc  ${title}`), columns);
  return hasColor ? `\x1b[7m${text}${' '.repeat(columns - displayWidth(text))}\x1b[0m` : text;
}

/** As many as fit; always the first one, how to see the others, and the last one. */
function keysLine(keys: readonly KeyHelp[], columns: number): string {
  const words = keys.map(({ key, word }) => `${key} ${word}`);
  const all = [...words.slice(0, -1), '? help', ...words.slice(-1)];
  while (all.length > 3 && all.join('  ').length > columns) all.splice(-3, 1);
  return all.join('  ');
}
