/** All keys of a view with what they do: the last line has room only for some. */
import type { Overlay } from './overlays.ts';
import { type KeyHelp, Scroll, type Size } from './view.ts';

const everywhere: readonly KeyHelp[] = [
  { key: 'j k', word: 'move', help: 'also the arrow keys' },
  { key: 'Space', word: 'a page', help: 'also Page Down and Page Up' },
  { key: 'g G', word: 'ends', help: 'the first and the last line; also Home and End' },
  { key: 'Esc', word: 'back', help: 'also the left arrow key' },
  { key: 'q', word: 'quit', help: 'also Ctrl-C; the work goes on' },
  { key: 'Ctrl-Z', word: 'suspend', help: 'fg comes back' },
  { key: 'Ctrl-L', word: 'redraw', help: 'when something else has written to the terminal' },
  { key: '?', word: 'help', help: 'this page' },
];

export class HelpOverlay implements Overlay {
  readonly #title: string;
  readonly #keys: readonly KeyHelp[];
  readonly #scroll = new Scroll();

  constructor(title: string, keys: readonly KeyHelp[]) {
    this.#title = title;
    // what works everywhere is said once
    this.#keys = keys.filter(({ key }) => !everywhere.some((each) => each.key === key));
  }

  body({ rows }: Size): { title: string; lines: string[] } {
    const lines = [
      ...['Keys here:', ...helpLines(this.#keys), ''],
      ...['Keys everywhere:', ...helpLines(everywhere), ''],
      'Actions show what the command would do, and change nothing before you answer y.',
    ];
    return { title: `keys: ${this.#title}`, lines: this.#scroll.shown(lines, rows) };
  }

  footer(): string {
    return 'Esc back';
  }

  key(key: string): Overlay | null {
    return this.#scroll.key(key) ? this : null;
  }
}

function helpLines(keys: readonly KeyHelp[]): string[] {
  return keys.map(({ key, word, help }) => `  ${key.padEnd(6)}  ${word.padEnd(13)}  ${help}`);
}
