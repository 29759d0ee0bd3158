/**
 * Commands files: one shell command on each line, each of them a job. Blank lines and lines that begin with `#` are
 * skipped. Jobs are made as they are read, so that a million of them need not be in memory at once.
 */

import type { ExpandedWorkflow } from '../expanded.ts';
import { type Problem, SpecError, shownProblems } from '../spec/problems.ts';
import { decodeUtf8 } from '../spec/source.ts';
import { type JobNeeds, numberedName, type PlainJob, plainWorkflow } from './plain-jobs.ts';

export interface CommandsOptions extends JobNeeds {
  /** As people typed it; names the file in messages. */
  file: string;
  /** Name of the workflow. */
  name: string;
}

/** The workflow of a commands file's text or bytes. Throws SpecError, or TorcError('usage') for the options. */
export function expandCommands(source: string | Uint8Array, options: CommandsOptions): ExpandedWorkflow {
  const text = typeof source === 'string' ? source : decodeUtf8(source, options.file);
  return expandCommandLines({ [Symbol.iterator]: () => linesOf(text) }, options);
}

/** The same of lines that are iterated once for the check, and once for each use of the jobs. */
export function expandCommandLines(lines: Iterable<string>, options: CommandsOptions): ExpandedWorkflow {
  const check = new CommandCheck(options.file);
  for (const line of lines) check.see(line);
  const numJobs = check.finish();
  return plainWorkflow(options.name, numJobs, { [Symbol.iterator]: () => jobsOf(lines, numJobs) }, options);
}

function* jobsOf(lines: Iterable<string>, numJobs: number): Generator<PlainJob> {
  let number = 0;
  for (const command of commandsOf(lines)) {
    number += 1;
    yield { name: numberedName(number, numJobs), command };
  }
}

function* linesOf(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    yield text.slice(start, end);
    start = end + 1;
  }
}

function* commandsOf(lines: Iterable<string>): Generator<string> {
  for (const line of lines) {
    const command = commandOf(line);
    if (command !== null) yield command;
  }
}

/** The command of a line, without a line break of Windows or a byte order mark; null for a blank line or comment. */
function commandOf(line: string): string | null {
  const command = line.replace(/^\ufeff/, '').trim();
  return command === '' || command.startsWith('#') ? null : command;
}

class CommandCheck {
  readonly #file: string;
  readonly #problems: Problem[] = [];
  #numProblems = 0;
  #line = 0;
  #count = 0;

  constructor(file: string) {
    this.#file = file;
  }

  see(line: string): void {
    this.#line += 1;
    const command = commandOf(line);
    if (command === null) return;
    this.#count += 1;
    if (command.includes('\0')) this.#refuse(line.indexOf('\0'), 'a NUL byte; a commands file is plain text');
    // the shell takes an even number of backslashes as plain text
    if ((/\\+$/.exec(command)?.[0].length ?? 0) % 2 === 1) {
      this.#refuse(line.lastIndexOf('\\'), 'ends in a backslash: each command must be on one line');
    }
  }

  /** The number of commands. */
  finish(): number {
    if (this.#numProblems === 0 && this.#count === 0) this.#refuse(0, 'has no commands: write one on each line');
    if (this.#numProblems > 0) throw new SpecError(this.#problems, this.#numProblems);
    return this.#count;
  }

  #refuse(index: number, message: string): void {
    this.#numProblems += 1;
    if (this.#problems.length >= shownProblems) return;
    this.#problems.push({ file: this.#file, line: Math.max(1, this.#line), column: index + 1, path: '', message });
  }
}
