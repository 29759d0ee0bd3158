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

export interface View {
  /** The workflow it is about; null for all. */
  readonly workflowKey: string | null;
  title(): string;
  /** What its keys do, the most important first. */
  keys(): readonly string[];
  /** Reads from the server what fits into this size. */
  load(size: Size): Promise<void>;
  /** Called every second; whether something else than time has to be drawn. */
  tick?(): Promise<void>;
  /** At most `rows` lines of at most `columns`. */
  lines(size: Size): string[];
  key(key: string): Step | null;
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
    const page = Math.max(1, this.#rows - 1);
    const by = { up: -1, k: -1, down: 1, j: 1, 'page-up': -page, 'page-down': page, ' ': page }[key];
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
    const page = Math.max(1, rows - 1);
    const by = { up: -1, k: -1, down: 1, j: 1, 'page-up': -page, 'page-down': page, ' ': page }[key];
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
