/** Every `torc` line of a document is one that the program takes: its commands and options exist, and arguments are not missing. */
import { CommanderError } from 'commander';
import { expect, it } from 'vitest';
import { TorcError } from '../../src/base/errors.ts';
import { forEachCommand } from '../../src/cli/commands/declare.ts';
import { namedCommand } from '../../src/cli/input/command-words.ts';
import { withoutOlderLetters } from '../../src/cli/input/older-letters.ts';
import { firstOperand } from '../../src/cli/input/options.ts';
import { declareProgram } from '../../src/cli/program.ts';
import { blocksOf, documents, readDocument, sentencesOf, shownIn } from '../support/documents.ts';
import { commandsIn } from '../support/shell-lines.ts';

/** Why the program does not take the words, or null. Help counts as taken, and a value such as SIZE as a good one. */
async function refusal(words: readonly string[]): Promise<CommanderError | TorcError | null> {
  const program = await declareProgram((command) => void command.action(() => {}), firstOperand(words));
  forEachCommand(program, (command) => {
    command.configureOutput({ writeOut: () => {}, writeErr: () => {}, outputError: () => {} });
  });
  try {
    const named = await namedCommand(words, program, () => declareProgram(() => {}));
    await program.parseAsync([...withoutOlderLetters(named)], { from: 'user' });
    return null;
  } catch (error) {
    if (error instanceof CommanderError) return error.code.startsWith('commander.help') ? null : error;
    if (error instanceof TorcError) return /['"][A-Z]+(=[A-Z]+)?['"]/.test(error.message) ? null : error;
    throw error;
  }
}

/** The words after `torc` of each command of shell text, also of those that stand quoted in another one. */
function torcLines(text: string): string[][] {
  return commandsIn(text).flatMap((words) => {
    const at = words.findIndex((word) => /^(.*\/)?torc$/.test(word));
    const quoted = words.filter((word) => /\btorc /.test(word)).flatMap(torcLines);
    return at < 0 ? quoted : [words.slice(at + 1), ...quoted];
  });
}

interface Line {
  where: string;
  words: string[];
}

/** In blocks of commands, and in commands of specifications. */
function linesInBlocks(path: string): Line[] {
  return blocksOf(readDocument(path)).flatMap((block) => {
    const isTyped = block.language === 'console' || /^\$ /m.test(block.text);
    const typed = isTyped ? shownIn(block).map(({ command }) => command) : shellLines(block.language, block.text);
    return typed.flatMap((text) => torcLines(text).map((words) => ({ where: `${path}:${block.line} ${text}`, words })));
  });
}

function shellLines(language: string, text: string): string[] {
  if (['bash', 'sh'].includes(language)) return [text];
  if (language !== 'yaml') return [];
  const lines = text.replaceAll('\\\n', '').split('\n');
  return lines.flatMap((line) => /^[^#]*?\b(torc (?:-|[a-z]+ ).*)$/.exec(line)?.[1] ?? []);
}

function linesInSentences(path: string): Line[] {
  return [...sentencesOf(readDocument(path)).matchAll(/`(torc [^`]+)`/g)].flatMap(([, code = '']) => {
    const text = code.replaceAll(/[[\]]|\.\.\.?(?= |$)/g, '');
    return torcLines(text).map((words) => ({ where: `${path} ${code}`, words }));
  });
}

async function refused(lines: readonly Line[], isAccepted: (code: string) => boolean): Promise<string[]> {
  const found: string[] = [];
  for (const { where, words } of lines) {
    const error = await refusal(words);
    if (error !== null && !isAccepted(error.code)) found.push(`${where}: ${error.message}`);
  }
  return found;
}

it('in blocks, whole', async () => {
  const lines = documents.flatMap(linesInBlocks);
  expect(lines.length).toBeGreaterThan(150);
  expect(await refused(lines, () => false)).toEqual([]);
});

it('in sentences, where arguments may be left out', async () => {
  // those two also quote what other programs, and older ones, took
  const own = documents.filter((path) => !['docs/coming-from-torc.md', 'CHANGELOG.md'].includes(path));
  const lines = own.flatMap(linesInSentences);
  expect(lines.length).toBeGreaterThan(300);
  const shortened = ['missingArgument', 'optionMissingArgument', 'missingMandatoryOptionValue'];
  expect(await refused(lines, (code) => shortened.includes(code.replace('commander.', '')))).toEqual([]);
});

it('finds what the program does not take', async () => {
  const wrong = ['torc jobs lst', 'torc run --dri-run a.yaml', 'x=$(torc jobs show)', 'ls | torc status --memory 3 &'];
  for (const text of wrong) {
    const [words = []] = torcLines(text);
    expect(await refusal(words), text).not.toBeNull();
  }
});

it('the tarball is installed by the same lines wherever a document says how', () => {
  const installs = (path: string): string[][] =>
    blocksOf(readDocument(path)).flatMap((block) => {
      const lines = shownIn(block).map(({ command }) => command.replace(/ {2,}#.*/, ''));
      return lines[0]?.startsWith('sha256sum ') ? [lines.slice(0, 5)] : [];
    });
  const [lines = [], ...more] = installs('README.md');
  expect([lines.length, more]).toEqual([5, []]);
  for (const path of ['docs/installation.md', 'docs/tutorial-slurm.md']) expect(installs(path)).toEqual([lines]);
});
