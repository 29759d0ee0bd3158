/** The whole terminal, redrawn in place: on the alternate screen, so that what was there before comes back. */
import { harmless } from '../../base/text.ts';
import type { Terminal } from './terminal.ts';

export interface Screen {
  columns(): number;
  rows(): number;
  /** Shows these lines, which fit into the columns; lines beyond the last row are left out. */
  draw(lines: readonly string[]): void;
  /** Gives the terminal back; may be repeated. */
  close(): void;
}

export interface ScreenEvents {
  key(key: string): void;
  resized(): void;
}

const enter = '\x1b[?1049h\x1b[?25l';
const leave = '\x1b[?25h\x1b[?1049l';
/** A terminal that knows these shows all that is between them at once. */
const [begin, end] = ['\x1b[?2026h', '\x1b[?2026l'];
const suspendKey = '\x1a';

/** Keys arrive one by one, also ^C, where standard input is a terminal. */
export function openScreen(terminal: Terminal, events: ScreenEvents): Screen {
  const write = (text: string): void => void terminal.out(Buffer.from(text));
  const hasKeys = terminal.isStdinTerminal;
  let isOpen = false;
  let drawn = '';
  const listen = (bytes: Buffer): void => {
    for (const key of bytes.toString('latin1')) {
      if (key === suspendKey) suspend();
      else events.key(key);
    }
  };
  const resized = (): void => {
    drawn = '';
    events.resized();
  };
  const open = (): void => {
    if (isOpen) return;
    isOpen = true;
    write(enter);
    process.stdout.on('resize', resized);
    if (!hasKeys) return;
    process.stdin.setRawMode(true);
    process.stdin.on('data', listen);
    process.stdin.resume();
  };
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    drawn = '';
    process.stdout.off('resize', resized);
    if (hasKeys) {
      process.stdin.off('data', listen);
      process.stdin.setRawMode(false);
      process.stdin.pause();
    }
    write(leave);
  };
  /** As the shell's job control does without raw keys. */
  const suspend = (): void => {
    close();
    process.once('SIGCONT', () => {
      open();
      events.resized();
    });
    process.kill(process.pid, 'SIGTSTP');
  };
  open();
  return {
    columns: () => process.stdout.columns || 80,
    rows: () => process.stdout.rows || 24,
    draw(lines) {
      if (!isOpen) return;
      const text = lines.slice(0, process.stdout.rows || 24).map((line) => `${harmless(line, 'colors')}\x1b[K`);
      const next = `\x1b[H${text.join('\r\n')}\x1b[J`;
      if (next === drawn) return;
      drawn = next;
      write(`${begin}${next}${end}`);
    },
    close,
  };
}
