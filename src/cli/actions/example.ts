/** `torc example` and `torc workflows example`: the examples that come with torc. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { TorcError } from '../../base/errors.ts';
import { type Example, filesOf, readExamples } from '../../base/examples.ts';
import { counted, shellWord } from '../../base/text.ts';
import { makeFolders } from '../../base/trusted/folders.ts';
import { didYouMean } from '../../model/spec/names.ts';
import type { Context } from '../context/context.ts';
import { printList, printResult, textTable } from '../output/output.ts';
import { cannotWrite, writeNamedFile } from '../output/written-file.ts';

export async function listExamples(context: Context): Promise<void> {
  const listed = readExamples().map(({ name, description, file }) => ({ name, description, file }));
  if (context.format === 'csv') {
    const shown = { chosen: null, usual: ['name', 'description'], excluded: [] };
    return printList(context, 'examples', onePage(listed), shown);
  }
  const next = `\nto copy one and run it:\n  ${context.torc} example word-count\n`;
  await printResult(context, { examples: listed }, () => textTable(context, ['name', 'description'], listed) + next);
}

async function* onePage<T>(rows: readonly T[]): AsyncGenerator<readonly T[]> {
  yield rows;
}

/** Prints the specification of an example, or lists the examples. */
export async function printExample(context: Context, name: string | null): Promise<void> {
  if (name === null) return listExamples(context);
  const { description, file, name: found } = exampleCalled(name);
  const text = readFileSync(file, 'utf8');
  await printResult(context, { name: found, file, description, text }, () => text);
}

/** Copies an example into a new or empty directory, by default named like the example. */
export async function copyExample(context: Context, name: string, directory?: string): Promise<void> {
  const example = exampleCalled(name);
  const target = directory ?? example.name;
  const another = `Name another directory: ${context.torc} example ${example.name} DIRECTORY`;
  refuseOccupied(target, another);
  const files = filesOf(example);
  try {
    makeFolders(target);
    for (const file of files) writeNamedFile(join(target, file.name), file.text);
  } catch (error) {
    const { code, message, hint } = cannotWrite(target, error);
    throw new TorcError(code, message, code === 'no_space' ? hint : another, { cause: error });
  }
  const next = [`cd ${shellWord(target)}`, ...firstCommands(files)];
  const copied = { name: example.name, directory: target, files: files.map((file) => file.name), next };
  await printResult(context, copied, () => {
    const lines = next.map((line) => `  ${line}\n`).join('');
    return `copied ${example.name} to ${target} (${counted(files.length, 'file')}); README.md explains it\nnow type:\n${lines}`;
  });
}

function exampleCalled(name: string): Example {
  const examples = readExamples();
  const found = examples.find((example) => example.name === name);
  if (found !== undefined) return found;
  const names = examples.map((example) => example.name);
  throw new TorcError(
    'not_found',
    `there is no example '${name}'${didYouMean(name, names)}`,
    `Examples: ${names.join(', ')}`,
  );
}

function refuseOccupied(target: string, another: string): void {
  if (target === '') throw new TorcError('usage', 'the name of the directory is empty', another);
  if (!existsSync(target)) return;
  if (!statSync(target).isDirectory()) throw new TorcError('conflict', `${target} is a file`, another);
  if (readdirSync(target).length > 0) throw new TorcError('conflict', `${target} exists and is not empty`, another);
}

/** What to type in the copy: the commands of the first block in the README, without those that brought it there. */
function firstCommands(files: readonly { name: string; text: string }[]): string[] {
  const readme = files.find(({ name }) => name === 'README.md')?.text ?? '';
  const commands = [...readme.matchAll(/^\$ (.+)$/gm)].map(([, command = '']) => command);
  return commands.filter((command) => !command.startsWith('torc example ')).slice(0, 1);
}
