/** The commands of docs/coming-from-prominence.md, as they are printed there. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mainJs } from '../support/torc.ts';
import { newPlace, type Place } from './place.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/coming-from-prominence.md'), 'utf8');
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map(([, text = '']) => text);

let place: Place;
beforeAll(() => {
  place = newPlace();
});
afterAll(() => place.remove());

it('every command of the page works, and the three workflows are as it says', async () => {
  place.file('workflow.yaml', blocks('yaml')[0] ?? '');
  const commands = blocks('console').flatMap((text) => [...text.matchAll(/^\$ (.*)$/gm)].map(([, line = '']) => line));
  expect(commands.length).toBeGreaterThan(10);
  const script = `set -e\ntorc() { "$NODE" "$MAIN" "$@"; }\n${commands.join('\n')}\n`;
  const env = { ...process.env, NODE: process.execPath, MAIN: mainJs, TORC_DIR: place.dir };
  const { stdout } = await promisify(execFile)('bash', ['-c', script], { cwd: place.path, env });
  expect(stdout).toContain('2 jobs to run, 1 result inherited');
  const show = (key: string) => place.json<Record<string, unknown>>(['workflows', 'show', key]);
  expect(await show('1')).toMatchObject({ status: 'failed', num_done: 2, num_failed: 1, num_canceled: 1 });
  expect(await show('2')).toMatchObject({ status: 'done', num_done: 3, parent_workflow_key: '1' });
  expect(await show('3')).toMatchObject({ status: 'done', num_done: 3, name: 'survey of May' });
  const { results } = await place.json<{ results: { cause: string }[] }>(['results', 'list', '-k', '2']);
  expect(results.map(({ cause }) => cause)).toEqual(['inherited', 'success', 'success']);
});
