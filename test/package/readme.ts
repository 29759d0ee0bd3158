/** What the README says that a person types, for tests that type it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root = join(import.meta.dirname, '..', '..');
const text = readFileSync(join(root, 'README.md'), 'utf8');

export const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
const machine = process.arch === 'arm64' ? 'arm64' : 'x64';
/** The folder in the tarball. */
export const packageName = `torc-${version}-linux-${machine}`;
export const archive = join(root, 'release', `${packageName}.tar.gz`);
export const checksums = join(root, 'release', 'SHA256SUMS');

const commands = [...text.matchAll(/^\$ (.*)$/gm)].map(([, line = '']) =>
  line.replace(/ {2,}#.*/, '').replace('linux-x64', `linux-${machine}`),
);

/** From the check of the tarball to the result of the example, as one script. */
export function installation(): string {
  const begin = commands.findIndex((line) => line.startsWith('sha256sum '));
  const end = commands.indexOf('cat word_count/report.txt');
  if (begin === -1 || end - begin < 5) throw new Error('the README does not say how the tarball is installed');
  return commands.slice(begin, end + 1).join('\n');
}

/** The one command that begins so. */
export function command(beginning: string): string {
  const found = commands.find((line) => line.startsWith(beginning));
  if (found === undefined) throw new Error(`the README has no command ${beginning}`);
  return found;
}

/** A file that the README shows, whose first line is its name. */
export function shownFile(name: string): string {
  const found = new RegExp(`^\`\`\`\\w+\\n(# ${name.replaceAll('.', '\\.')}\\n[^]*?)^\`\`\`$`, 'm').exec(text)?.[1];
  if (found === undefined) throw new Error(`the README shows no ${name}`);
  return found;
}
