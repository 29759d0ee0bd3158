/**
 * The output of a job, byte for byte; on a terminal what could control it is shown instead, except for colors and
 * progress lines.
 */
import { StringDecoder } from 'node:string_decoder';
import type { Terminal } from '../context/terminal.ts';
import type { Stream } from './attempt-output.ts';

/** A color sequence that may go on in the next piece. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: this is how colors begin
const unfinished = /\x1b(?:\[[0-9;]{0,30})?$/;

/** Text of one stream: neither a character nor a color is cut in two. */
class LogText {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  next(piece: Uint8Array): string {
    const text = this.#rest + this.#decoder.write(Buffer.from(piece));
    this.#rest = unfinished.exec(text)?.[0] ?? '';
    return text.slice(0, text.length - this.#rest.length);
  }

  end(): string {
    const text = this.#rest + this.#decoder.end();
    this.#rest = '';
    return text;
  }
}

export class LogOutput {
  readonly #terminal: Terminal;
  readonly #texts = { stdout: new LogText(), stderr: new LogText() };

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** False when the reader of stdout is gone. */
  write(stream: Stream, piece: Uint8Array): Promise<boolean> {
    if (!this.#terminal.isStdoutTerminal) return this.#terminal.out(piece);
    return this.#terminal.out(this.#texts[stream].next(piece), 'log');
  }

  /** Nothing more comes from this stream. */
  async end(stream: Stream): Promise<void> {
    const left = this.#texts[stream].end();
    if (left !== '') await this.#terminal.out(left, 'log');
  }
}
