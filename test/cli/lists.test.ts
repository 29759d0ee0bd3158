import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mainJs } from '../support/torc.ts';
import { newPlace, type Place } from './place.ts';

const oddNames = ['a b', 'it\'s "x"', '$HOME', 'comma,here', 'grün 日本', '--dash', 'line\nbreak', '\x1b[31mred'];

let place: Place;
beforeAll(async () => {
  place = newPlace();
  const jobs = oddNames.map((name, at) => ({ name, command: `exit ${at % 3}` }));
  const files = [{ name: 'data', path: '/data/in put.csv' }];
  const needs = [{ name: 'small', num_cpus: 1, memory: '1g', runtime: 'PT10M' }];
  const spec = { name: 'odd', jobs, files, resource_requirements: needs };
  await place.torc('run', place.file('odd.json', JSON.stringify(spec)), '-o', 'out');
});
afterAll(() => place.remove());

describe('lists', () => {
  it.each([
    [
      ['workflows', 'list'],
      'workflows',
      ['workflow_key', 'name', 'args', 'user', 'run_id', 'status', 'num_jobs', 'num_done', 'num_failed'],
    ],
    [
      ['jobs', 'list'],
      'jobs',
      ['job_key', 'name', 'status', 'outcome', 'return_code', 'cause', 'orphaned', 'attempt_id'],
    ],
    [
      ['results', 'list'],
      'results',
      [
        'job_key',
        'job_name',
        'run_id',
        'attempt_id',
        'return_code',
        'cause',
        'start_time',
        'end_time',
        'exec_time_seconds',
      ],
    ],
    [['compute-nodes', 'list'], 'compute_nodes', ['compute_node_key', 'hostname', 'is_active']],
    [['events', 'list'], 'events', ['event_key', 'timestamp', 'type']],
    [['files', 'list'], 'files', ['file_key', 'name', 'path']],
    [['resource-requirements', 'list'], 'resource_requirements', ['name', 'num_cpus', 'memory_bytes']],
  ])('%j as JSON has the promised columns and string keys', async (args, plural, columns) => {
    const value = await place.json<Record<string, Record<string, unknown>[]>>(args);
    const [first = {}] = value[plural] ?? [];
    expect(Object.keys(value)).toEqual([plural]);
    for (const column of columns) expect(Object.keys(first)).toContain(column);
    for (const [column, field] of Object.entries(first)) {
      if (column.endsWith('_key') && field !== null) expect(field, column).toMatch(/^[1-9][0-9]*$/);
    }
  });

  it('choose the jobs of a reset: those that failed with one code, and no others', async () => {
    const { changes } = await place.json<{ changes: { job_name: string }[] }>([
      ...['jobs', 'reset-status', '--failed', '-f', 'return_code=2', '--dry-run'],
    ]);
    expect(changes.map(({ job_name }) => job_name)).toEqual(oddNames.filter((_, at) => at % 3 === 2));
    expect(await place.torc('jobs', 'reset-status', '--return-code', '77')).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/^error: no job of workflow 1 has return_code=77\n/),
    });
    const failed = await place.torc('jobs', 'list', '--failed');
    expect(failed.stderr).toContain(`jobs logs KEY`);
  });

  it('keeps every name unchanged in JSON', async () => {
    const { jobs } = await place.json<{ jobs: { name: string }[] }>(['jobs', 'list']);
    expect(jobs.map((job) => job.name)).toEqual(oddNames);
  });

  it('combines filters with and, also filters for missing values', async () => {
    const failed = await place.json<{ results: { job_key: string }[] }>(['results', 'list', '-f', 'return_code=1']);
    expect(failed.results.map((result) => result.job_key)).toEqual(['2', '5', '8']);
    const both = await place.json<{ jobs: unknown[] }>(['jobs', 'list', '-f', 'return_code=1', '-f', 'name=it\'s "x"']);
    expect(both.jobs).toHaveLength(1);
    expect((await place.json<{ jobs: unknown[] }>(['jobs', 'list', '-f', 'status=ready'])).jobs).toEqual([]);
    expect((await place.json<{ jobs: unknown[] }>(['jobs', 'list', '-f', 'slurm_job_id='])).jobs).toHaveLength(8);
  });

  it('sorts, skips and limits', async () => {
    const list = ['jobs', 'list', '--sort-by', 'return_code', '--reverse-sort', '-l', '3', '-s', '1'];
    const { jobs } = await place.json<{ jobs: { job_key: string; return_code: number }[] }>(list);
    expect(jobs.map((job) => job.return_code)).toEqual([2, 1, 1]);
  });

  it('resumes events after any of them', async () => {
    const events = async (...more: string[]) =>
      (await place.json<{ events: { event_key: string }[] }>(['events', 'list', ...more])).events;
    const all = await events();
    expect(new Set(all.map(({ event_key }) => event_key)).size).toBe(all.length);
    expect(all.some(({ event_key }) => event_key.includes('.'))).toBe(true);
    for (const at of [0, Math.floor(all.length / 2), all.length - 1]) {
      expect(await events('--after', all[at]?.event_key as string)).toEqual(all.slice(at + 1));
    }
    expect((await events('--after', all[3]?.event_key as string, '-l', '2')).length).toBe(2);
    expect(await place.torc('events', 'list', '--after', 'x')).toMatchObject({ code: 2, stdout: '' });
  });

  it('prints text for awk: a header, one line per record, no control characters', async () => {
    const { stdout } = await place.torc('jobs', 'list');
    const sizes = [
      'jobs',
      'list',
      '--columns',
      'memory,name',
      '--sort-by',
      'memory',
      '-x',
      'name',
      '-f',
      'memory=1048576',
    ];
    // the heading of a size names its column
    expect((await place.torc(...sizes)).stdout).toMatch(/^memory\n +1M\n/);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(1 + oddNames.length);
    expect(lines[0]?.split(/ +/).slice(0, 3)).toEqual(['job_key', 'status', 'return_code']);
    expect(lines[7]).toMatch(/line\\nbreak$/);
    expect(stdout).not.toContain('\x1b');
  });

  it('prints CSV with a header, quoted where needed', async () => {
    const { stdout } = await place.torc('-F', 'csv', 'jobs', 'list', '--columns', 'name,job_key', '-l', '4');
    expect(stdout).toBe('name,job_key\na b,1\n"it\'s ""x""",2\n$HOME,3\n"comma,here",4\n');
  });

  it('ends quietly when its reader is gone', async () => {
    const child = spawn('bash', [
      '-c',
      'set -o pipefail; "$@" | head -1',
      'bash',
      process.execPath,
      mainJs,
      '--dir',
      place.dir,
      'events',
      'list',
    ]);
    let stderr = '';
    let stdout = '';
    child.stdout.on('data', (bytes) => (stdout += bytes));
    child.stderr.on('data', (bytes) => (stderr += bytes));
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect({ code, stderr, lines: stdout.split('\n').length }).toEqual({ code: 0, stderr: '', lines: 2 });
  });
});

describe('mistakes', () => {
  it.each([
    [['jobs', 'list', '-f', 'nme=x'], 2, 'usage', "no column 'nme'"],
    [['jobs', 'list', '--sort-by', 'name; DROP TABLE jobs'], 2, 'usage', 'no column'],
    [['jobs', 'list', '-k', '99'], 3, 'not_found', 'no workflow 99'],
    [['jobs', 'list', '-k', 'x'], 3, 'not_found', 'no workflow "x"'],
    [['jobs', 'lst'], 2, 'usage', 'lst'],
  ])(
    '%j ends with %i; JSON errors are one object on stderr, and stdout stays empty',
    async (args, exitCode, code, message) => {
      const ended = await place.torc('-F', 'json', ...args);
      expect(ended).toMatchObject({ code: exitCode, stdout: '' });
      const { error } = JSON.parse(ended.stderr);
      expect(error).toMatchObject({ code, message: expect.stringContaining(message), hint: expect.any(String) });
      expect((await place.torc(...args)).stderr).toMatch(/^error: .+\nhint: .+\n$/);
    },
  );

  it('rejects a value that the column cannot have', async () => {
    const ended = await place.torc('jobs', 'list', '-f', 'return_code=many');
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/^error: return_code .*many/) });
    const misspelt = await place.torc('jobs', 'list', '-f', 'status=redy');
    expect(misspelt).toMatchObject({ code: 2, stdout: '' });
    expect(misspelt.stderr).toMatch(
      /^error: status cannot be "redy"; did you mean "ready"\?\nhint: .*blocked, ready, /,
    );
    const loud = await place.torc('jobs', 'list', '-f', 'status=READY');
    expect(loud.stderr).toMatch(/^error: status cannot be "READY"; did you mean "ready"\?\n/);
    const other = await place.torc('jobs', 'list', '-f', 'status=faild');
    expect(other).toMatchObject({ code: 2, stdout: '' });
    expect(other.stderr).toMatch(
      /^error: status cannot be "faild"; did you mean "failed"\?\nhint: To list these: torc .*jobs list --failed\n$/,
    );
    for (const [list, word, command] of [
      ['jobs', 'failed', 'jobs list --failed'],
      ['jobs', 'COMPLETED', 'jobs list -f outcome=success'],
      ['jobs', 'pending', 'jobs list -f status=blocked,ready,submitted_pending'],
      ['results', 'failed', 'results list --failed'],
    ] as const) {
      const { code, stdout, stderr } = await place.torc(list, 'list', '-f', `status=${word}`);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toMatch(
        new RegExp(`^error: status cannot be "${word}"\nhint: To list these: torc .*${command}\n$`),
      );
      expect(await place.torc(...command.split(' '))).toMatchObject({ code: 0 });
    }
    for (const [list, filter] of [
      ['jobs', 'outcome=bla'],
      ['results', 'cause=omm'],
      ['workflows', 'status=bla'],
      ['events', 'new_status=bla'],
    ] as const) {
      expect(await place.torc(list, 'list', '-f', filter), filter).toMatchObject({ code: 2, stdout: '' });
    }
  });

  it('lists the existing columns', async () => {
    expect((await place.torc('jobs', 'list', '-f', 'nme=x')).stderr).toMatch(/hint: Columns: job_key, .*name, status/);
  });

  it('of several workflows a list takes the newest and says so, and a change lists them', async () => {
    const other = newPlace();
    await other.create('true');
    await other.create('true');
    expect(await other.torc('start')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('2 (commands); 1 (commands)'),
    });
    expect(await other.torc('jobs', 'list', '-F', 'csv')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^job_key.*\n2,2,/),
      stderr: 'using workflow 2 (commands), the newest of 2; choose another with -k\n',
    });
    expect(await other.torc('jobs', 'list', '1', '-F', 'csv')).toMatchObject({
      stdout: expect.stringMatching(/^job_key.*\n1,1,/),
      stderr: '',
    });
    for (const words of [
      ['jobs', 'list', '1-2'],
      ['jobs', 'list', '-k', 'last,1'],
    ]) {
      const { stdout, stderr } = await other.torc(...words, '-f', 'status=uninitialized');
      expect(stdout.replaceAll(/ +/g, ' ')).toMatch(/^workflow_key job_key status .*\n1 1 .*\n2 2 .*\n$/);
      expect(stderr).toBe('');
    }
    expect(await other.json(['jobs', 'list', 'commands'])).toMatchObject({ jobs: [{ workflow_key: '2' }] });
    for (const list of ['results', 'files', 'events', 'compute-nodes', 'actions', 'user-data', 'notifications'])
      expect(await other.torc(list, 'list', 'com*'), list).toMatchObject({ code: 0, stderr: '' });
    expect(await other.torc('jobs', 'list', '2', '--failed')).toMatchObject({ code: 0, stderr: '' });
    expect(await other.json(['status', '-k', 'last'])).toMatchObject({ workflow_key: '2' });
    expect(await other.torc('limits', 'list', '2')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('no limits'),
    });
    expect((await other.json<{ workflows: unknown[] }>(['list', '2-9,last'])).workflows).toHaveLength(1);
    expect(await other.json(['workflows', 'show', '-k', 'last'])).toMatchObject({ workflow_key: '2' });
    expect(await other.json(['workflows', 'start', 'last'])).toMatchObject({ workflow_key: '2' });
    await other.create('true');
    const pattern = await other.torc('cancel', 'com*');
    expect(pattern).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('1 (commands): ') });
    expect(pattern.stderr).toContain('would cancel 3 workflows; nothing was changed');
    const canceled = await other.json<{ plans: { workflow_key: string }[] }>(['cancel', '2', '1-1']);
    expect(canceled.plans.map((plan) => plan.workflow_key)).toEqual(['2', '1']);
    expect(await other.torc('delete', '1-2')).toMatchObject({ code: 2, stdout: '' });
    expect((await other.torc('delete', '1-2', '-y')).stdout.match(/^deleted workflow /gm)).toHaveLength(2);
    expect((await other.json<{ workflows: unknown[] }>(['list'])).workflows).toHaveLength(1);
    await other.remove();
  });
});
