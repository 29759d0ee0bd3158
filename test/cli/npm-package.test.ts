/** What `npm pack` would pack: what runs, is read or is documentation, and nothing else. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, it } from 'vitest';
import { sentencesOf } from '../support/documents.ts';

const root = join(import.meta.dirname, '..', '..');

it('the package of npm contains the program, its manual pages and its documents, and nothing for developers', () => {
  const words = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const [packed] = JSON.parse(execFileSync('npm', words, { cwd: root, encoding: 'utf8', stdio: 'pipe' }));
  const paths = (packed.files as { path: string }[]).map(({ path }) => path);
  const folders = new Set(
    paths.map((path) => (path.startsWith('dist/') ? path.split('/', 2).join('/') : path.split('/')[0])),
  );
  const code = ['api', 'base', 'cli', 'model', 'server', 'slurm', 'storage', 'worker'].map((name) => `dist/${name}`);
  const read = [
    'dist/man',
    'dist/page',
    'dist/workflow.schema.json',
    'dist/openapi.json',
    'slurm',
    'examples',
    'docs',
    // documents that others link to
    'bench',
    'docker',
    'package.json',
  ];
  const texts = readdirSync(root).filter((name) => /^(README|CONTRIBUTING|CHANGELOG|THIRD_PARTY|LICENSE)/.test(name));
  // what a compiler makes, and what is made only for the package, may be missing
  const expected = [...code, ...read, ...texts];
  expect([...folders].filter((name) => !['dist/native', 'dist/site'].includes(name ?? '')).sort()).toEqual(
    expected.sort(),
  );
  const dead = paths.flatMap((path) => linksOf(path).filter((target) => !paths.some((each) => leadsTo(target, each))));
  expect(dead).toEqual([]);
  expect(paths.filter((path) => /^(bench|docker)\//.test(path) && !path.endsWith('.md'))).toEqual([]);
  expect(paths.filter((path) => /\.test\.|\.map$|(?<!\.d)\.ts$/.test(path))).toEqual([]);

  const { man, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect(paths).toEqual(expect.arrayContaining([...man, bin.torc]));
  expect(man).toEqual(paths.filter((path) => path.startsWith('dist/man/')).sort());
  expect(existsSync(join(root, 'dist', 'bundle.json'))).toBe(true);
});

/** Where the links of a packed document lead in the package. */
function linksOf(path: string): string[] {
  if (!path.endsWith('.md')) return [];
  const links = sentencesOf(readFileSync(join(root, path), 'utf8')).matchAll(/\]\(([^()\s#]+)(?:#[^()\s]*)?\)/g);
  return [...links].flatMap(([, link = '']) => (/^[a-z]+:/.test(link) ? [] : [normalize(join(dirname(path), link))]));
}

function leadsTo(target: string, path: string): boolean {
  return path === target || path.startsWith(`${target.replace(/\/$/, '')}/`);
}
