// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in commands are written like that
/** What a workflow reads from outside of it, and what others write too. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { newPlace, type Place } from './place.ts';

let place: Place;
beforeEach(() => {
  place = newPlace({ SCR: '' });
});
afterEach(() => place.remove());

const reader = JSON.stringify({
  name: 'reader',
  jobs: [{ name: 'read', command: 'echo "${user_data.input.d}"', input_files: ['in'] }],
  files: [{ name: 'in', path: 'in.txt' }],
  user_data: [{ name: 'd' }],
});

describe('inputs that no job writes and that are missing', () => {
  const missing = 'missing: user data d, needed by read; input file in (in.txt), needed by read';

  it('are warned of when a workflow is created, and refused when it starts, unless told to', async () => {
    const created = await place.torc('workflows', 'create', place.file('s.json', reader));
    expect(created.stderr).toContain('missing: input file in (in.txt), needed by read; user data d, needed by read');
    expect(created.code).toBe(0);
    const refused = await place.torc('workflows', 'start', '1');
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining(missing) });
    expect(await place.json(['workflows', 'show', '1'])).toMatchObject({ run_id: 0 });
    expect(await place.torc('workflows', 'start', '1', '-i')).toMatchObject({ code: 0 });
  });

  it('are fine once they are there', async () => {
    await place.torc('workflows', 'create', place.file('s.json', reader));
    place.file('in.txt', '');
    const { user_data } = await place.json<{ user_data: { user_data_key: string }[] }>([
      'user-data',
      'list',
      '-k',
      '1',
    ]);
    await place.torc('user-data', 'modify', user_data[0]?.user_data_key ?? '', '--data', '1');
    expect(await place.torc('workflows', 'start', '1')).toMatchObject({ code: 0, stderr: '' });
  });

  it('keep torc run from storing anything, unless told to', async () => {
    const spec = place.file('s.json', reader);
    expect(await place.torc('run', spec)).toMatchObject({ code: 3, stdout: '' });
    expect(existsSync(join(place.dir, 'torc.db'))).toBe(false);
    expect(await place.torc('run', spec, '-i')).toMatchObject({ code: 0 });
  });
});

it('a run warns of running workflows that write the same files, under whatever names', async () => {
  const command = 'touch out elsewhere ready; until [ -e go ]; do sleep 0.05; done';
  const spec = (name: string, path: string) => {
    const jobs = [{ name: 'a', command, output_files: [`${name} f`] }];
    return place.file(`${name}.json`, JSON.stringify({ name, jobs, files: [{ name: `${name} f`, path }] }));
  };
  const first = place.start('run', spec('twice', 'out'));
  await expect.poll(() => existsSync(join(place.path, 'ready'))).toBe(true);
  const again = place.start('run', spec('twice', 'out'));
  const alike = place.start('run', spec('alike', `${place.path}/./out`));
  const apart = place.start('run', spec('apart', 'elsewhere'));
  const runs = async () =>
    (await place.json<{ workflows: unknown[] }>(['workflows', 'list', '-f', 'run_id=1'])).workflows;
  await expect.poll(runs).toHaveLength(4);
  place.file('go', '');
  const words = `workflow 1 (twice) has not ended and writes the same files, such as ${join(place.path, 'out')}`;
  const ended = await Promise.all([first, again, alike, apart].map((each) => each.ended));
  expect(ended.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  const warned = ended.map(({ stderr }) => stderr.includes(words));
  expect(warned).toEqual([false, true, true, false]);
});

it('paths with variables and ~ are fixed when a workflow is created, for torc and the shell alike', async () => {
  const spec = JSON.stringify({
    name: 's',
    jobs: [{ name: 'a', command: 'SCR=/other; echo made > ${files.output.f}' }],
    files: [{ name: 'f', path: '$SCR/x' }],
  });
  const unset = await place.torc('run', place.file('s.json', spec));
  expect(unset).toMatchObject({ code: 2, stderr: expect.stringContaining('the variable SCR is not set here') });
  const scratch = mkdtempSync(join(tmpdir(), 'torc-scratch-'));
  onTestFinished(() => rmSync(scratch, { recursive: true }));
  const other = newPlace({ SCR: scratch });
  const made = await other.torc('run', other.file('s.json', spec));
  expect(made.stderr).toContain(`file "f": "$SCR/x" is ${join(scratch, 'x')}`);
  expect(made.code).toBe(0);
  expect(readFileSync(join(scratch, 'x'), 'utf8')).toBe('made\n');
  await other.remove();
});

it('a job that is added by the other name of a path waits for its writer, and is no second one', async () => {
  const spec = JSON.stringify({
    name: 's',
    jobs: [{ name: 'write', command: 'echo made > out', output_files: ['f'] }],
    files: [
      { name: 'f', path: 'out' },
      { name: 'g', path: './out' },
    ],
  });
  await place.torc('workflows', 'create', place.file('s.json', spec));
  const second = await place.torc('jobs', 'add', 'again', '--output-file', 'g', '--command', 'true');
  expect(second).toMatchObject({ code: 4, stderr: expect.stringContaining('job 1 ("write") already writes the file') });
  await place.torc('jobs', 'add', 'listed', '--input-file', 'g', '--command', 'cat out');
  await place.torc('jobs', 'add', 'named', '--command', 'cat ${files.input.g}');
  await place.torc('workflows', 'start', '1');
  const { jobs } = await place.json<{ jobs: { name: string; status: string }[] }>(['jobs', 'list']);
  expect(jobs.map(({ name, status }) => [name, status])).toEqual([
    ['write', 'ready'],
    ['listed', 'blocked'],
    ['named', 'blocked'],
  ]);
});

describe('a specification without jobs', () => {
  it('is stored with a warning, and neither run nor started', async () => {
    const spec = place.file('s.json', JSON.stringify({ name: 'none', jobs: [] }));
    for (const command of ['run', 'submit']) {
      const refused = await place.torc(command, spec);
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('has no jobs, so nothing would run') });
    }
    const created = await place.torc('workflows', 'create', spec);
    expect(created).toMatchObject({ code: 0, stderr: 'the workflow has no jobs; it can start once some are added\n' });
    const refused = await place.torc('workflows', 'start', '1');
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('workflow 1 has no jobs') });
  });
});

it('the walltime of a Slurm config is told wherever one is made', async () => {
  const schedulers = [{ name: 'short', account: 'acc' }];
  const spec = place.file('s.json', JSON.stringify({ name: 's', jobs: [], slurm_schedulers: schedulers }));
  const dry = await place.torc('workflows', 'create', spec, '--dry-run');
  expect(dry.stdout).toContain('Slurm config short: walltime 01:00:00\n');
  const created = await place.torc('workflows', 'create', spec);
  expect(created.stdout).toContain('Slurm config short: walltime 01:00:00\n');
  const added = await place.torc('hpc', 'slurm', 'add-config', '-a', 'acc', '-N', 'long');
  expect(added.stdout).toContain('(long, walltime 04:00:00) to workflow 1');
});
