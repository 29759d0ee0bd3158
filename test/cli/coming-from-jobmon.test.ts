/** The lines of docs/coming-from-jobmon.md: its TypeScript blocks as one program, then its commands. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { newPlace, type Place } from './place.ts';

const root = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(root, 'docs', 'coming-from-jobmon.md'), 'utf8');
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map(([, text = '']) => text);

let slurm: FakeSlurm;
let place: Place;
beforeAll(() => {
  slurm = new FakeSlurm({ run: false });
  place = newPlace(slurm.env);
  mkdirSync(join(place.path, 'node_modules'));
  symlinkSync(root, join(place.path, 'node_modules', 'torc'));
});
afterAll(async () => {
  await place.remove();
  slurm.remove();
});

it('every line of the page has its twin, and the program ends as the page says', async () => {
  const program = place.file('page.mts', blocks('ts').join('\n'));
  const types = [
    '--noEmit',
    '--strict',
    '--target',
    'es2024',
    '--module',
    'nodenext',
    '--skipLibCheck',
    '--types',
    'node',
  ];
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const typeRoots = ['--typeRoots', join(root, 'node_modules', '@types')];
  const run = promisify(execFile);
  await run(process.execPath, [tsc, ...types, ...typeRoots, program], { cwd: place.path });
  const script = place.file('page.mjs', blocks('ts').join('\n'));
  const env = { ...process.env, ...slurm.env, TORC_DIR: place.dir };
  const { stdout } = await run(process.execPath, [script], { cwd: place.path, env });
  for (const text of blocks('text')) expect(stdout).toContain(text);
  const others = stdout.replace(blocks('text').join(''), '').trimEnd().split('\n');
  expect(others).toEqual(['Workflow failed - check task statuses', 'Too slow', 'resumed done']);
  const { workflows } = await place.json<{ workflows: object[] }>(['workflows', 'list']);
  expect(workflows).toMatchObject([
    { name: 'pipeline', args: 'v1', status: 'done', run_id: 1 },
    { name: 'pipeline', args: 'v2', status: 'done', run_id: 1 },
    { name: 'my_workflow', args: 'v1', status: 'done', run_id: 4, num_done: 3 },
    { name: 'slow', status: 'timeout' },
  ]);
  const found = ['workflows', 'list', '-f', 'attribute.release_id=123'];
  expect(await place.json(found)).toMatchObject({ workflows: [{ name: 'my_workflow' }] });
  const { results } = await place.json<{ results: { job_name: string }[] }>(['results', 'list', '-k', '3']);
  expect(results.map(({ job_name }) => job_name)).toEqual(['fetch', 'check', 'check', 'check', 'check', 'report']);
  // by ID, of one that failed
  const key = await place.create('exit 1');
  await place.torc('workflows', 'start', key);
  expect((await place.torc('jobs', 'run', key)).code).toBe(1);
  expect((await place.torc('hpc', 'slurm', 'add-config', '-k', key, '-a', 'acc')).code).toBe(0);
  const lines = blocks('bash').flatMap((text) => [...text.matchAll(/^torc (.*)$/gm)].map(([, words = '']) => words));
  expect(lines).toHaveLength(1);
  for (const line of lines) {
    const ended = await place.torc(...line.replaceAll('KEY', key).split(' '));
    expect(ended.code, `${line}: ${ended.stdout}${ended.stderr}`).toBe(0);
  }
  expect(slurm.jobs()).toHaveLength(2);
});
