/** The commands of docs/coming-from-prominence.md, as they are printed there. */
import { execFile } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
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

/** What is left of apptainer without containers: the folder of a job instead of its home, then the command. */
const apptainer = `#!/bin/bash
[ "$1" = exec ] && [ "$2" = --home ] && [ "$4" = --pwd ] && [ "$5" = /home/user ] || exit 99
[ "$3" = "$PWD:/home/user" ] && [ "$6" = docker://busybox ] || exit 98
exec "\${@:7}"
`;

it('every command of the page works, and the workflows are as it says', async () => {
  place.file('workflow.yaml', blocks('yaml')[0] ?? '');
  place.file('movie.json', blocks('json')[0] ?? '');
  for (const [, name = '', text = ''] of page.matchAll(/^```\w+ \[([^\]]+)\]\n(.*?)^```/gms)) place.file(name, text);
  chmodSync(place.file('apptainer', apptainer), 0o755);
  const commands = blocks('console').flatMap((text) => [...text.matchAll(/^\$ (.*)$/gm)].map(([, line = '']) => line));
  expect(commands.length).toBeGreaterThan(10);
  const script = `set -e\ntorc() { "$NODE" "$MAIN" "$@"; }\n${commands.join('\n')}\n`;
  const path = `${place.path}:${process.env.PATH}`;
  const env = { ...process.env, NODE: process.execPath, MAIN: mainJs, TORC_DIR: place.dir, PATH: path };
  const { stdout, stderr } = await promisify(execFile)('bash', ['-c', script], { cwd: place.path, env });
  expect(stdout).toContain('2 jobs to run, 1 result inherited');
  const show = (key: string) => place.json<Record<string, unknown>>(['workflows', 'show', key]);
  expect(await show('1')).toMatchObject({ status: 'failed', num_done: 2, num_failed: 1, num_canceled: 1 });
  expect(await show('2')).toMatchObject({ status: 'done', num_done: 3, parent_workflow_key: '1' });
  expect(await show('3')).toMatchObject({ status: 'done', num_done: 3, name: 'survey of May' });
  expect(await show('4')).toMatchObject({ status: 'done', num_done: 4, name: 'movie' });
  expect(await show('5')).toMatchObject({ status: 'failed', num_failed: 1, name: 'squares' });
  expect(await show('6')).toMatchObject({ status: 'done', num_done: 9, parent_workflow_key: '5' });
  expect(stdout).toContain('frame 10\n');
  expect(stdout).toMatch(/\n204\n$/);
  expect(stderr).toContain('wrote movie.yaml: 4 jobs\n');
  const { results } = await place.json<{ results: { cause: string }[] }>(['results', 'list', '-k', '2']);
  expect(results.map(({ cause }) => cause)).toEqual(['inherited', 'success', 'success']);
});

it('import-spec writes to stdout or a file in any format, and its exit code says whether something was left out', async () => {
  const job = { name: 'a', tasks: [{ cmd: 'date' }], storage: { type: 'b2drop' } };
  place.file('partly.json', JSON.stringify(job));
  const partly = await place.torc('import-spec', '--from', 'prominence', 'partly.json');
  expect(partly.code).toBe(1);
  expect(partly.stderr).toContain('warning: partly.json:1:38: storage: torc mounts no storage');
  expect(partly.stdout).toContain('#   partly.json:1:38: storage: torc mounts no storage');
  place.file('partly.yaml', partly.stdout);
  expect((await place.torc('run', 'partly.yaml')).code).toBe(0);
  const read = await place.json(['import-spec', '--from', 'prominence', 'partly.json', '-o', 'partly.kdl'], 1);
  expect(read).toMatchObject({ num_jobs: 1, output: 'partly.kdl', differences: [], left_out: [{ path: 'storage' }] });
  expect((await place.torc('workflows', 'create', 'partly.kdl', '--dry-run')).code).toBe(0);
  const wrong = await place.torc('import-spec', '--from', 'airflow', 'partly.json');
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('Choose one of: prominence, colonies')]);
});
