/** Runs every command of a document, in order, and compares what it prints with what the document shows. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { isShown } from './document-output.ts';
import type { DocumentPlace } from './document-place.ts';
import { type Block, blocksOf, fileOf, readDocument, root, shownIn } from './documents.ts';

/** Whether the documents are written anew instead of compared. */
export const isRefreshed = process.env.TORC_REFRESH_DOCUMENTS === '1';

/** Whether a reader types the lines of a block that begin with `$ `. */
export function isTyped(block: Block): boolean {
  return block.language === 'console' && block.notRun === null;
}

/** Fails where they differ; `npm run documents` writes what they print now into the document. */
export async function runDocument(place: DocumentPlace, path: string): Promise<void> {
  const text = readDocument(path);
  const fresh = await freshly(place, text);
  if (isRefreshed) writeFileSync(join(root, path), fresh);
  else expect(fresh, 'npm run documents writes what they print now').toBe(text);
}

function write(place: DocumentPlace, block: Block): void {
  const name = fileOf(block);
  if (name !== null) place.file(name, block.text);
}

/** Runs what must succeed. */
async function succeed(place: DocumentPlace, line: number, command: string): Promise<void> {
  const { code, output } = await place.printed(command);
  expect(code, `line ${line}: ${command}\n${output}`).toBe(0);
}

/** The block with what its commands print. */
async function refreshed(place: DocumentPlace, block: Block): Promise<string> {
  const shown = shownIn(block);
  if (block.notCompared !== null || shown.every(({ output }) => output.trim() === '')) {
    for (const { line, command } of shown) await succeed(place, line, command);
    return block.text;
  }
  const parts: string[] = [];
  for (const { command, output } of shown) {
    const { output: now } = await place.printed(command);
    const kept = isShown(now, output) ? output : now;
    parts.push(`$ ${command}\n${kept === '' || kept.endsWith('\n') ? kept : `${kept}\n`}`);
  }
  return parts.join('');
}

/** The document with what its commands print. */
async function freshly(place: DocumentPlace, text: string): Promise<string> {
  const blocks = blocksOf(text);
  // a file may be shown after the commands that read it
  for (const block of blocks.toReversed()) write(place, block);
  const changed: { block: Block; text: string }[] = [];
  for (const block of blocks) {
    write(place, block);
    if (block.first !== null) await succeed(place, block.line, `set -e\n${block.first}`);
    if (isTyped(block)) changed.push({ block, text: await refreshed(place, block) });
  }
  const lines = text.split('\n');
  // from the end of the document the lines before keep their numbers
  for (const { block, text } of changed.reverse()) {
    lines.splice(block.line - 1, block.text.split('\n').length - 1, ...text.split('\n').slice(0, -1));
  }
  return lines.join('\n');
}
