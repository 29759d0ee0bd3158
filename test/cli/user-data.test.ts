// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in commands are written like that
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mainJs } from '../support/torc.ts';
import { newPlace, type Place } from './place.ts';

const odd = {
  variable: '${user_data.output.again}',
  "it's": ['"quoted"', '$HOME `id` \\', 'two\nlines\ttab', '名前 🚀', null, 1e-7, false, {}],
};
const torcInJob = `'${process.execPath}' '${mainJs}'`;

let place: Place;
beforeAll(async () => {
  place = newPlace();
  const spec = {
    name: 'data',
    env: { SHARED: 'x' },
    user_data: [
      { name: 'given', data: odd },
      { name: 'made' },
      { name: '2', data: 'named two' },
      { name: 'direct' },
      { name: 'again' },
    ],
    resource_requirements: [{ name: 'small', num_cpus: 1, memory: '512m' }],
    jobs: [
      {
        name: 'make',
        command: `printf %s '\${user_data.input.given}' > given.json && ${torcInJob} user-data set made --file given.json`,
        output_user_data: ['made'],
        resource_requirements: 'small',
      },
      {
        name: 'read',
        command: `${torcInJob} user-data get made > got.json && cat got.json`,
        input_user_data: ['made'],
      },
      { name: 'write', command: `printf %s '\${user_data.input.given}' > "\${user_data.output.direct}"` },
      { name: 'pass on', command: `printf %s '\${user_data.input.direct}' > "\${user_data.output.again}"` },
    ],
  };
  await place.json(['run', place.file('w.json', JSON.stringify(spec)), '-o', 'out']);
});
afterAll(() => place.remove());

async function show(name: string): Promise<unknown> {
  return JSON.parse((await place.torc('user-data', 'show', name)).stdout);
}

describe('user data', () => {
  it('goes through the shell, a file and the database of real jobs unchanged', async () => {
    for (const name of ['made', 'direct', 'again']) expect(await show(name)).toEqual(odd);
    const { jobs } = await place.json<{ jobs: unknown[] }>(['jobs', 'list']);
    expect(jobs).toMatchObject(Array(4).fill({ return_code: 0 }));
  });

  it('is listed with its version; a name counts before a key', async () => {
    expect(await place.json(['user-data', 'list', '-f', 'name=made'])).toEqual({
      user_data: [{ user_data_key: '2', workflow_key: '1', name: 'made', is_ephemeral: false, version: 1, data: odd }],
    });
    expect(await show('2')).toBe('named two');
    expect(await show('1')).toEqual(odd);
  });

  it('is counted and shown in a dry run of its specification', async () => {
    const plan = ['workflows', 'create', 'w.json', '--dry-run', '--show-jobs'];
    expect(await place.json(plan)).toMatchObject({
      user_data: 5,
      stages: 2,
      job_list: [
        { name: 'make', input_user_data: ['given'], output_user_data: ['made'] },
        { name: 'read', depends_on: ['make'], input_user_data: ['made'], output_user_data: [] },
        { name: 'write', input_user_data: ['given'], output_user_data: ['direct'] },
        { name: 'pass on', depends_on: ['write'] },
      ],
    });
  });

  it('is replaced from an option, a file and standard input, and keeps its version when unchanged', async () => {
    expect(await place.json(['user-data', 'modify', 'made', '--data', ' [1, "é"]'])).toMatchObject({
      is_changed: true,
      version: 2,
    });
    const file = place.file('next.json', '\ufeff[1,\n"\\u00e9"]\n');
    expect(await place.json(['user-data', 'set', 'made', '--file', file])).toMatchObject({
      is_changed: false,
      version: 2,
    });
    const input = '{"from": "a pipe"}';
    const piped = spawnSync(process.execPath, [mainJs, '--dir', place.dir, 'user-data', 'set', 'made', '-'], { input });
    expect(piped.status).toBe(0);
    expect(await show('made')).toEqual({ from: 'a pipe' });
    await place.json(['user-data', 'modify', 'made', '--data', 'null', '--ephemeral']);
    expect((await place.torc('user-data', 'get', 'made')).stdout).toBe('null\n');
    expect(await place.json(['user-data', 'list', '-f', 'name=made'])).toMatchObject({
      user_data: [{ is_ephemeral: true, data: null }],
    });
  });

  it('that no job uses can be added and deleted', async () => {
    const name = "--it's $new";
    expect(await place.json(['user-data', 'add', '--data', '[]', '--', name])).toMatchObject({ name, data: [] });
    expect((await place.torc('user-data', 'add', '--data', '[]', '--', name)).code).toBe(4);
    expect(await place.json(['user-data', 'delete', '--', name])).toMatchObject({ name });
    expect((await place.torc('user-data', 'delete', '--', name)).code).toBe(3);
  });

  it.each([
    [['set', 'given', '--data', '{"a": }'], 2, '--data:1:7: found "}", expected a value'],
    [['set', 'given', '--data', '[1] 2'], 2, '--data:1:5:'],
    [['set', 'given', '--data', ''], 2, '--data:1:1: the text ends early'],
    [['set', 'given', '--data', `${'['.repeat(200)}${']'.repeat(200)}`], 2, 'nested deeper than 100 levels'],
    [['set', 'given', '--file', 'nowhere.json'], 3, 'there is no file nowhere.json'],
    [['set', 'given', '--file', '.'], 2, 'it is a directory'],
    [['set', 'given', '--data', '1', '-'], 2, 'one of --data, --file and -'],
    [['set', 'given', 'x'], 2, "unexpected argument 'x'"],
    [['set', 'given'], 2, 'no data were given'],
    [['show', 'givn'], 3, 'did you mean "given"?'],
    [['show', ''], 2, 'is empty'],
    [['delete', 'given'], 4, '"make" (key 1) reads it'],
  ])('refuses %j with %i', async (args, code, message) => {
    const ended = await place.torc('user-data', ...args);
    expect(ended).toMatchObject({ code, stdout: '' });
    expect(ended.stderr).toContain(message);
  });

  it('is unchanged after all errors', async () => {
    expect(await show('given')).toEqual(odd);
  });

  it('of more than a megabyte is rejected', async () => {
    const file = place.file('large.json', JSON.stringify('x'.repeat(1024 * 1024)));
    const ended = await place.torc('user-data', 'add', 'large', '--file', file);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('1048578 bytes') });
  });
});

describe('changing', () => {
  it('a job shows old and new values, and a dry run changes nothing', async () => {
    const args = ['jobs', 'modify', '2', '--command', "echo 'x'", '--priority', '-3', '--memory', '1g'];
    const plan = await place.json<{ dry_run: boolean; changes: { field: string }[] }>([...args, '--dry-run']);
    expect(plan).toMatchObject({ dry_run: true, job_name: 'read' });
    expect(plan.changes.map(({ field }) => field)).toEqual(['command', 'priority', 'memory_bytes']);
    expect(await place.json(args)).toEqual({ ...plan, dry_run: false });
    expect(await place.json(['jobs', 'list', '-f', 'job_key=2'])).toMatchObject({
      jobs: [{ command: "echo 'x'", priority: -3, memory_bytes: 1024 ** 3 }],
    });
    expect((await place.torc(...args)).stdout).toContain('already has these values');
  });

  it('how a job starts shows in jobs show; an empty value or --unset-env takes it away', async () => {
    const args = ['jobs', 'modify', '2', '--env', 'MODE=slow', '--env', 'N=1', '--stdio', 'none', '--cwd', 'runs/2'];
    const { stdout } = await place.torc(...args);
    expect(stdout).toMatch(/^stdio +- +none\ncwd +- +runs\/2\nchanged job 2 \(read\)$/m);
    const shown = (await place.torc('jobs', 'show', '2')).stdout;
    expect(shown).toMatch(/^env: +\{"SHARED":"x","MODE":"slow","N":"1"\}\nstdio: +none\ncwd: +runs\/2$/m);
    await place.torc('jobs', 'modify', '2', '--unset-env', 'N', '--stdio', '', '--cwd', '');
    expect(await place.json(['jobs', 'show', '2'])).toMatchObject({ env: { MODE: 'slow', SHARED: 'x' }, launch: {} });
  });

  it('resource requirements works by name', async () => {
    const args = ['resource-requirements', 'modify', 'small', '--cpus', '2', '--runtime', 'PT10M'];
    expect((await place.torc(...args)).stdout).toContain('used by 1 job');
    expect(await place.json(['jobs', 'list', '-f', 'job_key=1'])).toMatchObject({
      jobs: [{ num_cpus: 2, runtime_seconds: 600, resource_requirements: 'small' }],
    });
  });

  it.each([
    [['jobs', 'modify', '1'], 2, 'no changes were given'],
    [['jobs', 'modify', 'maek', '--priority', '1'], 3, 'has no job "maek"; did you mean "make"?'],
    [['jobs', 'modify', '99', '--priority', '1'], 3, 'there is no job 99'],
    [['jobs', 'modify', '1', '--name', 'read'], 4, 'already has the name "read"'],
    [['jobs', 'modify', '1', '--command', ' '], 2, 'is empty'],
    [['jobs', 'modify', '1', '--command', 'cat ${files.input.gvien}'], 2, 'no input file "gvien"'],
    [['jobs', 'modify', '1', '--gpus', '1.5'], 2, '1.5 is not a number of GPUs'],
    [['jobs', 'modify', '1', '--stdio', 'file'], 2, 'Allowed choices are files, combined,'],
    [['jobs', 'modify', '1', '--env', '1=x'], 2, 'the name of an environment variable is'],
    [['jobs', 'modify', '1', '--env', 'A=1', '--unset-env', 'A'], 2, '--env and --unset-env both name A'],
    [['jobs', 'modify', '1', '--unset-env', 'SHARED'], 2, 'job "make" has the variable SHARED from its workflow'],
    [['jobs', 'modify', 'm[ab]ke', '--priority', '1'], 3, 'brackets have no special meaning here, only * and ?'],
    [['jobs', 'modify', '1', '--supports-termination', 'maybe'], 2, 'is not true or false'],
    [['resource-requirements', 'modify', 'smal', '--cpus', '1'], 3, 'did you mean "small"?'],
    [['resource-requirements', 'modify', 'small', '--memory', '512'], 2, 'too little for any job'],
  ])('refuses %j with %i', async (args, code, message) => {
    const ended = await place.torc(...args);
    expect(ended).toMatchObject({ code, stdout: '' });
    expect(ended.stderr).toContain(message);
  });
});
