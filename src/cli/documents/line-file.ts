/** A file, or standard input, that is read again each time that it is iterated: little of it is in memory at once. */
import { readSync } from 'node:fs';
import { openRepeatable } from '../../base/trusted/repeatable.ts';
import { SpecError } from '../../model/spec/problems.ts';
import { decodeUtf8 } from '../../model/spec/source.ts';
import { shownName, standardInput, unreadable } from './given-file.ts';

const blockBytes = 1024 * 1024;

/** No command or variable is as long as this. */
const longestLineBytes = 64 * blockBytes;

const newline = 0x0a;

/** Its descriptor stays open until the process ends. */
export class LineFile implements Iterable<string> {
  /** As people typed it; names the file in messages. */
  readonly name: string;
  readonly #file: number;

  private constructor(file: number, name: string) {
    this.#file = file;
    this.name = name;
  }

  /** Opens a file; standard input for `-` is copied to a file without a name first. Throws TorcError. */
  static async open(path: string, hint: string): Promise<LineFile> {
    try {
      return new LineFile(await openRepeatable(path === standardInput ? null : path), shownName(path));
    } catch (error) {
      throw unreadable(path, error, hint);
    }
  }

  /** The lines without their breaks. Throws SpecError for one that is not UTF-8. */
  *[Symbol.iterator](): Generator<string> {
    let rest = Buffer.alloc(0);
    let number = 0;
    for (const block of this.#blocks()) {
      const bytes = rest.length === 0 ? block : Buffer.concat([rest, block]);
      const end = bytes.lastIndexOf(newline) + 1;
      rest = Buffer.from(bytes.subarray(end));
      if (rest.length > longestLineBytes) throw this.#problem(number + 1, 'a line of more than 64 MiB');
      if (end === 0) continue;
      const lines = this.#decoded(bytes.subarray(0, end - 1), number).split('\n');
      number += lines.length;
      for (const line of lines) yield line.endsWith('\r') ? line.slice(0, -1) : line;
    }
    if (rest.length > 0) yield this.#decoded(rest, number).replace(/\r$/, '');
  }

  /** The text in pieces of any length. Throws SpecError for a byte that is not UTF-8. */
  *pieces(): Generator<string> {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    try {
      for (const block of this.#blocks()) yield decoder.decode(block, { stream: true });
      yield decoder.decode();
    } catch (error) {
      throw error instanceof TypeError ? this.#problem(1, 'a byte that is not UTF-8') : error;
    }
  }

  *#blocks(): Generator<Buffer> {
    for (let position = 0; ; ) {
      const block = Buffer.allocUnsafe(blockBytes);
      const length = readSync(this.#file, block, 0, blockBytes, position);
      if (length === 0) return;
      position += length;
      yield block.subarray(0, length);
    }
  }

  /** `numBefore`: how many lines come before these. */
  #decoded(bytes: Buffer, numBefore: number): string {
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: numBefore > 0 }).decode(bytes);
    } catch {
      throw this.#undecodable(bytes, numBefore);
    }
  }

  #undecodable(bytes: Buffer, numBefore: number): SpecError {
    try {
      decodeUtf8(bytes, this.name);
    } catch (error) {
      const [problem] = error instanceof SpecError ? error.problems : [];
      if (problem !== undefined) return new SpecError([{ ...problem, line: problem.line + numBefore }]);
    }
    return this.#problem(numBefore + 1, 'a byte that is not UTF-8');
  }

  #problem(line: number, message: string): SpecError {
    return new SpecError([{ file: this.name, line, column: 1, path: '', message }]);
  }
}
