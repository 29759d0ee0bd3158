/** Where and how torc is called: directories that are gone, bytes that are not UTF-8, a user without a home. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { mainJs } from '../support/torc.ts';

/** Runs bash text in a folder of its own, in which `torc` is the program. */
function run(text: string, uid?: number): { status: number | null; stdout: string; stderr: string } {
  const folder = mkdtempSync(join(tmpdir(), 'torc-odd-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const start = `torc() { '${process.execPath}' '${mainJs}' "$@"; }\n`;
  const env = { PATH: process.env.PATH, HOME: folder };
  const ids = uid === undefined ? {} : { uid, gid: uid };
  return spawnSync('bash', ['-c', start + text], { cwd: folder, env, encoding: 'utf8', ...ids });
}

it('says that the current directory is gone', () => {
  const ended = run('mkdir gone && cd gone && rmdir ../gone && torc workflows list');
  expect(ended).toMatchObject({ status: 2, stdout: '' });
  expect(ended.stderr).toContain('error: the current directory no longer exists\nhint: ');
});

it('refuses a current directory and arguments that are not UTF-8', () => {
  const directory = run("mkdir $'caf\\xe9' && cd $'caf\\xe9' && torc --dir /tmp/T workflows list");
  expect(directory).toMatchObject({ status: 2 });
  expect(directory.stderr).toMatch(/the current directory .*caf\u{FFFD} is not UTF-8/u);
  const argument = run("torc --dir $'caf\\xe9' workflows list");
  expect(argument).toMatchObject({ status: 2 });
  expect(argument.stderr).toContain('the argument caf\u{FFFD} is not UTF-8');
});

it('passes variables on to jobs byte for byte', () => {
  const command = 'printf %s "$ODD" | od -An -tx1 | tr -d \' \\n\' > bytes; exit';
  const ended = run(
    `echo '${command.replaceAll("'", "'\\''")}' > c.txt; ODD=$'\\xe9z' torc --dir T run c.txt >&2; cat bytes`,
  );
  expect(ended.stdout).toBe('e97a');
});

it.each([
  ['the new one of its name, as after a new mount', 'mv ../w ../old && mkdir ../w', 'w'],
  ['the renamed one where there is none of its name', 'mv ../w ../old', 'old'],
])('jobs start in %s', (_, change, place) => {
  const torc = 'torc --dir "$HOME/T" run ../c.txt -o "$HOME/out" --cpus 1 >&2';
  const ended = run(
    `mkdir w; cd w; printf '%s; exit\\n' '${change}' 'touch here' > ../c.txt; ${torc}; ls "$HOME/${place}"`,
  );
  expect(ended.stdout, ended.stderr).toBe('here\n');
});

it.skipIf(process.getuid?.() !== 0)('says what to type when the user has no home directory', () => {
  const ended = run('unset HOME; cd /; torc workflows list', 54_321);
  expect(ended).toMatchObject({ status: 2, stdout: '' });
  expect(ended.stderr).toContain('error: no server directory: HOME is not set');
  expect(ended.stderr).toContain('--dir');
  // which then works
  expect(run('unset HOME; cd /; torc --dir /nowhere workflows list', 54_321)).toMatchObject({ status: 3 });
});

it('takes an empty HOME for none: it would mean the working directory', () => {
  expect(run('HOME= torc workflows list').stderr).toContain('error: no server directory: HOME is not set');
});

it('says what is full when standard output cannot be written', () => {
  const full = run('torc example > /dev/full');
  expect(full.status).toBe(5);
  expect(full.stderr).toBe(
    'error: cannot write standard output to /dev/full: the file system of /dev is full (ENOSPC)\nhint: Free some space there.\n',
  );
  expect(JSON.parse(run('torc -F json example > /dev/full').stderr)).toMatchObject({ error: { code: 'no_space' } });
  // a limit of 0 blocks
  const large = run('ulimit -f 0; torc example > list.txt');
  expect(large.status).toBe(5);
  expect(large.stderr).toMatch(
    /^error: cannot write standard output to \/.*\/list.txt: a file in .* \(EFBIG\)\nhint: .*ulimit -f/,
  );
});

it.each(['schedules run', 'schedules show', 'schedules delete', 'generators pause'])(
  'says in a sentence that a name cannot be one: %s',
  (command) => {
    const refused = run(`torc --dir T ${command} 'x y'`);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/^error: "x y" cannot name a (schedule|generator): a name is a letter /);
  },
);

it('tells what it cannot give: GPUs that were not found, more jobs at a time than CPUs', () => {
  const text = `echo 'test "$CUDA_VISIBLE_DEVICES" = ""; exit' > c.txt; CUDA_VISIBLE_DEVICES= torc --dir T run c.txt`;
  const gpus = run(`${text} --cpus 2 -m 4 --gpus 2`);
  expect(gpus).toMatchObject({ status: 0 });
  expect(gpus.stderr).toContain('warning: --gpus 2: none found on this machine; jobs get the indices 0 to 1\n');
  expect(gpus.stderr).toContain(
    'warning: -m 4: a job takes at least 1 CPU, so 2 jobs at most run at a time; --cpus 4 ',
  );
  expect(run(`${text} --cpus 2 -m 2`).stderr).not.toContain('warning');
});

it.each([
  {
    kind: 'of another Node',
    code: 'ERR_DLOPEN_FAILED',
    says: 'was compiled against a different Node.js version using\\nNODE_MODULE_VERSION 72. This version of Node.js requires\\nNODE_MODULE_VERSION 115. Please',
    message: `error: better-sqlite3 was compiled for another version of Node (ABI 72), and this is Node ${process.versions.node} (ABI 115)`,
  },
  {
    kind: 'that is missing',
    code: 'MODULE_NOT_FOUND',
    says: 'Cannot find module',
    message: 'error: better-sqlite3 cannot be loaded: its compiled module is missing',
  },
  {
    kind: 'of another system',
    code: 'ERR_DLOPEN_FAILED',
    says: 'better_sqlite3.node: invalid ELF header',
    message: 'error: better-sqlite3 cannot be loaded: better_sqlite3.node: invalid ELF header',
  },
])('says what to do about a compiled module $kind, and leaves no database', ({ code, says, message }) => {
  // in the process itself: other tests use the module that is installed
  const refuse = `process.dlopen = () => { throw Object.assign(new Error('${says}'), { code: '${code}' }); };`;
  const preload = `cat > refuse.cjs <<'END'\n${refuse}\nEND\nexport NODE_OPTIONS="--require $PWD/refuse.cjs"\n`;
  const ended = run(`${preload} echo true > c.txt; torc --dir T run c.txt; echo $?; ls -A T`);
  expect(ended.stdout).toBe('5\n');
  expect(ended.stderr).toContain(`${message}\nhint: `);
  expect(ended.stderr).toContain('npm rebuild better-sqlite3');
  expect(run(`${preload} torc --dir S server start; echo $?; ls -A S`).stdout).toBe('5\n');
  const doctor = run(`${preload} torc --dir T doctor`);
  expect(doctor.stdout).toContain(message.replace('error: ', '').slice(0, 60));
});
