/**
 * The package as a person on another Linux meets it, and the package of npm. Needs root, mmdebstrap, python3, a compiler and the
 * packages of Debian, npm and Python. TORC_TEST_ROOTS names other roots: releases of Debian, or paths, with commas between.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archive, checksums, installation, packageName as name, root, version } from './readme.ts';
import { Root } from './root.ts';

const roots = process.env.TORC_TEST_ROOTS?.split(',') ?? ['bullseye', 'bookworm', 'trixie'];

const npm = (...words: string[]) => execFileSync('npm', words, { cwd: root, encoding: 'utf8', stdio: 'pipe' });
const hashOf = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
const filesBelow = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));

let place: string;
beforeAll(() => {
  place = mkdtempSync(join(tmpdir(), 'torc-package-'));
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

describe('the package', () => {
  let tree: string;
  beforeAll(() => {
    execFileSync('tar', ['-xzf', archive, '-C', place]);
    tree = join(place, name);
  });

  it('is the same when it is made again from the same sources', () => {
    const first = hashOf(archive);
    npm('run', 'package');
    expect(hashOf(archive)).toBe(first);
    expect(
      execFileSync('sha256sum', ['--check', 'SHA256SUMS'], { cwd: join(root, 'release'), encoding: 'utf8' }),
    ).toContain(`${name}.tar.gz: OK\n`);
  });

  it('does not name the folder in which it was made', () => {
    expect(filesBelow(tree).filter((path) => readFileSync(path).includes(`${root}/`))).toEqual([]);
  });

  it('lists in its bill what it contains, with versions and licences', () => {
    const bill = JSON.parse(readFileSync(join(tree, 'bill-of-materials.cdx.json'), 'utf8'));
    expect(bill).toMatchObject({ bomFormat: 'CycloneDX', metadata: { component: { name: 'torc', version } } });
    const components: { name: string; version: string; licenses: unknown[] }[] = bill.components;
    expect(components.map((component) => component.name)).toEqual(
      expect.arrayContaining(['better-sqlite3', 'commander', 'node', 'sqlite', 'yaml', 'zod']),
    );
    expect(components.filter(({ licenses }) => !(licenses?.length > 0))).toEqual([]);
    // only for development, or only to download what is compiled here
    expect(
      components.filter((component) => ['vitest', 'rolldown', 'prebuild-install'].includes(component.name)),
    ).toEqual([]);
    const texts = readFileSync(join(tree, 'THIRD_PARTY_LICENSES.txt'), 'utf8');
    for (const { name, version } of components.filter(
      ({ name }) => !['node', 'sqlite', 'musl', 'libc++'].includes(name),
    ))
      expect(texts).toContain(`\n${name} ${version} (`);
  });

  it('is refused when a program in it needs a newer C library', async () => {
    const { checkSymbols, glibc } = await import('../../scripts/package/native.mjs');
    const needs = (path: string) =>
      [...execFileSync('readelf', ['-VW', path], { encoding: 'utf8' }).matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) =>
        Number(minor),
      );
    const ours = join(root, 'node_modules', 'better-sqlite3', 'build', 'Release', 'better_sqlite3.node');
    // made for this machine, which must have a newer one for this to show anything
    expect(Math.max(...needs(ours))).toBeGreaterThan(glibc[1]);
    expect(() => checkSymbols(ours)).toThrow(/needs GLIBC_2\.\d+.*, but must run with glibc 2\.28$/);
    checkSymbols(join(tree, 'node_modules', 'better-sqlite3', 'better_sqlite3.node'));
  });
});

describe.each(roots)('on %s', (release) => {
  let other: Root;
  beforeAll(() => {
    other = new Root(release);
    other.newHome([archive, checksums]);
  });
  afterAll(() => other?.remove());

  /** Runs what a person types; it must end with 0. */
  function type(script: string): string {
    const { status, stdout, stderr } = other.run(script);
    if (status !== 0) throw new Error(`${script}\nended with ${status}:\n${stderr}${stdout}`);
    return stdout;
  }

  it('there is nothing that torc could use instead of its own', () => {
    expect(type('for program in node npm python3 cc gcc; do type -t $program || echo none; done')).toBe(
      'none\n'.repeat(5),
    );
    expect(other.run('exec 3<>/dev/tcp/9.9.9.9/53').status).not.toBe(0);
  });

  it('the lines of the README install it and run a workflow', () => {
    const said = type(installation());
    expect(said).toContain(`${name}.tar.gz: OK\n`);
    expect(said).toContain(`torc ${version} is installed: /home/user/.local/bin/torc\n`);
    expect(said).toMatch(/^workflow 1 \(word_count\), run 1: done$/m);
    expect(said).toMatch(/^\d+ words in all$/m);
  });

  const path = 'export PATH=$HOME/.local/bin:$PATH\n';

  it('works without the folder where it was unpacked, and says which job failed', () => {
    const spec = {
      name: 'w',
      jobs: [
        { name: 'first', command: 'exit 3' },
        { name: 'second', command: 'true', depends_on: ['first'] },
      ],
    };
    const { status, stdout } = other.run(
      `${path} rm -rf ~/torc-*\n echo '${JSON.stringify(spec)}' > w.json; torc run w.json`,
    );
    expect(status).toBe(1);
    expect(stdout).toContain('1 job failed with return code 3');
    expect(stdout).toMatch(/^canceled: 1$/m);
  });

  it('finds nothing missing: the program that starts jobs, SQLite, locks', () => {
    expect(type(`${path} torc doctor`)).toContain('everything is ok');
  });

  it('starts a server that commands and workers of other processes use, and stops it', () => {
    const said = type(`${path}
      torc --dir d server start --daemon
      torc --dir d run --output out word-count/workflow.yaml
      torc --dir d server stop`);
    expect(said).toMatch(/^workflow 1 \(word_count\), run 1: done$/m);
  });

  it('completes words in bash', () => {
    const said = type(`${path} set +u
      source ~/.local/share/bash-completion/completions/torc
      COMP_WORDS=(torc wor) COMP_CWORD=1 COMP_LINE='torc wor' COMP_POINT=8; _torc; echo "\${COMPREPLY[@]}"`);
    expect(said.trim()).toBe('workflows');
  });

  it('is removed by its own install.sh, and keeps results', () => {
    type('sh ~/.local/lib/torc/*/install.sh --uninstall');
    expect(type('find ~/.local -type f -o -type l')).toBe('');
    expect(type('ls -d ~/.torc ~/torc_output ~/word_count')).toBe(
      '/home/user/.torc\n/home/user/torc_output\n/home/user/word_count\n',
    );
  });
});

describe('the package of npm', () => {
  it('installs into an empty prefix, with manual pages, and runs', () => {
    const tarball = join(place, npm('pack', '--silent', '--pack-destination', place).trim());
    const prefix = join(place, 'prefix');
    npm('install', '--global', '--no-audit', '--no-fund', `--prefix=${prefix}`, tarball);
    const env = { ...process.env, PATH: `${prefix}/bin:${process.env.PATH}`, TORC_DIR: join(place, 'server') };
    expect(execFileSync('torc', ['--version'], { encoding: 'utf8', env }).trim()).toBe(version);
    expect(existsSync(join(prefix, 'share', 'man', 'man1', 'torc-jobs-list.1'))).toBe(true);
    const words = ['exec', '-c', 'echo it runs', '--output', join(place, 'out')];
    const { status, stderr } = spawnSync('torc', words, { encoding: 'utf8', env, cwd: place });
    expect({ status, stderr }).toMatchObject({ status: 0 });
  });
});
