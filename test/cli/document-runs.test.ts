/**
 * The commands of all documents are run, in order and in an empty directory, with the files that blocks show. Each command must
 * print what the document shows; a line `..` stands for any lines. In a block that shows no output, each command must succeed.
 * `npm run documents` writes what they print now into the documents.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isShown } from '../support/document-output.ts';
import { DocumentPlace } from '../support/document-place.ts';
import { type Block, blocksOf, documents, fileOf, readDocument, root, shownIn } from '../support/documents.ts';

/** Documents whose commands another test runs. */
const elsewhere = new Map([
  ['docs/coming-from-colonies.md', 'test/cli/coming-from-colonies.test.ts'],
  ['docs/coming-from-prominence.md', 'test/cli/coming-from-prominence.test.ts'],
]);
const typed = (block: Block): boolean => block.language === 'console' && block.notRun === null;
const run = documents.filter((path) => !elsewhere.has(path) && blocksOf(readDocument(path)).some(typed));
const isRefreshed = process.env.TORC_REFRESH_DOCUMENTS === '1';

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
    if (typed(block)) changed.push({ block, text: await refreshed(place, block) });
  }
  const lines = text.split('\n');
  // from the end of the document the lines before keep their numbers
  for (const { block, text } of changed.reverse()) {
    lines.splice(block.line - 1, block.text.split('\n').length - 1, ...text.split('\n').slice(0, -1));
  }
  return lines.join('\n');
}

// side by side, because they wait for their jobs most of the time
it.concurrent.each(run)('%s shows what its commands print', async (path) => {
  const place = new DocumentPlace();
  try {
    const text = readDocument(path);
    const fresh = await freshly(place, text);
    if (isRefreshed) writeFileSync(join(root, path), fresh);
    else expect(fresh, 'npm run documents writes what they print now').toBe(text);
  } finally {
    await place.remove();
  }
});

it('what is not run here names tests that exist, and commands stand in console blocks', () => {
  const blocks = documents.flatMap((path) => blocksOf(readDocument(path)));
  const reasons = blocks.flatMap(({ notRun }) => [...(notRun ?? '').matchAll(/test\/[\w/-]+(?:\.test\.ts)?/g)]);
  const paths = [...elsewhere.entries(), reasons.map(([path]) => path)].flat();
  expect(paths.length).toBeGreaterThan(10);
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  const others = blocks.filter(({ language, text }) => language !== 'console' && /^\$ /m.test(text));
  expect(others.map(({ text }) => text)).toEqual([]);
});
