/**
 * A project directory in which others may write: what another user prepares there is neither run, nor followed, nor
 * waited for. The attacks are carried out by a process of another user.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newPlace, type Place } from '../cli/place.ts';
import { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { asOtherUser, canBeOtherUser, startAsOtherUser } from './as-other-user.ts';

let slurm: FakeSlurm;
let place: Place;

beforeEach(() => {
  slurm = new FakeSlurm();
  place = newPlace(slurm.env);
  chmodSync(place.path, 0o755);
  mkdirSync(join(place.path, 'project'));
  chmodSync(join(place.path, 'project'), 0o777);
});
afterEach(async () => {
  await place.remove();
  slurm.remove();
});

/** Puts an own script into the place of every other one, as soon as it appears. */
const exchangeScripts = `
  const fs = require('fs'), dir = process.argv[1];
  for (;;) for (const name of fs.readdirSync(dir)) {
    try {
      if (fs.statSync(dir + '/' + name).uid === process.getuid()) continue;
      fs.writeFileSync(dir + '/evil', '#!/bin/bash\\n#SBATCH --job-name=evil\\n');
      fs.renameSync(dir + '/evil', dir + '/' + name);
    } catch {}
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
  }`;

describe.skipIf(!canBeOtherUser)('another user', () => {
  it('cannot have their own script submitted from a folder that they prepared', async () => {
    const output = join(place.path, 'project', 'out');
    const scripts = join(output, 'slurm_scripts');
    const prepared = await asOtherUser('sh', ['-c', `umask 0; mkdir -p '${scripts.replaceAll("'", `'\\''`)}'`]);
    expect(prepared).toMatchObject({ code: 0, stderr: '' });
    const attacker = await startAsOtherUser(exchangeScripts, [scripts]);
    try {
      const key = await place.create('true');
      await place.torc('hpc', 'slurm', 'add-config', '-N', 'c', '-a', 'acc', '-k', key);
      await place.torc('workflows', 'start', key);
      // time enough for the attacker
      slurm.behave({ command: 'sbatch', delayMs: 1_000, times: 2, instead: false });
      const ended = await place.torc(
        '-k',
        key,
        'hpc',
        'slurm',
        'schedule-nodes',
        '-n',
        '2',
        '--keep-scripts',
        '-o',
        output,
      );
      expect(ended).toMatchObject({ code: 0 });
      expect(ended.stderr).toContain('the output of jobs can be replaced by others');
    } finally {
      attacker.kill('SIGKILL');
    }
    expect(slurm.jobs().map(({ name }) => name)).toEqual([
      expect.stringMatching(/^worker_/),
      expect.stringMatching(/^worker_/),
    ]);
    expect(readdirSync(scripts)).toEqual([]);
    // Slurm would follow links in a folder of theirs
    for (const { directives } of slurm.jobs()) expect(directives.output).toContain(join(place.dir, 'slurm_stdio'));
  });
});

describe('a server directory in a project directory', () => {
  it('is refused where others could put another one in its place, unless the user trusts them', async () => {
    const dir = join(place.path, 'project', 'torc');
    const create = ['--dir', dir, 'workflows', 'create', place.file('commands.txt', 'true\n')];
    const refused = await place.torc(...create);
    expect(refused).toMatchObject({ code: 4, stdout: '' });
    expect(refused.stderr).toContain(
      `is not safe: other users can write to ${join(place.path, 'project')} (mode 0777)`,
    );
    expect(existsSync(dir)).toBe(false);
    const trusting = newPlace({ TORC_STRICT_MODES: 'no' });
    try {
      expect(await trusting.torc(...create)).toMatchObject({ code: 0, stderr: '' });
      expect(await place.torc('--dir', dir, 'workflows', 'list')).toMatchObject({ code: 4, stdout: '' });
    } finally {
      await trusting.remove();
    }
  });
});

it('a server directory that the system refuses to make is an error at once', async () => {
  const ended = await place.torc('--dir', '/proc/torc', 'server', 'start', '--daemon');
  expect(ended).toMatchObject({ code: 5, stdout: '' });
  expect(ended.stderr).toContain('cannot use the server directory /proc/torc (ENOENT)');
});
