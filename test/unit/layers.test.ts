/** A file imports its own layer and those below it; the worker loads neither the database nor zod. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const source = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..', 'src');

/** What each layer may import besides itself. */
const below: Record<string, string[]> = {
  base: [],
  model: ['base'],
  storage: ['base', 'model', 'api'],
  slurm: ['base', 'model'],
  api: ['base', 'model'],
  server: ['base', 'model', 'storage', 'slurm', 'api'],
  worker: ['base', 'model', 'slurm', 'api'],
  cli: ['base', 'model', 'slurm', 'api', 'server', 'worker'],
};

interface Import {
  from: string;
  target: string;
  isTypeOnly: boolean;
  isLazy: boolean;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const found: Import[] = [];
  for (const match of text.matchAll(/^(?:import|export)\s+(type\s)?[^;]*?from\s+'([^']+)'/gms)) {
    found.push({ from: file, target: match[2] ?? '', isTypeOnly: match[1] !== undefined, isLazy: false });
  }
  for (const match of text.matchAll(/import\('([^']+)'\)/g)) {
    found.push({ from: file, target: match[1] ?? '', isTypeOnly: false, isLazy: true });
  }
  return found;
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join(source, name));
const imports = files.flatMap(importsOf);

function layerOf(file: string): string {
  return relative(source, file).split(sep)[0] ?? '';
}

/** The files that are loaded at once when `entry` is imported, and the packages they name. */
function loadedBy(entry: string): { files: Set<string>; packages: Set<string> } {
  const seen = new Set<string>();
  const packages = new Set<string>();
  const work = [entry];
  for (let file = work.pop(); file !== undefined; file = work.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    for (const found of importsOf(file)) {
      if (found.isTypeOnly || found.isLazy) continue;
      if (found.target.startsWith('.')) work.push(resolve(dirname(file), found.target));
      else packages.add(found.target);
    }
  }
  return { files: seen, packages };
}

describe('layers', () => {
  it('every folder of src is a layer', () => {
    expect(new Set(files.map(layerOf))).toEqual(new Set(Object.keys(below)));
  });

  it('no file imports from a layer above or beside it', () => {
    const wrong = imports
      .filter((found) => found.target.startsWith('.'))
      .map((found) => ({ ...found, to: layerOf(resolve(dirname(found.from), found.target)) }))
      .filter(({ from, to }) => to !== layerOf(from) && !below[layerOf(from)]?.includes(to))
      .map(({ from, target }) => `${relative(source, from)} imports ${target}`);
    expect(wrong).toEqual([]);
  });

  it('the worker loads neither SQLite nor zod', () => {
    const { packages } = loadedBy(join(source, 'worker', 'worker.ts'));
    expect([...packages].filter((name) => !name.startsWith('node:'))).toEqual([]);
  });

  it('whoever only opens the database, for a short command, does not load zod', () => {
    const { packages } = loadedBy(join(source, 'server', 'open.ts'));
    expect([...packages].filter((name) => !name.startsWith('node:'))).toEqual(['better-sqlite3']);
  });

  it('only storage holds SQL', () => {
    const sql = /\b(SELECT\s.+\sFROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM)\b/s;
    const wrong = files.filter((file) => layerOf(file) !== 'storage' && sql.test(readFileSync(file, 'utf8')));
    expect(wrong.map((file) => relative(source, file))).toEqual([]);
  });

  it('only base/config.ts reads the environment', () => {
    const wrong = files.filter(
      (file) => !file.endsWith(join('base', 'config.ts')) && /process\.env\b/.test(readFileSync(file, 'utf8')),
    );
    expect(wrong.map((file) => relative(source, file))).toEqual([]);
  });
});
