/** What a terminal is sent so that it shows other lines. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { screenChanges } from '../../src/cli/context/screen-changes.ts';
import { displayWidth } from '../../src/cli/output/width.ts';

/** What stands in each column of a row, with its colour; the second column of a wide character is empty. */
type Grid = string[][];

const rows = 4;
const columns = 30;

/** A terminal that knows what is sent: places, clearing to the end of a line and of the screen, characters, colours. */
function sent(grid: Grid, text: string): Grid {
  const next = grid.map((row) => [...row]);
  let [row, column] = [0, 0];
  let color = '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal is sent
  const parts = /\x1b\[([0-9;]*)H|\x1b\[([KJ])|\x1b\[([0-9]+)C|\x1b\[([0-9;]*)m|./gsu;
  for (const [part, place, clear, skipped, codes] of text.matchAll(parts)) {
    if (place !== undefined) {
      const [down = '', right = ''] = place.split(';');
      [row, column] = [(Number(down) || 1) - 1, (Number(right) || 1) - 1];
    } else if (clear !== undefined) {
      next[row]?.fill(' ', column);
      if (clear === 'J') for (const below of next.slice(row + 1)) below.fill(' ');
    } else if (skipped !== undefined) column += Number(skipped);
    else if (codes !== undefined) color = codes === '0' ? '' : `${color}<${codes}>`;
    else if (part === '\r') column = 0;
    else if (part === '\n') row++;
    else {
      const width = displayWidth(part);
      next[row]?.splice(column, width, `${color}${part}`, ...Array.from({ length: width - 1 }, () => ''));
      column += width;
    }
  }
  return next;
}

const blank = (): Grid => Array.from({ length: rows }, () => Array.from({ length: columns }, () => ' '));
const textOf = (grid: Grid): string[] => grid.map((row) => row.join('').trimEnd());
/** What stands there when all of it is sent to a blank terminal. */
const drawn = (lines: readonly string[]): string[] => textOf(sent(blank(), lines.join('\r\n')));

const line = fc.oneof(
  fc.stringMatching(/^[ab .]{0,30}$/),
  fc.tuple(fc.nat(9), fc.nat(9)).map(([a, b]) => `\x1b[32m${'#'.repeat(a)}\x1b[0m\x1b[31m${'x'.repeat(b)}\x1b[0m..`),
  fc.constantFrom(
    'elapsed: 3m 21s',
    'elapsed: 3m 22s',
    '日本語 x',
    '\x1b[31mfailed\x1b[0m: 3',
    '\x1b[31mf\x1b[32mailed\x1b[0m: 12',
    '',
  ),
);

describe('the changes of a screen', () => {
  it('lead from anything to anything', () => {
    fc.assert(
      fc.property(fc.array(fc.array(line, { maxLength: rows }), { minLength: 1, maxLength: 6 }), (screens) => {
        let grid = sent(blank(), 'old text on it\r\nmore');
        let before: readonly string[] | null = null;
        for (const screen of screens) {
          grid = sent(grid, screenChanges(before, screen));
          expect(textOf(grid)).toEqual(drawn(screen));
          before = screen;
        }
      }),
    );
  });

  it('are no more than what differs', () => {
    const before = ['torc  workflow 1', 'elapsed: 3m 21s', 'left: about 5m'];
    expect(screenChanges(before, before)).toBe('');
    expect(screenChanges(before, [before[0] ?? '', 'elapsed: 3m 22s', 'left: about 5m'])).toBe('\x1b[2;14H2');
    expect(screenChanges(before, [before[0] ?? '', before[1] ?? '', 'left: about 10m'])).toBe('\x1b[3;13H10m');
    expect(screenChanges(before, before.slice(0, 2))).toBe('\x1b[3;1H\x1b[J');
    const bar = (done: number) => [`\x1b[32m${'#'.repeat(done)}\x1b[0m${'.'.repeat(40 - done)}  ${done} of 40 done`];
    expect(screenChanges(bar(12), bar(13))).toBe('\x1b[1;13H\x1b[32m#\x1b[30C\x1b[0m3');
  });
});
