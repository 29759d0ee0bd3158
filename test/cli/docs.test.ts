/** `torc docs` of a program in a folder of its own, with pages and without. */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root } from '../support/documents.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'torc docs '));
  const site = join(root, 'dist', 'site');
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true, filter: (path) => path !== site });
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function docs(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, TORC_DIR: join(folder, 'none') };
  return new Promise((fulfil) => {
    execFile(process.execPath, [join(folder, 'dist', 'cli', 'main.js'), ...words], { env }, (error, stdout, stderr) =>
      fulfil({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

it('says how pages are made where there are none', async () => {
  expect(await docs('docs')).toMatchObject({ code: 3, stdout: '', stderr: expect.stringContaining('npm run site') });
});

it('prints the address of the pages, or of the sections that have all words, headings first', async () => {
  const text = join(folder, 'dist', 'site', 'search-texts.js');
  mkdirSync(dirname(text));
  const sections = [
    { id: 'a', link: 'a.html#one', title: 'Nodes', heading: 'One', text: 'memory and GPUs' },
    { id: 'b', link: 'b.html#two', title: 'Nodes', heading: 'GPUs', text: 'shares, memory' },
    { id: 'c', link: 'c.html#c', title: 'Time', heading: 'Time', text: 'runtime' },
  ];
  writeFileSync(text, `globalThis.torcTexts=${JSON.stringify(sections)}\n`);
  const base = `${pathToFileURL(join(folder, 'dist', 'site'))}/`;
  expect((await docs('docs')).stdout).toBe(`${base}index.html\n`);
  expect((await docs('docs', 'gpus', 'Memory')).stdout).toBe(
    `Nodes: GPUs\n  ${base}b.html#two\nNodes: One\n  ${base}a.html#one\n`,
  );
  expect((await docs('docs', 'time')).stdout).toBe(`Time\n  ${base}c.html#c\n`);
  expect(JSON.parse((await docs('-F', 'json', 'docs', 'runtime')).stdout)).toEqual({
    sections: [{ page: 'Time', heading: 'Time', url: `${base}c.html#c` }],
  });
  expect(await docs('docs', 'gpus', 'runtime')).toMatchObject({ code: 3, stdout: '' });
});
