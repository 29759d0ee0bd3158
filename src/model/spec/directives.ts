/** `#TORC --cpus 4 --runtime 1h` in the comments at the start of a script: options of its job. */
import { didYouMean, quoted } from './names.ts';
import { type Problem, SpecError } from './problems.ts';

/** The options that a directive can give, each with what reads its value; that throws an error with a message. */
export type DirectiveReaders = Readonly<Record<string, (text: string) => unknown>>;

export interface Directives {
  /** Values by the names of the options. */
  values: Record<string, unknown>;
  /** Lines after the first command, which are not read. */
  ignoredLines: number[];
  /** The words of `#SBATCH` lines. */
  sbatch: string[];
}

const directive = /^#TORC(?=\s|$)/;

interface Word {
  text: string;
  column: number;
}

/** The directives of a script's text. Throws SpecError with the line and the column of each problem. */
export function readDirectives(text: string, file: string, readers: DirectiveReaders): Directives {
  const found: Directives = { values: {}, ignoredLines: [], sbatch: [] };
  const problems: Problem[] = [];
  let isInComments = true;
  for (const [index, written] of text.split('\n').entries()) {
    const line = written.replace(/\r$/, '');
    if (line.trim() !== '' && !line.startsWith('#')) isInComments = false;
    if (/^#SBATCH\s/.test(line) && isInComments) {
      found.sbatch.push(...(line.slice('#SBATCH'.length).split(' #')[0]?.trim().split(/\s+/) ?? []));
    }
    if (!directive.test(line)) continue;
    if (!isInComments) {
      found.ignoredLines.push(index + 1);
      continue;
    }
    const refuse = (column: number, message: string) =>
      problems.push({ file, line: index + 1, column, path: '', message });
    readLine(line, readers, found.values, refuse);
  }
  if (problems.length > 0) throw new SpecError(problems);
  return found;
}

function readLine(
  line: string,
  readers: DirectiveReaders,
  values: Record<string, unknown>,
  refuse: (column: number, message: string) => void,
): void {
  const words = wordsOf(line);
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] as Word;
    const [, name, , given] = /^--([a-z][a-z-]*)(=(.*))?$/s.exec(word.text) ?? [];
    if (name === undefined) {
      refuse(word.column, `found ${quoted(word.text)} where an option was expected, such as --cpus 4`);
      return;
    }
    const read = Object.hasOwn(readers, name) ? readers[name] : undefined;
    if (read === undefined) {
      const meant = didYouMean(
        `--${name}`,
        Object.keys(readers).map((each) => `--${each}`),
      );
      const all = meant === '' ? `; it has --${Object.keys(readers).join(', --')}` : meant;
      refuse(word.column, `#TORC has no option --${name}${all}`);
      return;
    }
    const next = given === undefined ? words[at + 1] : { text: given, column: word.column + name.length + 3 };
    if (given === undefined) at += 1;
    if (next === undefined) {
      refuse(word.column, `--${name} has no value`);
      return;
    }
    try {
      values[name] = read(next.text);
    } catch (error) {
      refuse(next.column, error instanceof Error ? error.message : String(error));
    }
  }
}

/** The words after `#TORC`, up to a comment; a word may be in quotes. */
function wordsOf(line: string): Word[] {
  const words: Word[] = [];
  for (const match of line.matchAll(/\s(?:#.*|"([^"]*)"|'([^']*)'|(\S+))/g)) {
    if (/^\s#/.test(match[0])) break;
    words.push({ text: match[1] ?? match[2] ?? match[3] ?? '', column: match.index + 2 });
  }
  return words;
}

/** Options of sbatch, with the option of `#TORC` that means the same. */
const sameOfSbatch: Readonly<Record<string, string>> = {
  '-c': 'cpus',
  '--cpus-per-task': 'cpus',
  '--mem': 'memory',
  '-G': 'gpus',
  '--gpus': 'gpus',
  '-N': 'nodes',
  '--nodes': 'nodes',
  '-t': 'runtime',
  '--time': 'runtime',
  '-J': 'name',
  '--job-name': 'name',
  '-a': 'array',
  '--array': 'array',
  '-A': 'account',
  '--account': 'account',
  '-p': 'partition',
  '--partition': 'partition',
};

/** The `#TORC` line for what of `#SBATCH` lines can be said in it; null for nothing. */
export function directiveFor(sbatch: readonly string[]): string | null {
  const said: string[] = [];
  for (let at = 0; at < sbatch.length; at += 1) {
    const [, option = '', value] = /^(--[a-z-]+|-[A-Za-z])=?(.*)$/s.exec(sbatch[at] ?? '') ?? [];
    const name = sameOfSbatch[option];
    if (name === undefined) continue;
    const text = value === '' ? sbatch[at + 1] : value;
    if (text !== undefined) said.push(`--${name} ${withUnit(name, text)}`);
  }
  return said.length === 0 ? null : `#TORC ${said.join(' ')}`;
}

/** Slurm reads a bare number as minutes, or as megabytes. */
function withUnit(name: string, text: string): string {
  if (name === 'memory' && /^[0-9]+$/.test(text)) return `${text}m`;
  if (name !== 'runtime') return text;
  if (/^[0-9]+$/.test(text)) return `${text}m`;
  const [, minutes, seconds] = /^([0-9]+):([0-9]+)$/.exec(text) ?? [];
  return minutes === undefined ? text : `${minutes}m${seconds}s`;
}
