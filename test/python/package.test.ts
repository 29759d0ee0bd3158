/** The Python package in python/: built, and its own tests run on the real program with what was built. */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mainJs } from '../support/torc.ts';

const run = promisify(execFile);
const bin = process.env.TORC_TEST_PYTHON ?? '';
const python = join(bin, 'python');
const root = join(dirname(mainJs), '..', '..');

let place: string;
/** The source, so that nothing is left in the tree. */
let source: string;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), "torc's python "));
  source = join(place, 'source');
  const isSource = (path: string) => !/__pycache__|\.egg-info|\.mypy_cache|\.ruff_cache|\.pytest_cache/.test(path);
  cpSync(join(root, 'python'), source, { recursive: true, filter: isSource });
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

/** What the program printed, also when it fails. */
async function said(words: string[], env: Record<string, string> = {}): Promise<string> {
  const options = { cwd: source, maxBuffer: 2 ** 26, env: { ...process.env, ...env } };
  return await run(python, words, options).then(
    ({ stdout, stderr }) => stdout + stderr,
    (error: { stdout: string; stderr: string }) => `failed:\n${error.stdout}${error.stderr}`,
  );
}

it('is typed, and written as its linter says', async () => {
  expect(await said(['-m', 'mypy', '--no-incremental'])).toMatch(/^Success: no issues found/);
  expect(await said(['-m', 'ruff', 'check', '--no-cache', '.'])).toBe('All checks passed!\n');
  expect(await said(['-m', 'ruff', 'format', '--no-cache', '--check', '.'])).toMatch(/already formatted\n$/);
});

it('works as a wheel that was built from its sdist', async () => {
  const built = join(place, 'built');
  await run(python, ['-m', 'build', '--no-isolation', '--outdir', built, source]);
  const files = readdirSync(built).sort();
  expect(files).toEqual([
    expect.stringMatching(/^torc_hpc-.*-py3-none-any\.whl$/),
    expect.stringMatching(/\.tar\.gz$/),
  ]);
  const installed = join(place, 'installed');
  const wheel = join(built, files[0] ?? '');
  await run(python, ['-m', 'pip', 'install', '--quiet', '--no-deps', '--no-index', '--target', installed, wheel]);
  const env = { PYTHONPATH: installed, TORC_PROGRAM: `'${process.execPath}' '${mainJs}'` };
  const words = ['-m', 'pytest', '-q', '--timeout', '600', '-p', 'no:cacheprovider', join(source, 'tests')];
  expect(await said(words, env)).toMatch(/\n\d+ passed in /);
});

it('has a reference with the docstrings of now', async () => {
  const words = [join(root, 'site', 'python_reference.py')];
  const { stdout } = await run(python, words, { env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } });
  expect(stdout, 'python3 site/python_reference.py > docs/python-reference.md').toBe(
    readFileSync(join(root, 'docs', 'python-reference.md'), 'utf8'),
  );
});
