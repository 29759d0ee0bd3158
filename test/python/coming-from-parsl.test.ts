/** The program in docs/coming-from-parsl.md that builds the study with the package in python/. */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newPlace, type Place } from '../cli/place.ts';
import { blocksOf, readDocument, root } from '../support/documents.ts';
import { mainJs } from '../support/torc.ts';

let place: Place;
beforeAll(() => {
  place = newPlace();
});
afterAll(() => place.remove());

it('fails with the fifth square, and gives the sum after it was repaired', async () => {
  for (const { info, text } of blocksOf(readDocument('docs/coming-from-parsl.md'))) {
    const name = /^\[(.+)\]$/.exec(info)?.[1];
    if (name !== undefined) writeFileSync(join(place.path, name), text);
  }
  const env = {
    ...process.env,
    PYTHONPATH: join(root, 'python', 'src'),
    PYTHONDONTWRITEBYTECODE: '1',
    TORC_PROGRAM: `'${process.execPath}' '${mainJs}'`,
    TORC_DIR: place.dir,
  };
  const python = join(process.env.TORC_TEST_PYTHON ?? '', 'python');
  const { stdout } = await promisify(execFile)(python, ['squares.py'], { cwd: place.path, env });
  expect(stdout).toBe('failed\n');
  place.file('calibrated', '');
  expect(await place.torc('rerun-failed', 'squares', '--run')).toMatchObject({ code: 0 });
  expect(readFileSync(join(place.path, 'sum.txt'), 'utf8')).toBe('204\n');
});
