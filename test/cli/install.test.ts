/** install.sh and bin/torc of the package, with a stand-in for node: what they put where, refuse, and remove. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const packaging = join(import.meta.dirname, '..', '..', 'packaging');
const linked = [
  'bin/torc',
  'share/man/man1/torc.1',
  'share/man/man1/torc-run.1',
  'share/bash-completion/completions/torc',
  'share/zsh/site-functions/_torc',
  'share/fish/vendor_completions.d/torc.fish',
];

let place: string;
beforeEach(() => {
  place = realpathSync(mkdtempSync(join(tmpdir(), "torc's install ")));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

/** An unpacked tarball. */
function unpacked(version: string, node = '[ "$1" = --version ] && echo v24 || echo "$@"'): string {
  const tree = join(place, 'down loads', `torc-${version}`);
  const files: Record<string, string> = {
    VERSION: version,
    'package.json': '{}',
    LICENSE: 'MIT',
    'README.md': '',
    'THIRD_PARTY_LICENSES.txt': '',
    'bill-of-materials.cdx.json': '{}',
    'dist/cli/main.js': `// ${version}`,
    'libexec/node': `#!/bin/sh\n${node}\n`,
  };
  for (const folder of ['bench', 'docker', 'docs', 'examples', 'node_modules', 'slurm']) files[`${folder}/file`] = '';
  for (const link of linked) files[link] = '.TH TORC 1\n.SH NAME\ntorc \\- a page\n';
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, name)), { recursive: true });
    writeFileSync(join(tree, name), text);
  }
  chmodSync(join(tree, 'libexec', 'node'), 0o755);
  for (const [from, to] of [
    ['torc.sh', 'bin/torc'],
    ['install.sh', 'install.sh'],
  ] as const) {
    copyFileSync(join(packaging, from), join(tree, to));
    chmodSync(join(tree, to), 0o755);
  }
  return tree;
}

function sh(script: string, ...args: string[]) {
  const env = { PATH: process.env.PATH, HOME: join(place, 'home') };
  const { status, stdout, stderr } = spawnSync('sh', [script, ...args], { cwd: place, encoding: 'utf8', env });
  return { status, stdout, stderr };
}

const printed = (command: string): string => execFileSync(command, ['--version', 'x'], { cwd: '/', encoding: 'utf8' });
const namesBelow = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();

describe('bin/torc', () => {
  it('runs the program of its own folder, wherever that is, also through links', () => {
    const tree = unpacked('1.0.0', 'echo "$@"');
    const torc = join(tree, 'bin', 'torc');
    const expected = `${tree}/dist/cli/main.js --version x\n`;
    symlinkSync(torc, join(place, 'absolute'));
    mkdirSync(join(place, 'folder'));
    symlinkSync('../absolute', join(place, 'folder', 'relative'));
    expect(printed(torc)).toBe(expected);
    expect(printed(join(place, 'absolute'))).toBe(expected);
    expect(printed(join(place, 'folder', 'relative'))).toBe(expected);
    expect(execFileSync('sh', ['torc', '--version', 'x'], { cwd: dirname(torc), encoding: 'utf8' })).toBe(expected);
  });
});

describe('install.sh', () => {
  it('installs below ~/.local, the whole package and no other files, and uninstalls everything', () => {
    const tree = unpacked('1.0.0');
    const complete = namesBelow(tree);
    mkdirSync(join(tree, 'torc_output'));
    const home = join(place, 'home');
    const { status, stdout, stderr } = sh(join(tree, 'install.sh'));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(`torc 1.0.0 is installed: ${home}/.local/bin/torc\n`);
    // the name of this test's folder has a quote and a space
    const typed = (line: RegExp): string => line.exec(stdout)?.[1] ?? '';
    const path = execFileSync('sh', ['-c', `PATH=/bin; ${typed(/(export PATH=.*)$/m)}; echo "$PATH"`], {
      encoding: 'utf8',
    });
    expect(path).toBe(`${home}/.local/bin:/bin\n`);
    const installed = join(home, '.local', 'lib', 'torc', '1.0.0');
    expect(namesBelow(installed)).toEqual(complete);
    rmSync(tree, { recursive: true });
    for (const link of linked) expect(realpathSync(join(home, '.local', link))).toBe(join(installed, link));

    const kept = join(home, '.local', 'share', 'man', 'man1', 'other.1');
    writeFileSync(kept, '');
    const again = sh('-c', typed(/^To remove it:\n {2}(.*)$/m));
    expect(again).toEqual({ status: 0, stdout: `removed torc 1.0.0 from ${home}/.local\n`, stderr: '' });
    const left = readdirSync(home, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
    expect(left.map((entry) => join(entry.parentPath, entry.name))).toEqual([kept]);
  });

  it('shows man the pages of a prefix on the PATH', ({ skip }) => {
    if (spawnSync('man', ['--version']).error !== undefined && process.env.TORC_TEST_SLURM !== 'require') skip();
    const prefix = join(place, 'tools');
    sh(join(unpacked('1.0.0'), 'install.sh'), '--prefix', prefix);
    const env = { PATH: `${prefix}/bin:${process.env.PATH}` };
    const page = execFileSync('man', ['-w', 'torc-run'], { encoding: 'utf8', env }).trim();
    expect(realpathSync(page)).toBe(join(prefix, 'lib/torc/1.0.0/share/man/man1/torc-run.1'));
  });

  it('keeps other versions and links the one installed last', () => {
    const prefix = join(place, 'a prefix');
    for (const version of ['1.0.0', '1.1.0', '1.1.0'])
      expect(sh(join(unpacked(version), 'install.sh'), `--prefix=${prefix}`).status).toBe(0);
    expect(readdirSync(join(prefix, 'lib', 'torc'))).toEqual(['1.0.0', '1.1.0']);
    const older = join(prefix, 'lib/torc/1.0.0');
    expect(realpathSync(join(prefix, 'bin/torc'))).toBe(join(prefix, 'lib/torc/1.1.0/bin/torc'));
    const { stdout } = sh(join(prefix, 'lib/torc/1.1.0/install.sh'), '--uninstall');
    expect(sh('-c', /^To use an older version again: (.*)$/m.exec(stdout)?.[1] ?? '').status).toBe(0);
    for (const link of linked) expect(realpathSync(join(prefix, link))).toBe(join(older, link));
  });

  it('is readable for others below a prefix whatever the umask is, and below ~/.local as the umask says', () => {
    const tree = unpacked('1.0.0');
    const sixBits = (path: string): string => (lstatSync(path).mode & 0o077).toString(8);
    const installed = (...words: string[]) =>
      sh('-c', 'chmod -R go= "$0"; umask 077; exec sh "$0/install.sh" "$@"', tree, ...words);
    const prefix = join(place, 'shared');
    expect(installed('--prefix', prefix)).toMatchObject({ status: 0, stderr: '' });
    const modes = (folder: string) => {
      const paths = ['', ...namesBelow(folder)].map((name) => join(folder, name));
      return new Set(paths.filter((path) => !lstatSync(path).isSymbolicLink()).map(sixBits));
    };
    expect(modes(prefix)).toEqual(new Set(['55', '44']));
    expect(sixBits(join(prefix, 'lib/torc/1.0.0/libexec/node'))).toBe('55');
    expect(sixBits(join(prefix, 'lib/torc/1.0.0/VERSION'))).toBe('44');
    expect(sh(join(prefix, 'lib/torc/1.0.0/install.sh'), '--uninstall')).toMatchObject({ status: 0, stderr: '' });
    expect(namesBelow(prefix).filter((name) => /torc/.test(name))).toEqual([]);
    expect(installed().status).toBe(0);
    expect(modes(join(place, 'home', '.local'))).toEqual(new Set(['0']));
  });

  it('uninstalls where a folder cannot be removed while a file in it is open, as on NFS', () => {
    const commands = join(place, 'commands');
    mkdirSync(commands);
    writeFileSync(
      join(commands, 'rm'),
      `#!/bin/sh
for file in /proc/$PPID/fd/*; do
  case $(readlink "$file") in *.sh) echo "rm: Directory not empty" >&2; exit 1 ;; esac
done
PATH=\${PATH#*:} exec rm "$@"
`,
    );
    chmodSync(join(commands, 'rm'), 0o755);
    expect(sh(join(unpacked('1.0.0'), 'install.sh')).status).toBe(0);
    const installed = join(place, 'home/.local/lib/torc/1.0.0/install.sh');
    const removed = sh('-c', `PATH="$PWD/commands:$PATH" sh "$0" --uninstall`, installed);
    expect(removed).toEqual({ status: 0, stdout: `removed torc 1.0.0 from ${place}/home/.local\n`, stderr: '' });
    expect(readdirSync(join(place, 'home/.local/lib'))).toEqual([]);
  });

  it('takes a relative prefix, and a tilde that the shell has left', () => {
    expect(sh(join(unpacked('1.0.0'), 'install.sh'), '--prefix=~/there/').stdout).toContain(
      `is installed: ${place}/home/there/bin/torc\n`,
    );

    expect(sh(join(unpacked('1.0.0'), 'install.sh'), '--prefix', 'home/../there').stdout).toContain(
      `is installed: ${place}/there/bin/torc\n`,
    );
    expect(realpathSync(join(place, 'there/bin/torc'))).toBe(join(place, 'there/lib/torc/1.0.0/bin/torc'));
  });

  it('changes nothing where a file of others is in the way', () => {
    const script = join(unpacked('1.0.0'), 'install.sh');
    const prefix = join(place, 'there');
    for (const link of ['bin/torc', 'share/zsh/site-functions/_torc']) {
      mkdirSync(dirname(join(prefix, link)), { recursive: true });
      writeFileSync(join(prefix, link), 'mine');
      const before = namesBelow(prefix);
      const { status, stderr } = sh(script, '--prefix', prefix);
      expect(status).toBe(1);
      expect(stderr).toBe(
        `install.sh: ${prefix}/${link} is there and is not part of a torc that install.sh installed\n` +
          '  Move it away, or choose another place: sh install.sh --prefix DIR\n',
      );
      expect(namesBelow(prefix)).toEqual(before);
      expect(readFileSync(join(prefix, link), 'utf8')).toBe('mine');
      rmSync(join(prefix, link));
    }
  });

  it('refuses wrong arguments and what was never installed', () => {
    const script = join(unpacked('1.0.0'), 'install.sh');
    expect(sh(script, '--perfix', 'x')).toMatchObject({ status: 2, stdout: '' });
    expect(sh(script, '--prefix')).toMatchObject({ status: 2, stdout: '' });
    expect(sh(script, '--prefix', '')).toMatchObject({ status: 2, stdout: '' });
    const { status, stderr } = sh(script, '--uninstall');
    expect({ status, stderr }).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`torc 1.0.0 is not installed in ${place}/home/.local\n`),
    });
    expect(sh(script, '--help').stdout).toMatch(/^usage: sh install\.sh /);
    expect(readdirSync(place)).toEqual(['down loads']);
  });

  it('installs nothing where its node does not start, and says what node said', () => {
    const tree = unpacked('1.0.0', 'echo "version \'GLIBC_2.28\' not found" >&2; exit 1');
    const { status, stderr } = sh(join(tree, 'install.sh'));
    expect(status).toBe(1);
    expect(stderr).toContain("does not start here: version 'GLIBC_2.28' not found\n  It needs Linux");
    expect(readdirSync(place)).toEqual(['down loads']);
  });
});
