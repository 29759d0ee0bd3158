/** The words of a command line that name a command, and what a person meant who typed one that is not there. */
import type { Command } from 'commander';
import { TorcError } from '../../base/errors.ts';
import { nearestName } from '../../model/spec/names.ts';
import { takesValue } from './options.ts';

/** Commands of other systems, and of other versions of torc, that are called differently here. */
const otherNames: Readonly<Record<string, string>> = { get: 'show' };

/**
 * The words with `--help` for the word `help` where a command is named: `help jobs logs` and `jobs help logs` are
 * `jobs logs --help`. Throws TorcError 'usage' for a word that stands there and names no command, also before `--help`.
 * `whole` is the tree of all commands, in which such a word is looked for.
 */
export async function namedCommand(
  words: readonly string[],
  program: Command,
  whole: () => Promise<Command>,
): Promise<readonly string[]> {
  let group = program;
  const path = ['torc'];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (group.commands.length === 0) return withoutKind(words, at, group.name());
    if (word.startsWith('-')) {
      if (takesValue(word)) at += 1;
      continue;
    }
    const child = named(group, word);
    if (child !== undefined) {
      path.push(child.name());
      group = child;
    } else if (word === 'help') {
      const others = [...words.slice(0, at), ...words.slice(at + 1)];
      return namedCommand(others.includes('--help') ? others : [...others, '--help'], program, whole);
    } else if (group.registeredArguments.length > 0) return words;
    else throw unknown(word, group, path.join(' '), await whole());
  }
  return words;
}

/** `prominence clone workflow 7` is typed here too: before a key, the word says what a key is anyway. */
function withoutKind(words: readonly string[], at: number, command: string): readonly string[] {
  const isSaid = (command === 'clone' || command === 'rerun') && words[at] === 'workflow';
  return isSaid && /^[^-]/.test(words[at + 1] ?? '') ? words.toSpliced(at, 1) : words;
}

function named(group: Command, word: string): Command | undefined {
  return group.commands.find((command) => command.name() === word || command.aliases().includes(word));
}

function unknown(word: string, group: Command, path: string, whole: Command): TorcError {
  const inside = nearCommand(word, group) ?? knownCommand(word, group);
  const elsewhere = inside === null ? knownCommand(word, whole) : null;
  const meant = inside === null ? prefixed(whole, elsewhere) : `${path} ${inside}`;
  const nearest = meant === null ? '' : `Did you mean ${meant}? See `;
  return new TorcError('usage', `unknown command '${word}'`, `${nearest}${path} --help`);
}

/** The command of the group whose name is almost the word. */
function nearCommand(word: string, group: Command): string | null {
  return nearestName(
    word,
    group.commands.map((command) => command.name()),
  );
}

/** The command of the group, or of a group in it, that the word means: `show-status` for `status`. */
function knownCommand(word: string, group: Command): string | null {
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
