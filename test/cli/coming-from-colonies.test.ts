/** The commands of docs/coming-from-colonies.md, as they are printed there. */
import { execFile } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mainJs } from '../support/torc.ts';
import { newPlace, type Place } from './place.ts';

const page = readFileSync(join(import.meta.dirname, '../../docs/coming-from-colonies.md'), 'utf8');
const sections = page.split(/^## /m).map((text) => ({
  title: text.split('\n', 1)[0] ?? '',
  commands: [...text.matchAll(/^\$ (.*)$/gm)].map(([, line = '']) => line),
}));

let place: Place;
beforeAll(() => {
  place = newPlace();
  for (const [, name = '', text = ''] of page.matchAll(/[Ss]ave this as `([^`]+)`:\n\n```\w+\n(.*?)```/gs)) {
    place.file(name, text);
  }
  for (const [, name = '', text = ''] of page.matchAll(/^```\w+ \[([^\]]+)\]\n(.*?)^```/gms)) place.file(name, text);
  for (const [, name = '', text = ''] of page.matchAll(/^and this as `([^`]+)`:\n\n```\w+\n(.*?)```/gms)) {
    place.file(name, text);
  }
});
afterAll(() => place.remove());

async function type(title: string): Promise<string> {
  const commands = sections.find((section) => section.title === title)?.commands ?? [];
  expect(commands.length).toBeGreaterThan(1);
  // a program in the path, because jobs call it too
  chmodSync(place.file('torc', `#!/bin/sh\nexec "${process.execPath}" "${mainJs}" "$@"\n`), 0o755);
  const env = { ...process.env, PATH: `${place.path}:${process.env.PATH}`, TORC_DIR: place.dir };
  const { stdout } = await promisify(execFile)('bash', ['-ec', commands.join('\n')], { cwd: place.path, env });
  return stdout;
}

/** What each job of a workflow left, by its name. */
async function resultsOf(key: string): Promise<Record<string, unknown>> {
  const { results } = await place.json<{ results: { job_name: string; result: unknown }[] }>([
    ...['results', 'list', '-k', key],
  ]);
  return Object.fromEntries(results.map(({ job_name, result }) => [job_name, result]));
}

it('two steps leave 3, and two upstream jobs 30', async () => {
  await type('Two steps');
  expect(await resultsOf('1')).toEqual({ gen_nums: [1, 2], sum_nums: 3 });
  await type('Several upstream jobs');
  expect(await resultsOf('2')).toMatchObject({ merge: 30 });
});

it('map adds five jobs, and reduce leaves 15', async () => {
  await type('Map and reduce');
  const results = await resultsOf('3');
  expect(results).toMatchObject({ reduce: 15 });
  expect(Object.keys(results)).toHaveLength(7);
});

it('three pools run one job each, by its label', async () => {
  await type('Three platforms');
  const { results } = await place.json<{ results: { job_name: string; compute_node_key: string }[] }>([
    ...['results', 'list', '-k', '4'],
  ]);
  expect(new Set(results.map(({ compute_node_key }) => compute_node_key)).size).toBe(3);
  expect(await resultsOf('4')).toMatchObject({ process: 'processed dataset' });
});

it('lists, shows and deletes workflows', async () => {
  const text = await type('Looking');
  expect(text).toContain('map-reduce');
  const { workflows } = await place.json<{ workflows: unknown[] }>(['workflows', 'list']);
  expect(workflows).toEqual([]);
});

it('imports and runs a list of functions', async () => {
  await type('Your workflows');
  const { workflows } = await place.json<{ workflows: { status: string; num_done: number }[] }>(['workflows', 'list']);
  expect(workflows).toMatchObject([{ status: 'done', num_done: 2 }]);
});

it('the study of all pages fails first, then prints 204', async () => {
  expect(await type('One study in both')).toMatch(/1 failed[\s\S]*\n204\n$/);
});
