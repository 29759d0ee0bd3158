/** `torc complete`: names and keys for the shell. It is quick or silent: never an error, a question, or a server started. */
import { resolve } from 'node:path';
import { completed } from '../../api/candidates.ts';
import { defaultWorkflowKey, serverDirectory } from '../../base/config.ts';
import { visible } from '../../base/text.ts';
import { connect } from '../connection/connection.ts';
import type { Context } from '../context/context.ts';

/** Nobody waits longer for a suggestion. */
const mostMs = 1500;

/** `words`: the rest of the command line, in which `-k` and `--dir` count. Prints lines `value<TAB>description`. */
export async function printCandidates(
  context: Context,
  kind: string,
  prefix: string,
  words: readonly string[],
): Promise<void> {
  const known = completed.find((each) => each === kind);
  if (known === undefined) return;
  const tooLate = setTimeout(() => context.interrupts.exit(0, 'SIGTERM'), mostMs);
  // of names with commas between, the last one is being typed
  const at = prefix.lastIndexOf(',') + 1;
  try {
    const directory = resolve(serverDirectory(optionOf(words, '--dir') ?? context.directory, context.env));
    const workflow = optionOf(words, '-k', '--workflow-key') ?? defaultWorkflowKey(directory, context.env) ?? null;
    const connection = await connect({ directory, command: 'torc complete', creates: false });
    const { candidates } = await connection.api.call('candidates', { kind: known, workflow, prefix: prefix.slice(at) });
    // a name with a line break or a tab cannot be told from others
    const told = candidates.filter(({ value }) => visible(value) === value);
    const lines = told.map(({ value, description }) => `${prefix.slice(0, at)}${value}\t${visible(description)}\n`);
    await context.terminal.out(lines.join(''));
    await connection.close();
  } catch {
    // nothing to suggest
  } finally {
    clearTimeout(tooLate);
  }
}

/** The value of an option, as the next word or after `=`. */
function optionOf(words: readonly string[], ...names: readonly string[]): string | null {
  for (const [at, word] of words.entries()) {
    const [name = '', ...rest] = word.split('=');
    if (!names.includes(name)) continue;
    const value = rest.length > 0 ? rest.join('=') : words[at + 1];
    if (value !== undefined && value !== '') return value;
  }
  return null;
}
