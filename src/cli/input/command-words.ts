/** The words of a command line that name a command, and what a person meant who typed one that is not there. */
import type { Command } from 'commander';
import { TorcError } from '../../base/errors.ts';
import { nearestName } from '../../model/spec/names.ts';
import { takesValue } from './options.ts';

/** Commands of other systems, and of other versions of torc, that are called differently here. */
const otherNames: Readonly<Record<string, string>> = { recover: 'workflows restart', get: 'show' };

/** `help jobs logs` is `jobs logs --help`. */
export function withoutHelpCommand(words: readonly string[], firstOperand: string | null): readonly string[] {
  if (firstOperand !== 'help') return words;
  const at = words.indexOf('help');
  return [...words.slice(0, at), ...words.slice(at + 1), '--help'];
}

/** Throws TorcError 'usage' for a word that stands where a command is named and names none, also before `--help`. */
export function refuseUnknownCommand(words: readonly string[], program: Command): void {
  let group = program;
  const path = ['torc'];
  for (let at = 0; at < words.length && group.commands.length > 0; at += 1) {
    const word = words[at] ?? '';
    if (word.startsWith('-')) {
      if (takesValue(word)) at += 1;
      continue;
    }
    const child = named(group, word);
    if (child === undefined) throw unknown(word, group, path.join(' '));
    path.push(child.name());
    group = child;
  }
}

function named(group: Command, word: string): Command | undefined {
  return group.commands.find((command) => command.name() === word || command.aliases().includes(word));
}

function unknown(word: string, group: Command, path: string): TorcError {
  const meant = meantCommand(word, group);
  const nearest = meant === null ? '' : `Did you mean ${path} ${meant}? See `;
  return new TorcError('usage', `unknown command '${word}'`, `${nearest}${path} --help`);
}

/** The command of the group, or of a group in it, that was probably meant: `show-status` for `status`. */
function meantCommand(word: string, group: Command): string | null {
  const near = nearestName(
    word,
    group.commands.map((command) => command.name()),
  );
  if (near !== null) return near;
  const other = otherNames[word];
  for (const wanted of [word, `show-${word}`, ...(other === undefined ? [] : [other])]) {
    const found = findBelow(group, wanted.split(' '));
    if (found !== null) return found;
  }
  return null;
}

/** The path of the first command below the group that these words name. */
function findBelow(group: Command, words: readonly string[]): string | null {
  const [first = '', ...rest] = words;
  const child = named(group, first);
  if (child !== undefined) return rest.length === 0 ? child.name() : prefixed(child, findBelow(child, rest));
  for (const each of group.commands) {
    const found = findBelow(each, words);
    if (found !== null) return prefixed(each, found);
  }
  return null;
}

function prefixed(command: Command, path: string | null): string | null {
  return path === null ? null : `${command.name()} ${path}`;
}
