/** Spelling of the documents, of the help and the messages, by a list of the mistakes that people make. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { documents, root } from '../support/documents.ts';

/** Mistakes that documents show with what torc says of them, and a column of SQL. */
const meant = 'acount,tabel,iif';

function mistakes(...files: string[]): string {
  const words = ['--ignore-words-list', meant, ...files];
  const { stdout, stderr, status } = spawnSync(join(process.env.TORC_TEST_PYTHON ?? '', 'codespell'), words, {
    cwd: root,
    encoding: 'utf8',
  });
  // 65 says that there are some
  if (status !== 0 && status !== 65) throw new Error(`codespell: ${status} ${stderr}`);
  return stdout;
}

it('is right in all documents', () => {
  expect(documents.length).toBeGreaterThan(50);
  expect(mistakes(...documents)).toBe('');
});

it('is right in the help of every command and in all messages', () => {
  const folder = mkdtempSync(join(tmpdir(), 'torc-spelling-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { stdout } = spawnSync(process.execPath, [join(root, 'scripts', 'texts.mjs')], {
    ...{ encoding: 'utf8', maxBuffer: 2 ** 28 },
  });
  expect(stdout.length).toBeGreaterThan(100_000);
  // names of the code stand in the messages as ${names}
  writeFileSync(join(folder, 'texts'), stdout.replaceAll(/\$\{[^}]*\}/g, ''));
  expect(mistakes(join(folder, 'texts'))).toBe('');
  writeFileSync(join(folder, 'texts'), 'the jobs that occured\n');
  expect(mistakes(join(folder, 'texts'))).toContain('occurred');
});
