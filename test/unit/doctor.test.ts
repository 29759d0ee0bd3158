import { chmodSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lineOf } from '../../src/cli/actions/doctor.ts';
import { findingOf } from '../../src/cli/actions/doctor-checks.ts';
import { type CheckName, mountOf } from '../../src/cli/actions/doctor-findings.ts';
import { localLocks, softOption } from '../../src/cli/actions/doctor-mounts.ts';
import { fakeContext, fakeTerminal } from './cli-fakes.ts';

let place: string;
let env: Record<string, string>;

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'torc doctor '));
  env = { XDG_CONFIG_HOME: place, PATH: join(place, 'bin') };
  mkdirSync(join(place, 'bin'));
});
afterEach(() => rmSync(place, { recursive: true, force: true }));

const directory = () => join(place, 'server');
const find = (check: CheckName) => findingOf(check, fakeContext(fakeTerminal(), { dir: directory() }, env));

function program(name: string, text: string): void {
  writeFileSync(join(place, 'bin', name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(place, 'bin', name), 0o755);
}

it('a directory that is not there yet is ok', async () => {
  for (const check of ['directory', 'file system', 'locks', 'clock', 'database', 'server', 'slurm'] as const) {
    expect(await find(check), check).toMatchObject({ status: 'ok', advice: null });
  }
});

it('a database that is none, and a directory of others, are failures with advice', async () => {
  mkdirSync(directory());
  writeFileSync(join(directory(), 'torc.db'), 'this is no database '.repeat(100));
  expect(await find('database')).toMatchObject({ status: 'failed', advice: expect.stringContaining('server check') });
  chmodSync(directory(), 0o777);
  expect(await find('directory')).toMatchObject({ status: 'failed', advice: expect.stringMatching(/^chmod go-w/) });
});

it('only the header of a large database is read, which shows a newer version and a file that is cut off', async () => {
  mkdirSync(directory());
  const path = join(directory(), 'torc.db');
  const store = (sql: string) => {
    const database = new Sqlite(path);
    database.exec(sql);
    database.close();
  };
  store(
    'CREATE TABLE large (content BLOB); INSERT INTO large VALUES (zeroblob(17 * 1024 * 1024)); PRAGMA user_version = 1',
  );
  const sound = await find('database');
  expect(sound).toMatchObject({
    status: 'ok',
    found: expect.stringMatching(/^17\S*, schema version 1, .*server check$/),
  });
  store('PRAGMA user_version = 100000');
  expect(await find('database')).toMatchObject({ status: 'failed', advice: expect.stringContaining('newer torc') });
  truncateSync(path, 17 * 1024 * 1024);
  expect(await find('database')).toMatchObject({ status: 'failed', found: expect.stringContaining('shorter') });
  writeFileSync(path, 'this is no database '.repeat(1024 * 1024));
  expect(await find('database')).toMatchObject({ status: 'failed', found: expect.stringContaining('no SQLite') });
});

it('a mistake in a configuration file is a failure', async () => {
  mkdirSync(join(place, 'torc'));
  writeFileSync(join(place, 'torc', 'config.toml'), 'acount = "a"\n');
  expect(await find('config')).toMatchObject({ status: 'failed', found: expect.stringContaining('"account"') });
});

it('Slurm commands that are missing or do not answer are named with their own words', async () => {
  for (const name of ['sbatch', 'squeue', 'scancel', 'scontrol', 'sacct']) program(name, 'exit 0');
  expect(await find('slurm')).toMatchObject({ status: 'failed', found: 'sinfo not found, but others are' });
  program('sinfo', 'echo "slurm_load_partitions: Unable to contact slurm controller" >&2; exit 1');
  expect(await find('slurm')).toMatchObject({ status: 'failed', found: expect.stringContaining('Unable to contact') });
  program('sinfo', 'exit 0');
  program('sacct', 'echo "Slurm accounting storage is disabled" >&2; exit 1');
  expect(await find('slurm')).toMatchObject({ status: 'warning', found: expect.stringContaining('is disabled') });
});

it('the mount of a path is the deepest one that has it', () => {
  expect(mountOf('/proc/self')).toMatchObject({ type: 'proc', point: '/proc' });
  expect(mountOf('/')).toMatchObject({ point: '/' });
});

describe('the options of a mount', () => {
  const mount = (type: string, options: string) => ({ type, options, point: '/shared' });

  it('say whether other hosts see its locks', () => {
    // as /proc/mounts has them
    expect(localLocks(mount('nfs', 'rw,relatime,vers=3,hard,nolock,proto=tcp,local_lock=all'))).toBe('nolock');
    expect(localLocks(mount('nfs', 'rw,vers=3,hard,local_lock=posix'))).toBe('local_lock=posix');
    expect(localLocks(mount('nfs', 'rw,vers=3,hard,local_lock=flock'))).toBe(null);
    expect(localLocks(mount('nfs4', 'rw,relatime,vers=4.2,hard,local_lock=none'))).toBe(null);
    expect(localLocks(mount('lustre', 'rw,checksum,localflock,lazystatfs'))).toBe('localflock');
    expect(localLocks(mount('lustre', 'rw,checksum,flock,lazystatfs'))).toBe(null);
    expect(localLocks(mount('cifs', 'rw,vers=3.1.1,nobrl'))).toBe('nobrl');
    expect(localLocks(mount('ext4', 'rw,nolock'))).toBe(null);
  });

  it('say whether a server that is away is waited for', () => {
    expect(softOption(mount('nfs4', 'rw,vers=4.2,soft,timeo=600'))).toBe('soft');
    expect(softOption(mount('nfs4', 'rw,vers=4.2,softerr,timeo=600'))).toBe('softerr');
    expect(softOption(mount('nfs4', 'rw,vers=4.2,hard,softreval'))).toBe(null);
    expect(softOption(mount('ext4', 'rw,soft'))).toBe(null);
  });
});

it('a quota is looked at with the command of the system, where there is one', async () => {
  expect(await find('quota')).toEqual({ status: 'ok', found: 'not known: there is no command quota', advice: null });
  program('quota', '[ "$1" = -q ] && echo "no daemon" >&2 && exit 1');
  expect(await find('quota')).toMatchObject({ status: 'ok', found: 'not known: no daemon' });
  program('quota', 'exit 0');
  expect(await find('quota')).toMatchObject({ status: 'ok', found: 'not used up' });
  program('quota', 'echo "Disk quotas for user:"; echo "Over block limit on   /home"; exit 1');
  const found = 'Disk quotas for user: Over block limit on /home';
  expect(await find('quota')).toMatchObject({ status: 'warning', found, advice: expect.stringMatching(/^Remove/) });
});

it('what is wider than the terminal goes on below itself; a command stays whole, and so does what goes elsewhere', () => {
  const command = `torc --dir ${'/long'.repeat(20)} server start --daemon`;
  const line = Array(11).fill('word').join(' ');
  const found = `${line} ${line}`;
  const finding = { check: 'server', status: 'warning', found, advice: `Start one here: ${command}` } as const;
  const indent = ' '.repeat(22);
  expect(lineOf(finding, { terminal: fakeTerminal(true) })).toBe(
    `warning  server       ${line}\n${indent}${line}\n${indent}Start one here:\n${indent}${command}\n`,
  );
  expect(lineOf(finding, { terminal: fakeTerminal(false) })).toBe(
    `warning  server       ${found}\n${indent}Start one here: ${command}\n`,
  );
});
