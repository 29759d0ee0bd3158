/** Packages of others that come with torc. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

it('the list of packages is up to date, their licences are known, and only one runs code at installation', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const ended = spawnSync(process.execPath, ['scripts/licences.mjs'], { cwd: root, encoding: 'utf8' });
  expect(ended).toMatchObject({ status: 0, stderr: '' });
  expect(readFileSync(`${root}/THIRD_PARTY.md`, 'utf8')).toBe(ended.stdout);
});
