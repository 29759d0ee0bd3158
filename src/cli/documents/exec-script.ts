/** The command after `torc exec`: a program, or a script of this folder with its `#TORC` lines. */
import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { TorcError } from '../../base/errors.ts';
import { parseDuration, parseMemory, parseWalltime } from '../../base/units.ts';
import { readArray } from '../../model/expand/entries.ts';
import { stdioModes } from '../../model/expanded.ts';
import { type DirectiveReaders, directiveFor, readDirectives } from '../../model/spec/directives.ts';
import { type Context, note } from '../context/context.ts';
import type { ExecOptions } from '../input/exec-options.ts';
import { decimalNumber, oneOf, readable, wholeNumber } from '../input/options.ts';
import { isExecutable, isFile, isOnPath } from '../input/programs.ts';

/** No script is larger. */
const mostScriptBytes = 4 * 1024 * 1024;

const readers = {
  cpus: wholeNumber('the number of CPUs', 1),
  memory: readable(parseMemory),
  gpus: decimalNumber('the number of GPUs', 0),
  nodes: wholeNumber('the number of nodes', 1),
  runtime: readable(parseDuration),
  'max-retries': wholeNumber('the number of retries', 0),
  name: (text: string) => text,
  array: readable(readArray),
  stdio: oneOf(stdioModes, 'a way to keep output'),
  account: (text: string) => text,
  partition: (text: string) => text,
  qos: (text: string) => text,
  walltime: readable(parseWalltime),
} as const satisfies DirectiveReaders;

export interface GivenProgram {
  words: readonly string[];
  /** What its directives say. */
  options: Partial<ExecOptions>;
}

/** The words with which the command starts, and what a script says about itself. Throws TorcError, SpecError. */
export function readProgram(context: Context, words: readonly string[]): GivenProgram {
  const [first = '', ...rest] = words;
  if (first === '') throw new TorcError('usage', 'the program is an empty word', `${context.torc} exec --help`);
  const isNamed = first.includes('/');
  if (!isNamed && isOnPath(first, context.env.PATH ?? '')) return { words, options: {} };
  if (!isFile(first)) {
    if (!isNamed && /[\s|&;<>$*?`"'()]/.test(first)) throw shellText(context, first, rest);
    return { words, options: {} };
  }
  const script = readText(first);
  if (script.includes('\0')) return { words: [isNamed ? first : `./${first}`, ...rest], options: {} };
  return { words: [...starter(context, first, script), ...rest], options: directives(context, first, script) };
}

function shellText({ torc }: Context, text: string, rest: readonly string[]): TorcError {
  const hint = rest.length === 0 ? `For shell text: ${torc} exec -c '${text.replaceAll("'", `'\\''`)}'` : null;
  return new TorcError('usage', `there is no program ${JSON.stringify(text)}`, hint ?? `${torc} exec --help`);
}

/** How a script starts: by itself, or through the program in its first line where it may not be executed. */
function starter({ torc }: Context, path: string, script: string): string[] {
  const interpreter = /^#!\s*(\S+)(?:[ \t]+(.*\S))?[ \t\r]*$/m.exec(script.split('\n', 1)[0] ?? '');
  const file = path.includes('/') ? path : `./${path}`;
  if (isExecutable(path)) return interpreter === null ? ['bash', file] : [file];
  if (interpreter === null) {
    const hint = `chmod +x ${path}, or ${torc} exec -- bash ${file}`;
    throw new TorcError('usage', `${path} is not executable and has no first line such as #!/bin/bash`, hint);
  }
  const [, program = '', argument] = interpreter;
  // env finds the program of its one argument, which may have options after -S
  const given = argument === undefined ? [] : argument.startsWith('-S') ? argument.split(/\s+/) : [argument];
  return [program, ...given, file];
}

function directives(context: Context, path: string, script: string): Partial<ExecOptions> {
  const { values, ignoredLines, sbatch } = readDirectives(script, path, readers);
  const [ignored] = ignoredLines;
  if (ignored !== undefined) {
    note(context, `${path}:${ignored}: #TORC counts only in the comments at the start of a script`, 'warning');
  }
  if (sbatch.length > 0) {
    const same = directiveFor(sbatch);
    const instead = same === null ? '' : `; torc reads: ${same}`;
    note(context, `${path}: #SBATCH lines have no effect in torc exec${instead}`, 'warning');
  }
  const { 'max-retries': maxRetries, ...options } = values;
  return {
    name: programName(path),
    ...options,
    ...(maxRetries === undefined ? {} : { maxRetries: Number(maxRetries) }),
  };
}

/** The text of a script; of a file that is too large for one, a text that is none. */
function readText(path: string): string {
  return statSync(path).size > mostScriptBytes ? '\0' : readFileSync(path, 'utf8');
}

/** `sim` for `/opt/bin/sim.py`: the name of a workflow that runs it. */
export function programName(word: string): string {
  return basename(word).replace(/\.[A-Za-z0-9]{1,4}$/, '') || 'exec';
}
