/**
 * A server directory in which another user could write for a while, and left something. The directory is closed to
 * others before the owner's next command.
 */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serverDirectoryNames } from '../../src/base/paths.ts';
import { processStartTicks } from '../../src/base/proc.ts';
import { openPrivateFolder } from '../../src/base/trusted/private.ts';
import { newPlace, type Place } from '../cli/place.ts';
import { asOtherUser, canBeOtherUser } from './as-other-user.ts';

let place: Place;
let bait: string;

beforeEach(async () => {
  place = newPlace();
  chmodSync(place.path, 0o755);
  bait = place.file('bait', 'text of the owner\n');
  chmodSync(bait, 0o644);
});
afterEach(() => place.remove());

/** The other user runs a script in the server directory, `$1` is the bait, while everything there is open. */
async function plant(script: string): Promise<void> {
  const folders = [place.dir, join(place.dir, 'workers'), join(place.dir, 'actions')].filter((path) =>
    existsSync(path),
  );
  const modes = folders.map((path) => statSync(path).mode);
  for (const path of folders) chmodSync(path, 0o777);
  const ended = await asOtherUser('sh', ['-c', `cd "$2" && ${script}`, 'sh', bait, place.dir]);
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  for (const [index, path] of folders.entries()) chmodSync(path, modes[index] ?? 0);
}

/** Everything below the directory and the bait, with owners, modes, sizes and texts: what must stay as it is. */
function everything(): unknown[] {
  const paths = readdirSync(place.dir, { recursive: true }).map((path) => join(place.dir, String(path)));
  return [bait, ...paths].sort().map((path) => {
    const { uid, mode, size, mtimeMs } = lstatSync(path);
    return [path, uid, mode, size, mtimeMs];
  });
}

const names = serverDirectoryNames.map((name) => name.replace('/*', ''));
const worker = 'a'.repeat(32);

const waysIn = [
  ['workflows', 'list'],
  ['server', 'start', '--daemon'],
  ['server', 'start'],
  ['run', 'commands.txt', '-o', 'out'],
  ['-k', '1', 'jobs', 'list'],
];

const kinds = {
  'a file': (name: string) => `echo 1 > ${name}`,
  'a file that everybody may change': (name: string) => `echo 1 > ${name} && chmod 666 ${name}`,
  'a link': (name: string) => `ln -s "$1" ${name}`,
  'a pipe': (name: string) => `mkfifo -m 666 ${name}`,
  'a directory': (name: string) => `mkdir -m 777 ${name}`,
};

describe.skipIf(!canBeOtherUser)('what another user has left in a server directory', () => {
  it.each(Object.entries(kinds))('is refused by name: %s', async (_kind, make) => {
    mkdirSync(place.dir, { mode: 0o700 });
    await plant(names.map(make).join(' && '));
    for (const name of names) {
      expect(() => openPrivateFolder(place.dir, [name])).toThrow(`${join(place.dir, name)} `);
    }
  });

  it('is refused by every command, before anything is written', async () => {
    await place.create('true');
    for (const [round, name] of names.entries()) {
      const path = join(place.dir, name);
      const [kind = '', make = () => ''] = Object.entries(kinds)[round % 5] ?? [];
      const words = waysIn[(round + Math.floor(round / 5)) % waysIn.length] ?? [];
      await plant(`if [ -e ${name} ]; then mv ${name} ${name}.moved; fi && ${make(name)}`);
      const before = everything();
      const ended = await place.torc(...words);
      expect([kind, name, words, ended]).toMatchObject([kind, name, words, { code: 4, stdout: '' }]);
      expect(ended.stderr).toContain(`error: ${path} `);
      expect(ended.stderr).toMatch(/^hint: Remove what is not yours: rm -r '/m);
      expect([name, words, everything()]).toEqual([name, words, before]);
      rmSync(path, { recursive: true });
      await plant(`if [ -e ${name}.moved ]; then mv ${name}.moved ${name}; fi`);
    }
    expect(readFileSync(bait, 'utf8')).toBe('text of the owner\n');
    expect(await place.torc('workflows', 'list')).toMatchObject({ code: 0, stderr: '' });
  });

  it.each([
    ['a pipe', `mkdir -m 777 workers/${worker} && mkfifo -m 666 workers/${worker}/spool`],
    ['a link', `mkdir -m 777 elsewhere && mkfifo -m 666 elsewhere/spool && ln -s ../elsewhere workers/${worker}`],
  ])('is refused where workers keep their reports: %s', async (_kind, script) => {
    await place.create('true');
    mkdirSync(join(place.dir, 'workers'), { mode: 0o700 });
    await plant(script);
    const before = everything();
    for (const words of waysIn) {
      const ended = await place.torc(...words);
      expect([words, ended]).toMatchObject([words, { code: 4, stdout: '' }]);
      expect(ended.stderr).toContain(join(place.dir, 'workers', worker));
      expect(ended.stderr).toContain('hint: Remove what is not yours: rm -r ');
    }
    expect(everything()).toEqual(before);
  });

  it.each(['echo x > actions/1.out', 'ln -s "$1" actions/1.out', 'mkfifo -m 666 actions/1.out'])(
    'takes no output of actions: %s',
    async (script) => {
      mkdirSync(place.dir, { mode: 0o700 });
      mkdirSync(join(place.dir, 'actions'), { mode: 0o700 });
      await plant(script);
      const actions = [{ trigger_type: 'on_workflow_start', action_type: 'run_commands', commands: ['echo acted'] }];
      place.file('w.json', JSON.stringify({ name: 'w', jobs: [{ name: 'a', command: 'true' }], actions }));
      await place.torc('run', 'w.json', '-o', 'out');
      const { stdout } = await place.torc('actions', 'list');
      expect(stdout).toContain(`${join(place.dir, 'actions', '1.out')} `);
      expect(readFileSync(bait, 'utf8')).toBe('text of the owner\n');
    },
  );
});

it('no command to end a process is suggested unless that process has the database open', async () => {
  await place.create('true');
  const bystander = spawn('sleep', ['600'], { stdio: 'ignore' });
  try {
    const { pid = 0 } = bystander;
    const holder = { hostname: hostname(), pid, start_ticks: processStartTicks(pid), command: 'torc run', since: 'x' };
    const path = join(place.dir, 'holder.json');
    writeFileSync(path, JSON.stringify({ ...holder, nonce: 'n' }), { mode: 0o600 });
    const ended = await place.torc('workflows', 'list');
    expect(ended).toMatchObject({ code: 5, stdout: '' });
    expect(ended.stderr).toContain(`(pid ${pid}, `);
    expect(ended.stderr).not.toContain('kill');
    rmSync(path);
  } finally {
    bystander.kill('SIGKILL');
  }
});

it('a file with another name elsewhere is not written to', async () => {
  await place.create('true');
  linkSync(bait, join(place.dir, 'server.log'));
  const ended = await place.torc('server', 'start', '--daemon');
  expect(ended).toMatchObject({ code: 4, stdout: '' });
  expect(ended.stderr).toContain('server.log has another name as well');
  expect(statSync(bait).mode & 0o777).toBe(0o644);
  expect(readFileSync(bait, 'utf8')).toBe('text of the owner\n');
});
