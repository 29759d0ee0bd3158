/**
 * The commands of all documents are run, in order and in an empty directory, with the files that blocks show. Each command must
 * print what the document shows; a line `..` stands for any lines. In a block that shows no output, each command must succeed.
 * `npm run documents` writes what they print now into the documents.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { DocumentPlace } from '../support/document-place.ts';
import { isTyped, runDocument } from '../support/document-run.ts';
import { blocksOf, documents, readDocument, root } from '../support/documents.ts';

/** Documents whose commands another test runs; example-runs.test.ts has those of the examples. */
const elsewhere = new Map([
  ['docs/coming-from-colonies.md', 'test/cli/coming-from-colonies.test.ts'],
  ['docs/coming-from-prominence.md', 'test/cli/coming-from-prominence.test.ts'],
]);
const isExample = (path: string): boolean => path.startsWith('examples/');
const run = documents.filter(
  (path) => !elsewhere.has(path) && !isExample(path) && blocksOf(readDocument(path)).some(isTyped),
);

// side by side, because they wait for their jobs most of the time
it.concurrent.each(run)('%s shows what its commands print', async (path) => {
  const place = new DocumentPlace();
  try {
    await runDocument(place, path);
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
