/** What a worker loads, in the program as it is bundled: neither the database nor the schemas, which take 8 MB on each node. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const folder = join(import.meta.dirname, '..', '..', 'dist', 'cli');

/** The texts of a file of the bundle, and of all that it imports without being asked. */
function loadedBy(stem: string): Map<string, string> {
  const named = readdirSync(folder).filter((name) => name.startsWith(`${stem}-`));
  const loaded = new Map<string, string>();
  const open = [...named];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (loaded.has(name)) continue;
    const text = readFileSync(join(folder, name), 'utf8');
    loaded.set(name, text);
    for (const [, file = ''] of text.matchAll(/^(?:import|export)\b[^;]*?"\.\/([^"]+)";/gm)) open.push(file);
  }
  return loaded;
}

const isHeavy = (text: string) => /better-sqlite3"|\b_zod\b/.test(text);

it.each(['worker-child', 'slurm-run-jobs'])('%s loads neither the database nor the schemas', (stem) => {
  const loaded = loadedBy(stem);
  expect(loaded.size).toBeGreaterThan(2);
  expect([...loaded].filter(([, text]) => isHeavy(text)).map(([name]) => name)).toEqual([]);
});

it('other commands do, which shows that this looks for the right words', () => {
  expect([...loadedBy('jobs-run').values()].some(isHeavy)).toBe(true);
});
