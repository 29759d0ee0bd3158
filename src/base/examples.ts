/** The examples that come with torc: folders with a README, a specification and what it needs. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageDirectory } from './version.ts';

export interface Example {
  name: string;
  /** The first comment line of its specification. */
  description: string;
  directory: string;
  /** The path of its specification. */
  file: string;
}

const specifications = ['workflow.yaml', 'commands.txt'];

function exampleDirectory(): string {
  return join(packageDirectory(), 'examples');
}

/** By name; none when the package has been taken apart. */
export function exampleNames(): string[] {
  const folder = exampleDirectory();
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  return names.filter((name) => existsSync(join(folder, name, 'README.md'))).sort();
}

export function readExamples(): Example[] {
  return exampleNames().map((name) => {
    const directory = join(exampleDirectory(), name);
    const files = specifications.map((each) => join(directory, each));
    const file = files.find((each) => existsSync(each)) ?? join(directory, 'README.md');
    return { name, description: firstComment(readFileSync(file, 'utf8')), directory, file };
  });
}

/** Its files with their texts, in order; not the folders that a run there leaves. */
export function filesOf({ directory }: Pick<Example, 'directory'>): { name: string; text: string }[] {
  const entries = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isFile());
  const names = entries.map(({ name }) => name).sort();
  return names.map((name) => ({ name, text: readFileSync(join(directory, name), 'utf8') }));
}

function firstComment(text: string): string {
  return /^# (.+)$/m.exec(text)?.[1]?.trim() ?? '';
}
