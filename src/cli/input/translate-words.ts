/** What is typed in torc 0.12, torc 1.0 and the older torc, as what is typed here. */
import { existsSync } from 'node:fs';
import { TorcError } from '../../base/errors.ts';
import { takesValue } from './options.ts';
import { type Answer, answers, programAnswers, words as table, type Word } from './words-of-torc.ts';

/** Formats of `-f` and `--format`, which chose the output there. */
const formats: Readonly<Record<string, string>> = { json: 'json', csv: 'csv', table: 'text', text: 'text' };

/** The words of a command line as ours. Throws TorcError 'usage' for what does not exist here, with what helps as the hint. */
export function translated(typed: readonly string[]): string[] {
  const { before, rest } = splitGlobals(withFormats(typed));
  if (rest[0] === 'help') return [...before, 'help', ...translated(rest.slice(1))];
  for (const answer of answers) if (matches(answer, rest) !== null) throw refusal(answer, `torc ${answer.typed}`);
  for (const word of table) {
    const operands = matches(word, rest);
    if (operands !== null) return [...before, ...inOurs(word, operands)];
  }
  return [...before, ...rest];
}

function refusal({ why, instead }: Answer, shown: string): TorcError {
  return new TorcError('usage', `${shown} is not available: ${why}`, instead);
}

/** `-f json`, where a filter would have a `=`. */
function withFormats(typed: readonly string[]): string[] {
  const found: string[] = [];
  for (let at = 0; at < typed.length; at += 1) {
    const word = typed[at] ?? '';
    // options after a program belong to it
    if (word === '--' || word === 'exec') return [...found, ...typed.slice(at)];
    const [name = '', stated] = word.startsWith('--format=') ? ['--format', word.slice('--format='.length)] : [word];
    const format = formats[stated ?? typed[at + 1] ?? ''];
    const isFormat =
      format !== undefined &&
      (name === '--format' || (name === '-f' && (!typed.includes('logs') || typed.includes('analyze'))));
    found.push(...(isFormat ? ['-F', format] : [word]));
    if (isFormat && stated === undefined) at += 1;
  }
  return found;
}

/** Global options before the command, and the rest. Throws for those of torc that do not exist here. */
function splitGlobals(typed: readonly string[]): { before: string[]; rest: string[] } {
  const before: string[] = [];
  let isStandalone = false;
  let at = 0;
  for (; at < typed.length; at += 1) {
    const word = typed[at] ?? '';
    if (!word.startsWith('-') || word === '--') break;
    const answer = programAnswers.find((each) => word === each.typed || word.startsWith(`${each.typed}=`));
    if (answer !== undefined) throw refusal(answer, answer.typed);
    // without a server, as every command here can
    if (word === '-s' || word === '--standalone') {
      isStandalone = true;
      continue;
    }
    before.push(word);
    if (takesValue(word)) {
      at += 1;
      before.push(typed[at] ?? '');
    }
  }
  const [command, ...rest] = typed.slice(at);
  if (command === undefined) return { before, rest: [] };
  return { before, rest: isStandalone && command === 'exec' ? [command, '--local', ...rest] : [command, ...rest] };
}

/** What follows the words of the command; null when the line begins with others. */
function matches({ typed }: { typed: string }, words: readonly string[]): string[] | null {
  const path = typed.split(' ');
  const isKey = path.at(-1) === '#';
  const names = isKey ? path.slice(0, -1) : path;
  if (names.some((name, at) => words[at] !== name)) return null;
  const rest = words.slice(names.length);
  const [first = ''] = rest;
  return isKey && (!/^[0-9]+$/.test(first) || existsSync(first)) ? null : rest;
}

interface Parts {
  operands: string[];
  /** Options as they are here, in their order. */
  options: string[];
  /** Values of the options that the template places. */
  placed: Map<string, string>;
}

function inOurs(word: Word, rest: readonly string[]): string[] {
  const parts = partsOf(word, rest);
  const found: string[] = [];
  for (const piece of word.here.split(' ')) {
    const name = /^\{(.+)\}$/.exec(piece)?.[1];
    const value = name === undefined ? piece : name.startsWith('-') ? parts.placed.get(name) : parts.operands.shift();
    if (value !== undefined) found.push(value);
    else if (found.at(-1)?.startsWith('-') === true) found.pop();
  }
  return [...found, ...parts.operands, ...parts.options];
}

function partsOf({ typed, here, options = {} }: Word, rest: readonly string[]): Parts {
  const parts: Parts = { operands: [], options: [], placed: new Map() };
  // where nothing is moved, words stay in their order: which of them are values is for the command to know
  const isOrdered = !here.includes('{');
  for (let at = 0; at < rest.length; at += 1) {
    const word = rest[at] ?? '';
    if (word === '--') {
      parts.options.push(...rest.slice(at));
      break;
    }
    const [name = '', stated] = word.startsWith('--') && word.includes('=') ? halves(word) : [word];
    const next = stated ?? rest[at + 1];
    const isPlaced = name.startsWith('-') && here.includes(`{${name}}`);
    const ours = isPlaced ? undefined : translationOf(options, name, next);
    if (isPlaced && next !== undefined) parts.placed.set(name, next);
    else if (ours?.text.startsWith('!') === true) {
      throw new TorcError('usage', `torc ${typed} has no ${name} here`, ours.text.slice(1));
    } else if (ours !== undefined) parts.options.push(...optionWords(ours.text, next));
    else if (isOrdered || word.startsWith('-')) parts.options.push(word);
    else if (isValue(rest[at - 1])) parts.options.push(word);
    else parts.operands.push(word);
    if (stated === undefined && (isPlaced || ours?.takesValue === true)) at += 1;
  }
  return parts;
}

/** Whether the word after this one is its value, as far as can be told from a long option. */
function isValue(before: string | undefined): boolean {
  return before !== undefined && /^--?(?!no-)[a-z]/.test(before) && !before.includes('=') && !flags.has(before);
}

/** Options without a value, of commands whose operands are moved. */
const flags = new Set(['--dry-run', '-d', '-S', '--start-one-worker-per-node', '--keep-scripts', '--hold']);

function halves(word: string): [string, string] {
  const at = word.indexOf('=');
  return [word.slice(0, at), word.slice(at + 1)];
}

function translationOf(
  options: Readonly<Record<string, string>>,
  name: string,
  value: string | undefined,
): { text: string; takesValue: boolean } | undefined {
  for (const [key, text] of Object.entries(options)) {
    if (key === name) return { text, takesValue: false };
    if (!key.startsWith(`${name}=`)) continue;
    const pattern = key.slice(name.length + 1);
    if (value !== undefined && (pattern === '' || new RegExp(`^(?:${pattern})$`).test(value)))
      return { text, takesValue: true };
  }
  return undefined;
}

/** `--memory=*g` is one word, `-f=status=*` two: a letter takes its value as the next word. */
function optionWords(text: string, value = ''): string[] {
  if (text === '') return [];
  const filled = text.replace('*', () => value);
  if (filled.startsWith('--')) return [filled];
  const [letter = '', rest] = /^(-[A-Za-z])[ =](.*)$/s.exec(filled)?.slice(1) ?? [filled];
  return rest === undefined ? [letter] : [letter, rest];
}
