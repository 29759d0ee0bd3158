/** Root in the server directory of another user, who could not use what root leaves there. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newPlace, type Place } from '../cli/place.ts';
import { type Ended, mainJs } from '../support/torc.ts';
import { asOtherUser, canBeOtherUser, otherUserId } from './as-other-user.ts';

/** `nobody` on most systems. */
const otherName = execFileSync('id', ['-nu', String(otherUserId)], { encoding: 'utf8' }).trim();

let place: Place;
let home: string;
let commands: string;

beforeEach(() => {
  place = newPlace();
  chmodSync(place.path, 0o755);
  home = join(place.path, 'home');
  mkdirSync(home);
  chownSync(home, otherUserId, otherUserId);
  commands = place.file('commands.txt', 'true\n');
});
afterEach(() => place.remove());

function user(dir: string, ...words: string[]): Promise<Ended> {
  return asOtherUser(process.execPath, [mainJs, '--dir', dir, ...words]);
}

/** Every path below the directory of the user, with its owner and what tells whether it was written. */
function everything(): string[] {
  return readdirSync(home, { recursive: true })
    .map((path) => join(home, String(path)))
    .map((path) => ({ path, found: lstatSync(path) }))
    .map(({ path, found }) => `${path} ${found.uid} ${found.size} ${found.ctimeMs}`)
    .sort();
}

describe.skipIf(!canBeOtherUser)('root', () => {
  it('is refused by every command in the server directory of a user, and writes nothing', async () => {
    const dir = join(home, 'torc');
    expect(await user(dir, 'workflows', 'create', commands)).toMatchObject({ code: 0, stderr: '' });
    const before = everything();
    const lines = [
      ['workflows', 'list'],
      ['workflows', 'create', commands],
      ['run', commands, '-o', join(home, 'out')],
      ['server', 'start', '--daemon'],
      ['server', 'start'],
      ['server', 'stop'],
      ['server', 'info'],
      ['server', 'check'],
      ['server', 'backup', join(home, 'backup.db')],
      ['hpc', 'slurm', 'schedule-nodes', '-n', '1', '-o', join(home, 'out')],
    ];
    for (const line of lines) {
      const ended = await place.torc('--dir', dir, ...line);
      expect([line, ended]).toMatchObject([line, { code: 4, stdout: '' }]);
      expect(ended.stderr).toContain(`error: the server directory ${dir} belongs to ${otherName} (uid ${otherUserId})`);
      expect(ended.stderr).toContain(`hint: Run torc as its owner (sudo -u ${otherName} torc ..)`);
    }
    expect(everything()).toEqual(before);
    expect(await user(dir, 'server', 'start', '--daemon')).toMatchObject({ code: 0, stderr: '' });
    // a server of the user changes nothing about it
    expect(await place.torc('--dir', dir, 'workflows', 'list')).toMatchObject({ code: 4, stdout: '' });
    expect(await user(dir, 'server', 'stop')).toMatchObject({ code: 0 });
  });

  it('makes no server directory in a directory of a user', async () => {
    const dir = join(home, 'new');
    const ended = await place.torc('--dir', dir, 'run', commands, '-o', join(home, 'out'));
    expect(ended).toMatchObject({ code: 4, stdout: '' });
    expect(ended.stderr).toContain(`${home} belongs to another user (uid ${otherUserId})`);
    expect(ended.stderr).toContain(`sudo -u ${otherName} torc ..`);
    expect(everything()).toEqual([]);
  });

  it('uses a directory of its own', async () => {
    expect(await place.torc('workflows', 'create', commands)).toMatchObject({ code: 0, stderr: '' });
    expect(existsSync(join(place.dir, 'torc.db'))).toBe(true);
  });
});

describe.skipIf(!canBeOtherUser)('what root has left in the server directory of a user', () => {
  it('files: the user is told whose they are and how they come back', async () => {
    const dir = join(home, 'torc');
    expect(await user(dir, 'server', 'start', '--daemon')).toMatchObject({ code: 0 });
    expect(await user(dir, 'server', 'stop')).toMatchObject({ code: 0 });
    for (const name of ['key.pem', 'server.json', 'epoch', 'server.log', 'server.jsonl', 'holder.json', 'torc.db']) {
      const path = join(dir, name);
      const isNew = !existsSync(path);
      if (isNew) place.file(join('home', 'torc', name), '');
      // as root's torc would have made it
      chownSync(path, 0, 0);
      chmodSync(path, 0o600);
      for (const line of [
        ['server', 'start', '--daemon'],
        ['workflows', 'list'],
      ]) {
        const ended = await user(dir, ...line);
        expect([name, line, ended]).toMatchObject([name, line, { code: 4, stdout: '' }]);
        expect(ended.stderr).toContain(`error: ${path} belongs to root, and only root can use it`);
        expect(ended.stderr).toContain(`hint: Let root give it back to you: sudo chown -R ${otherName}: `);
      }
      if (isNew) rmSync(path);
      else chownSync(path, otherUserId, otherUserId);
    }
  });

  it('the whole directory: it may be another one than the user means', async () => {
    const dir = join(home, 'torc');
    mkdirSync(dir, { mode: 0o700 });
    for (const line of [
      ['server', 'start', '--daemon'],
      ['workflows', 'list'],
    ]) {
      const ended = await user(dir, ...line);
      expect(ended).toMatchObject({ code: 4, stdout: '' });
      expect(ended.stderr).toContain(`error: the server directory ${dir} belongs to root, and only root can use it`);
    }
  });

  it('is usable after the command of the hint', async () => {
    const dir = join(home, 'torc');
    expect(await user(dir, 'workflows', 'create', commands)).toMatchObject({ code: 0, stderr: '' });
    chownSync(join(dir, 'torc.db'), 0, 0);
    const { stderr } = await user(dir, 'server', 'start', '--daemon');
    const [, command = ''] = /^hint: .*: sudo (chown .*)$/m.exec(stderr) ?? [];
    execFileSync('sh', ['-c', command]);
    expect(await user(dir, 'server', 'start', '--daemon')).toMatchObject({ code: 0, stderr: '' });
    expect(await user(dir, 'server', 'stop')).toMatchObject({ code: 0 });
  });
});
