/**
 * Documents whose commands are all run, in order and in an empty directory, with the files of their blocks such as
 * ```` ```yaml [study.yaml] ````. Each command must print what the document shows; a line `..` stands for any lines. In a block
 * that shows no output, each command must succeed. `npm run documents` writes what they print now into the documents.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isShown } from '../support/document-output.ts';
import { DocumentPlace } from '../support/document-place.ts';
import { type Block, blocksOf, readDocument, root, shownIn } from '../support/documents.ts';

const run = [
  'docs/tutorial.md',
  'docs/tutorial-slurm.md',
  'docs/coming-from-parallel.md',
  'docs/coming-from-job-arrays.md',
  'docs/coming-from-hyperqueue.md',
  'docs/coming-from-snakemake.md',
  'docs/coming-from-nextflow.md',
  'docs/coming-from-parsl.md',
];
const isRefreshed = process.env.TORC_REFRESH_DOCUMENTS === '1';

let place: DocumentPlace;
beforeEach(() => {
  place = new DocumentPlace();
});
afterEach(() => place.remove());

/** Runs what must succeed. */
async function succeed(path: string, line: number, command: string): Promise<void> {
  const { code, output } = await place.printed(command);
  expect(code, `${path}:${line}: ${command}\n${output}`).toBe(0);
}

/** The block with what its commands print. */
async function refreshed(path: string, block: Block): Promise<string> {
  const shown = shownIn(block);
  if (shown.every(({ output }) => output.trim() === '')) {
    for (const { line, command } of shown) await succeed(path, line, command);
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

it.each(run)('%s shows what its commands print', async (path) => {
  const lines = readDocument(path).split('\n');
  const fresh = [...lines];
  let commands = 0;
  // from the end of the document the lines before keep their numbers
  const changed: { block: Block; text: string }[] = [];
  for (const block of blocksOf(lines.join('\n'))) {
    const name = /^\[(.+)\]$/.exec(block.info)?.[1];
    if (name !== undefined) place.file(name, block.text);
    if (block.first !== null) await succeed(path, block.line, `set -e\n${block.first}`);
    if (block.language !== 'console' || block.notRun !== null) continue;
    commands += shownIn(block).length;
    changed.push({ block, text: await refreshed(path, block) });
  }
  for (const { block, text } of changed.reverse()) {
    fresh.splice(block.line - 1, block.text.split('\n').length - 1, ...text.split('\n').slice(0, -1));
  }
  expect(commands).toBeGreaterThan(0);
  if (isRefreshed) writeFileSync(join(root, path), fresh.join('\n'));
  else expect(fresh.join('\n'), 'npm run documents writes what they print now').toBe(lines.join('\n'));
});
