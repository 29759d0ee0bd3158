/** `torc example` lists the examples, copies one into a new or empty directory, and says what to type when it cannot. */
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { exampleNames, filesOf } from '../../src/base/examples.ts';
import { newPlace, type Place } from './place.ts';

let place: Place;
beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

it('lists them, a line for each also as CSV', async () => {
  const { stdout } = await place.torc('-F', 'csv', 'example');
  const [header, ...rows] = stdout.trimEnd().split('\n');
  expect(header).toBe('name,description,file');
  expect(rows.map((row) => row.split(',')[0])).toEqual(exampleNames());
  expect((await place.torc('example')).stdout).toMatch(/^hello +Hello: two jobs/m);
});

it('copies it into a directory that is new or empty', async () => {
  mkdirSync(join(place.path, 'empty'));
  for (const directory of ['new/study', 'empty']) {
    const copied = await place.json<{ files: string[] }>(['example', 'hello', directory]);
    expect(copied).toMatchObject({ name: 'hello', directory, next: [`cd ${directory}`, 'torc run workflow.yaml'] });
    expect(readdirSync(join(place.path, directory)).sort()).toEqual(copied.files);
  }
});

it('names another directory as the way out, wherever it cannot write', async () => {
  place.file('file', '');
  mkdirSync(join(place.path, 'full/of'), { recursive: true });
  symlinkSync('nowhere', join(place.path, 'link'));
  for (const [directory, code, words] of [
    ['full', 4, 'full exists and is not empty'],
    ['file', 4, 'file is a file'],
    ['file/in', 2, 'cannot write file/in: file is not a directory (ENOTDIR)'],
    ['link', 2, 'there is no directory link (ENOENT)'],
    ['', 2, 'the name of the directory is empty'],
  ] as const) {
    const { code: ended, stderr, stdout } = await place.torc('example', 'hello', directory);
    expect({ ended, stdout }, directory).toEqual({ ended: code, stdout: '' });
    expect(stderr).toContain(words);
    expect(stderr).toMatch(/^hint: Name another directory: torc .*example hello DIRECTORY$/m);
  }
  expect(readdirSync(join(place.path, 'full'))).toEqual(['of']);
});

it('does not copy the folders that a run in the example leaves', () => {
  mkdirSync(join(place.path, 'torc_output'));
  writeFileSync(join(place.path, 'workflow.yaml'), '# Text.\n');
  expect(filesOf({ directory: place.path })).toEqual([{ name: 'workflow.yaml', text: '# Text.\n' }]);
});
