/** The documents of torc as tests read them: fenced blocks, commands with their output, code in sentences. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { slugOf } from '../../site/slug.mjs';
import { exampleNames } from '../../src/base/examples.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Every document, by its path from the root. */
export const documents: readonly string[] = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'python/README.md'],
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
  ...exampleNames().map((name) => `examples/${name}/README.md`),
];

export interface Block {
  /** The number of its first line after the fence, from 1. */
  line: number;
  /** Of the fence: `yaml`, or ''. */
  language: string;
  /** The rest of the fence. */
  info: string;
  text: string;
  /** Of a comment before it, `<!-- first: COMMANDS -->`: what a reader has done by then. */
  first: string | null;
  /** Of a comment before it, `<!-- not run: REASON -->`. */
  notRun: string | null;
  /** Of a comment before it, `<!-- not compared: REASON -->`: each command must succeed, whatever it prints. */
  notCompared: string | null;
}

/** A command of a console block with what it prints. */
export interface Shown {
  line: number;
  command: string;
  output: string;
}

export function readDocument(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** The name of the file that a block shows: ```` ```yaml [study.yaml] ````, or `# study.yaml` in its first line. */
export function fileOf({ info, text }: Block): string | null {
  return /^\[(.+)\]$/.exec(info)?.[1] ?? /^# ([\w-]+\.\w+)(?::|$)/m.exec(text.split('\n', 1)[0] ?? '')?.[1] ?? null;
}

export function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let open: (Block & { fence: string }) | null = null;
  let between = '';
  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^( *)```(\S*) ?(.*)$/.exec(line);
    if (open === null && fence !== null) {
      const [, indent = '', language = '', info = ''] = fence;
      const [first = null, notRun = null, notCompared = null] = ['first', 'not run', 'not compared'].map((word) =>
        commentIn(between, word),
      );
      open = { line: index + 2, language, info, text: '', first, notRun, notCompared, fence: indent };
      between = '';
    } else if (open !== null && line.trim() === '```') {
      const { fence: _fence, ...block } = open;
      blocks.push(block);
      open = null;
    } else if (open !== null) open.text += `${line.slice(open.fence.length)}\n`;
    else between += `${line}\n`;
  }
  if (open !== null) throw new Error(`a block does not end: line ${open.line}`);
  return blocks;
}

function commentIn(text: string, word: string): string | null {
  return new RegExp(`<!-- ${word}:\\s([^]*?)\\s*-->`).exec(text)?.[1] ?? null;
}

/** The text without its blocks: sentences, with as many lines. */
export function sentencesOf(text: string): string {
  let isInside = false;
  const lines = text.split('\n').map((line) => {
    const isFence = /^ *```/.test(line);
    if (isFence) isInside = !isInside;
    return isFence || isInside ? '' : line;
  });
  return lines.join('\n');
}

/** The anchors of the headings, as GitHub and the site make them. */
export function headingsOf(text: string): string[] {
  const seen = new Map<string, number>();
  return [...sentencesOf(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => {
    const slug = slugOf(heading);
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  });
}

/** The lines of a block that begin with `$ `, with lines that a backslash continues, and the output that follows each. */
export function shownIn({ line, text }: Block): Shown[] {
  const shown: Shown[] = [];
  let isContinued = false;
  for (const [index, each] of text.split('\n').slice(0, -1).entries()) {
    const last = shown.at(-1);
    if (each.startsWith('$ ')) shown.push({ line: line + index, command: each.slice(2), output: '' });
    else if (last !== undefined && isContinued) last.command += `\n${each}`;
    else if (last !== undefined) last.output += `${each}\n`;
    isContinued = each.endsWith('\\') && (each.startsWith('$ ') || isContinued);
  }
  return shown;
}
