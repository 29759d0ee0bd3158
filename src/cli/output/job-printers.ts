/** How the output of jobs is printed: one job byte for byte, several line by line with the name of each. */
import type { Context } from '../context/context.ts';
import type { AttemptLog } from './attempt-log.ts';
import type { Stream } from './attempt-output.ts';
import { LogOutput } from './log-text.ts';
import { cellText } from './table.ts';
import { displayWidth } from './width.ts';

/** Prints what one job wrote. */
export interface JobPrinter {
  /** Says whose output follows, once. */
  head(log: AttemptLog, stream: Stream): void;
  /** False when the reader of stdout is gone. */
  write(log: AttemptLog, stream: Stream, piece: Buffer): Promise<boolean>;
  /** Nothing more comes from this stream. */
  end(stream: Stream): Promise<void>;
  /** Says something about the job on stderr. */
  say(text: string): void;
}

/** The bytes of a single job, with the file of each part on stderr. */
export class PlainPrinter implements JobPrinter {
  readonly #context: Context;
  readonly #output: LogOutput;
  #heading = '';

  constructor(context: Context) {
    this.#context = context;
    this.#output = new LogOutput(context.terminal);
  }

  head(log: AttemptLog, stream: Stream): void {
    const heading = log.heading(stream);
    if (heading !== this.#heading) this.#context.terminal.err(`${heading}\n`);
    this.#heading = heading;
  }

  write(log: AttemptLog, stream: Stream, piece: Buffer): Promise<boolean> {
    this.head(log, stream);
    return this.#output.write(stream, piece);
  }

  end(stream: Stream): Promise<void> {
    return this.#output.end(stream);
  }

  say(text: string): void {
    this.#context.terminal.err(`${text}\n`);
  }
}

const newline = 0x0a;
/** A longer line is printed in parts. */
const longestLineBytes = 64 * 1024;
/** Longer names do not widen the column of names. */
const widestName = 24;

/** Lines with the name of their job before them. */
export class NamedPrinter implements JobPrinter {
  readonly #context: Context;
  readonly #before: Buffer;
  readonly #output: LogOutput;
  readonly #rest = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  readonly #name: string;

  /** `width`: of the column of names. */
  constructor(context: Context, name: string, width: number) {
    this.#context = context;
    this.#name = cellText(name);
    const padded = this.#name + ' '.repeat(Math.max(0, width - displayWidth(this.#name)));
    this.#before = Buffer.from(`${padded} | `);
    this.#output = new LogOutput(context.terminal);
  }

  head(): void {}

  async write(_log: AttemptLog, stream: Stream, piece: Buffer): Promise<boolean> {
    const all = Buffer.concat([this.#rest[stream], piece]);
    const parts: Buffer[] = [];
    let from = 0;
    for (let end = all.indexOf(newline); end >= 0; end = all.indexOf(newline, from)) {
      parts.push(this.#before, all.subarray(from, end + 1));
      from = end + 1;
    }
    let rest = all.subarray(from);
    if (rest.length > longestLineBytes) {
      parts.push(this.#before, rest, Buffer.from('\n'));
      rest = Buffer.alloc(0);
    }
    this.#rest[stream] = Buffer.from(rest);
    return parts.length === 0 || (await this.#output.write(stream, Buffer.concat(parts)));
  }

  async end(stream: Stream): Promise<void> {
    const rest = this.#rest[stream];
    this.#rest[stream] = Buffer.alloc(0);
    if (rest.length > 0) await this.#output.write(stream, Buffer.concat([this.#before, rest, Buffer.from('\n')]));
    await this.#output.end(stream);
  }

  say(text: string): void {
    this.#context.terminal.err(`${this.#name}: ${text}\n`);
  }
}

/** The width of a column with these names. */
export function nameWidth(names: readonly string[]): number {
  return names.reduce((most, name) => Math.max(most, Math.min(widestName, displayWidth(cellText(name)))), 0);
}
