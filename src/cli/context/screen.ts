/** The whole terminal, redrawn in place: on the alternate screen, so that what was there before comes back. */
import { writeSync } from 'node:fs';
import { harmless } from '../../base/text.ts';
import { screenChanges } from './screen-changes.ts';
import type { Terminal } from './terminal.ts';

export interface Screen {
  columns(): number;
  rows(): number;
  /** Shows these lines, which fit into the columns; lines beyond the last row are left out. */
  draw(lines: readonly string[]): void;
  /** The next drawing is complete: something else may have written to the terminal. */
  forget(): void;
  /** Gives the terminal back; may be repeated. */
  close(): void;
}

export interface ScreenEvents {
  key(key: string): void;
  resized(): void;
  /** The terminal is gone: nobody sees what is drawn, and no key comes any more. */
  lost(): void;
}

// a line that is wider than we think ends at the edge, and moves no other line
const enter = '\x1b[?1049h\x1b[?25l\x1b[?7l';
const leave = '\x1b[?7h\x1b[?25h\x1b[?1049l';
/** A terminal that knows these shows all that is between them at once. */
const [begin, end] = ['\x1b[?2026h', '\x1b[?2026l'];
const suspendKey = '\x1a';
/** After this long it is clear that the process was not stopped: there is no shell that would continue it. */
const unstoppedMs = 200;

/** Keys arrive one by one, also ^C, where standard input is a terminal. */
export function openScreen(terminal: Terminal, events: ScreenEvents): Screen {
  return new OpenScreen(terminal, events);
}

class OpenScreen implements Screen {
  readonly #terminal: Terminal;
  readonly #events: ScreenEvents;
  #isOpen = false;
  #hasEnded = false;
  /** What the terminal shows, as far as it is known. */
  #drawn: readonly string[] | null = null;
  #wanted: readonly string[] | null = null;
  #isWriting = false;

  constructor(terminal: Terminal, events: ScreenEvents) {
    this.#terminal = terminal;
    this.#events = events;
    this.#open();
  }

  columns(): number {
    return process.stdout.columns || 80;
  }

  rows(): number {
    return process.stdout.rows || 24;
  }

  draw(lines: readonly string[]): void {
    if (!this.#isOpen) return;
    this.#wanted = lines.slice(0, this.rows()).map((line) => harmless(line.replaceAll('\t', '    '), 'colors'));
    this.#show();
  }

  forget(): void {
    this.#drawn = null;
  }

  close(): void {
    this.#hasEnded = true;
    void this.#close();
  }

  /** One drawing at a time: a slow terminal gets the newest one next, not all that were there meanwhile. */
  #show(): void {
    if (this.#isWriting || this.#wanted === null) return;
    const lines = this.#wanted;
    this.#wanted = null;
    const changes = screenChanges(this.#drawn, lines);
    this.#drawn = lines;
    if (changes === '') return;
    this.#isWriting = true;
    void this.#write(`${begin}${changes}${end}`).then(() => {
      this.#isWriting = false;
      if (this.#isOpen) this.#show();
    });
  }

  async #write(text: string): Promise<void> {
    try {
      if (!(await this.#terminal.out(Buffer.from(text)))) this.#events.lost();
    } catch {
      this.#events.lost();
    }
  }

  #open(): void {
    if (this.#isOpen || this.#hasEnded) return;
    this.#isOpen = true;
    this.#drawn = null;
    void this.#write(enter);
    process.stdout.on('resize', this.#resized);
    process.on('SIGTSTP', this.#suspend);
    // before the listener that ends the process
    process.prependListener('exit', this.#exiting);
    if (!this.#terminal.isStdinTerminal) return;
    process.stdin.setRawMode(true);
    process.stdin.on('data', this.#listen);
    process.stdin.on('end', this.#events.lost);
    process.stdin.on('error', this.#events.lost);
    process.stdin.resume();
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#wanted = null;
    process.stdout.off('resize', this.#resized);
    process.off('SIGTSTP', this.#suspend);
    process.off('exit', this.#exiting);
    this.#closeInput();
    await this.#write(leave);
  }

  #closeInput(): void {
    if (!this.#terminal.isStdinTerminal) return;
    process.stdin.off('data', this.#listen);
    process.stdin.off('end', this.#events.lost);
    process.stdin.off('error', this.#events.lost);
    try {
      process.stdin.setRawMode(false);
    } catch {
      // the terminal is gone
    }
    process.stdin.pause();
  }

  /** The process ends without closing: the terminal is given back at once, or stays as nobody can use it. */
  #exiting = (): void => {
    this.#closeInput();
    try {
      writeSync(1, leave);
    } catch {
      // the terminal is gone
    }
  };

  #listen = (bytes: Buffer): void => {
    for (const key of bytes.toString('latin1')) {
      if (key === suspendKey) this.#suspend();
      else this.#events.key(key);
    }
  };

  #resized = (): void => {
    this.#drawn = null;
    this.#events.resized();
  };

  /** As the shell's job control does without raw keys. */
  #suspend = (): void => {
    void this.#close().then(() => {
      let wait: ReturnType<typeof setTimeout> | null = null;
      const resume = (): void => {
        process.off('SIGCONT', resume);
        if (wait !== null) clearTimeout(wait);
        this.#open();
        this.#events.resized();
      };
      process.on('SIGCONT', resume);
      process.kill(process.pid, 'SIGTSTP');
      wait = setTimeout(resume, unstoppedMs);
    });
  };
}
