/** The base directory of a workflow: fixed when it is created, whatever directory later commands are typed in. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeSlurm } from '../fake-slurm/fake-slurm.ts';
import { torc } from '../support/torc.ts';
import { newPlace, type Place } from './place.ts';

let place: Place;
let elsewhere: string;
beforeEach(() => {
  place = newPlace();
  elsewhere = join(place.path, 'elsewhere');
  mkdirSync(elsewhere);
});
afterEach(() => place.remove());

const inElsewhere = (...args: string[]) => torc(['--dir', place.dir, ...args], { cwd: elsewhere });

const chain = JSON.stringify({
  name: 'chain',
  jobs: [
    { name: 'write', command: 'echo made > out.txt', output_files: ['out'] },
    { name: 'read', command: 'cat out.txt; pwd > pwd.txt; ls fixed', input_files: ['out'] },
  ],
  files: [{ name: 'out', path: 'out.txt' }],
});

describe('the base directory of a workflow', () => {
  it('is where jobs run and files are looked for, wherever a command is typed', async () => {
    await place.torc('run', place.file('s.json', chain));
    const again = await inElsewhere('jobs', 'run', '1');
    expect(again.stderr).toContain(`jobs run in ${place.path}, the base directory of workflow 1, not in ${elsewhere}`);
    const plan = await place.json<{ num_changes: number; base_directory: string }>(
      ['workflows', 'restart', '1', '-d'],
      7,
    );
    expect(plan).toMatchObject({ num_changes: 0, base_directory: place.path });
    rmSync(join(place.path, 'out.txt'));
    const restarted = await inElsewhere('workflows', 'restart', '1');
    expect(restarted.stderr).toBe(`2 of 2 done jobs run again because declared files are missing in ${place.path}\n`);
    await inElsewhere('jobs', 'run', '1');
    expect(readFileSync(join(place.path, 'pwd.txt'), 'utf8')).toBe(`${place.path}\n`);
    expect(existsSync(join(elsewhere, 'out.txt'))).toBe(false);
  });

  it('is changed only by a person, to a directory that exists, and only between workers', async () => {
    await place.create('pwd > here; until [ -e go ]; do sleep 0.05; done');
    expect(await place.torc('workflows', 'modify', '1', '--base-directory', 'nowhere')).toMatchObject({ code: 3 });
    const moved = await inElsewhere('workflows', 'modify', '1', '--base-directory', '.');
    expect(moved.stdout).toContain(elsewhere);
    await place.torc('workflows', 'start', '1');
    const run = place.start('jobs', 'run', '1');
    await expect.poll(() => existsSync(join(elsewhere, 'here'))).toBe(true);
    const refused = await place.torc('workflows', 'modify', '1', '--base-directory', '.');
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('has 1 active worker') });
    writeFileSync(join(elsewhere, 'go'), '');
    expect((await run.ended).code).toBe(0);
    rmSync(elsewhere, { recursive: true });
    const gone = await place.torc('jobs', 'run', '1');
    expect(gone).toMatchObject({ code: 3, stderr: expect.stringContaining(`there is no directory ${elsewhere}`) });
  });

  it('refuses what compares files while it is gone: nothing changes, and its new name lets the same command go on', async () => {
    mkdirSync(join(place.path, 'project'));
    const project = join(place.path, 'project');
    const at =
      (cwd: string) =>
      (...args: string[]) =>
        torc(['--dir', place.dir, ...args], { cwd });
    expect((await at(project)('run', place.file('s.json', chain))).code).toBe(1);
    renameSync(project, join(place.path, 'moved'));
    const before = await place.json(['jobs', 'list', '-k', '1']);
    for (const words of [
      ['workflows', 'restart', '1'],
      ['workflows', 'restart', '1', '--dry-run'],
      ['workflows', 'restart', '1', '--stop-running'],
      ['workflows', 'reset-status', '1', '--failed-only', '--restart'],
      ['workflows', 'reset-status', '1', '--restart', '--dry-run'],
    ]) {
      const refused = await place.torc(...words);
      expect(refused, words.join(' ')).toMatchObject({ code: 3, stdout: '' });
      expect(refused.stderr).toContain(`there is no directory ${project} on `);
      expect(refused.stderr).toContain(' workflows modify 1 --base-directory DIR');
    }
    expect(await place.json(['jobs', 'list', '-k', '1'])).toEqual(before);
    await place.torc('workflows', 'modify', '1', '--base-directory', 'moved');
    const reset = await place.json<{ num_changes: number }>(['workflows', 'reset-status', '1', '--failed-only', '-r']);
    expect(reset.num_changes).toBe(1);
  });

  it('is where the workers of allocations start', async () => {
    const fake = new FakeSlurm({});
    await place.create('true');
    await place.torc('workflows', 'start', '1');
    await place.torc('hpc', 'slurm', 'add-config', '-a', 'acc');
    const args = ['--dir', place.dir, 'hpc', 'slurm', 'schedule-nodes', '-n1', '--dry-run'];
    const planned = await torc(args, { cwd: elsewhere, env: fake.env as Record<string, string> });
    fake.remove();
    expect(planned.stdout).toContain(`cd -- '${place.path.replaceAll("'", `'\\''`)}'`);
    expect(planned.stderr).toContain('not in');
  });
});

it('the summary of a run names the stderr of each failed job where it is', async () => {
  await place.torc('run', place.file('s.json', chain));
  const { stdout } = await inElsewhere('jobs', 'run', '1');
  const [path] = stdout.match(/\/.*_attempt_1\.err/) ?? [''];
  expect(existsSync(path)).toBe(true);
});
