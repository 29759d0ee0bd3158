/** `torc workflows example`: the specifications that come with torc. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { TorcError } from '../../base/errors.ts';
import { packageDirectory } from '../../base/version.ts';
import { didYouMean } from '../../model/spec/names.ts';
import type { Context } from '../context/context.ts';
import { printResult, textTable } from '../output/output.ts';

interface Example {
  name: string;
  file: string;
  /** The file's first comment line. */
  description: string;
  text: string;
}

const specExtensions = ['.yaml', '.yml', '.json', '.json5', '.kdl', '.txt'];

/** The specifications in a folder, by name. */
export function readExamples(directory: string = join(packageDirectory(), 'examples')): Example[] {
  return readdirSync(directory)
    .filter((file) => specExtensions.includes(extname(file)))
    .sort()
    .map((file) => {
      const text = readFileSync(join(directory, file), 'utf8');
      const comment = /^\s*(?:#|\/\/)\s*(.+)$/m.exec(text.split('\n').slice(0, 5).join('\n'))?.[1] ?? '';
      return { name: basename(file, extname(file)), file: join(directory, file), description: comment.trim(), text };
    });
}

export async function showExample(context: Context, name: string | null): Promise<void> {
  const examples = readExamples();
  if (name === null) {
    const listed = examples.map(({ name: each, description, file }) => ({ name: each, description, file }));
    await printResult(context, { examples: listed }, () => textTable(context, ['name', 'description'], listed));
    return;
  }
  const found = examples.find((example) => example.name === name || basename(example.file) === name);
  if (found === undefined) {
    const names = examples.map((example) => example.name);
    throw new TorcError(
      'not_found',
      `there is no example '${name}'${didYouMean(name, names)}`,
      `Examples: ${names.join(', ')}`,
    );
  }
  await printResult(context, found, () => found.text);
}
