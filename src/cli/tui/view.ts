/** What a screen of the terminal view is: it reads what it shows, shows it in lines, and takes keys. */
import type { Api } from '../../api/contract.ts';
import type { Context } from '../context/context.ts';
import type { PlannedAction } from './planned-action.ts';

export interface Size {
  columns: number;
  rows: number;
}

/** What all views work with; `api` changes when another server takes over. */
export interface Session {
  context: Context;
  api: Api;
}

export type Step =
  | { kind: 'open'; view: View }
  | { kind: 'back' }
  /** It has to read something else. */
  | { kind: 'load' }
  | { kind: 'plan'; action: PlannedAction }
  /** A line is typed; null when it is left. */
  | { kind: 'ask'; question: string; initial: string; answer: (text: string) => Step | null };

/** What a key does. */
export interface KeyHelp {
  key: string;
  /** In a word or two, for the last line. */
  word: string;
  /** In a line, or the command that does the same. */
  help: string;
}

export interface View {
  /** The workflow it is about; null for all. */
  readonly workflowKey: string | null;
  title(): string;
  /** The most important key first. */
  keys(): readonly KeyHelp[];
  /** Reads from the server what fits into this size. */
  load(size: Size): Promise<void>;
  /** Reads what takes longer or changes without events; called after each drawing of what was loaded, and every second. */
  loadMore?(): Promise<void>;
  /** Whether what the key means is not known before something has been read. */
  waitsFor(key: string): boolean;
  /** At most `rows` lines of at most `columns`. */
  lines(size: Size): string[];
  key(key: string): Step | null;
}

export const backKey: KeyHelp = { key: 'Esc', word: 'back', help: 'the view before' };

/** How many rows a key moves, where `rows` of them are shown; undefined for a key that does not. */
function moveBy(key: string, rows: number): number | undefined {
  const page = Math.max(1, rows - 1);
  return { up: -1, k: -1, down: 1, j: 1, 'page-up': -page, 'page-down': page, ' ': page }[key];
}

/** The row on which the cursor is. */
export function cursorLine(text: string, isChosen: boolean, hasColor: boolean): string {
  if (!isChosen) return `  ${text}`;
  return hasColor ? `\x1b[1m> ${text}\x1b[0m` : `> ${text}`;
}

/** A text that is longer than the screen: which of its lines are shown. */
export class Scroll {
  top = 0;
  #rows = 1;
  #count = 0;

  shown(lines: readonly string[], rows: number): string[] {
    this.#rows = rows;
    this.#count = lines.length;
    this.top = Math.max(0, Math.min(this.top, lines.length - rows));
    return lines.slice(this.top, this.top + rows);
  }

  get isAtEnd(): boolean {
    return this.top >= this.#count - this.#rows;
  }

  /** Whether the key was one of those that move. */
  key(key: string): boolean {
    const by = moveBy(key, this.#rows);
    if (key === 'home' || key === 'g') this.top = 0;
    else if (key === 'end' || key === 'G') this.top = Math.max(0, this.#count - this.#rows);
    else if (by === undefined) return false;
    else this.top = Math.max(0, Math.min(this.top + by, this.#count - this.#rows));
    return true;
  }
}

/** A list with a cursor, of which only a part is on the screen. */
export class Cursor {
  index = 0;
  top = 0;

  /** Where a key leads, in a list of `count` rows of which `rows` are shown; false for another key. */
  key(key: string, count: number, rows: number): boolean {
    const by = moveBy(key, rows);
    if (key === 'home' || key === 'g') this.index = 0;
    else if (key === 'end' || key === 'G') this.index = count - 1;
    else if (by === undefined) return false;
    else this.index += by;
    this.keep(count, rows);
    return true;
  }

  /** Keeps the cursor inside of the list, and the part that is shown around the cursor. */
  keep(count: number, rows: number): void {
    this.index = Math.max(0, Math.min(this.index, count - 1));
    this.top = Math.max(Math.min(this.top, this.index, count - rows), this.index - rows + 1, 0);
  }
}
