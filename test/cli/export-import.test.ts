// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in commands are written like that
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newPlace, type Place } from './place.ts';

type Row = Record<string, unknown>;

let place: Place;
const growing = {
  causes: ['oom', 'job_timeout'],
  max_retries: 2,
  scale: { memory: 'peak*1.3', runtime: ['PT60S', 'PT90.5S'], max: { memory: '333333333b' } },
};
const stage = (letter: string) => Array.from({ length: 60 }, (_, n) => `${letter}_${n}`);
beforeAll(async () => {
  place = newPlace();
  const spec = {
    name: 'odd "name"\n名前',
    project: 'p',
    metadata: { a: [1, null] },
    compute_node_wait_for_new_jobs_seconds: 3,
    jobs_sort_method: 'none',
    resource_requirements: [
      { name: 'r', num_cpus: 1, memory: '333333333b', runtime: 'PT90.5S', expected_runtime: '1m', num_gpus: 0 },
    ],
    files: [{ name: "it's", path: 'x y.txt' }],
    user_data: [{ name: 'in', data: [1, 'é'] }, { name: 'out' }, { name: 'gone', is_ephemeral: true }],
    slurm_schedulers: [
      { name: 's', account: 'a', walltime: '1-02:00:00', gres: 'gpu:1', labels: ['gpu', 'b'], also_unlabelled: true },
      { name: 't', account: 'a' },
    ],
    fallback_schedulers: ['t', 's'],
    failure_handlers: [{ name: 'h', rules: [growing] }],
    jobs: [
      { name: '__proto__', command: 'echo a > "${files.output.it\'s}"', resource_requirements: 'r', priority: -3 },
      { name: 'reader $HOME', command: "cat '${files.input.it's}'", supports_termination: true, labels: ['local'] },
      { name: 'writes', command: 'echo \'${user_data.input.in}\' > "${user_data.output.out}"' },
      { name: 'bad', command: 'exit 3', depends_on: ['writes'] },
      { name: 'never', command: 'true', depends_on: ['bad'] },
      { name: 'anyway', command: 'true', depends_on: ['bad', 'never'], cancel_on_blocking_job_failure: false },
      ...stage('a').map((name) => ({ name, command: 'true' })),
      ...stage('b').map((name) => ({ name, command: 'true', depends_on_regexes: ['^a_'] })),
    ],
  };
  await place.json(['workflows', 'create', place.file('w.json', JSON.stringify(spec))]);
  await place.json(['jobs', 'modify', '2', '--memory', '100m', '--runtime', 'PT5M']);
  await place.json(['workflows', 'start', '1']);
  await place.json(['jobs', 'run', '1', '-o', 'out'], 1);
});
afterAll(() => place.remove());

/** The rows of a list without the keys, which differ between workflows. */
async function list(group: string, key: string): Promise<Row[]> {
  const [rows = []] = Object.values(await place.json<Record<string, Row[]>>([group, 'list', '-k', key]));
  return rows.map((row) =>
    Object.fromEntries(Object.entries(row).filter(([column]) => !column.endsWith('_key') && column !== 'event_key')),
  );
}

async function dependencies(file: string): Promise<unknown> {
  const plan = await place.json<{ job_list: Row[] }>(['workflows', 'create', file, '--dry-run', '--show-jobs']);
  return plan.job_list.map((job) => ({ ...job, resource_requirements: null }));
}

describe('an exported workflow', () => {
  it('is a specification that describes the same jobs', async () => {
    await place.torc('workflows', 'export', '1', '-o', 'plain.json');
    const document = JSON.parse(readFileSync(`${place.path}/plain.json`, 'utf8'));
    expect(document).toMatchObject({ format: 'torc-export', version: 1 });
    expect(document.results).toBeUndefined();
    expect(document.workflow).toMatchObject({
      fallback_schedulers: ['t', 's'],
      failure_handlers: [{ name: 'h', rules: [growing] }],
    });
    expect(document.workflow.user_data).toEqual([
      { name: 'in', data: [1, 'é'] },
      { name: 'out' },
      { name: 'gone', is_ephemeral: true },
    ]);
    // sixty jobs that depend on sixty others have one pattern
    expect(document.workflow.jobs.at(-1)).toEqual({
      name: 'b_59',
      command: 'true',
      depends_on_regexes: ['^a_[0-9]+$'],
    });
    // with or without the rest of the document
    expect(await dependencies('plain.json')).toEqual(await dependencies('w.json'));
    const again = place.file('again.json', JSON.stringify(document.workflow));
    expect(await dependencies(again)).toEqual(await dependencies('w.json'));
    expect(await place.json(['workflows', 'create', again])).toMatchObject({ num_jobs: 126, num_barriers: 1 });
    for (const group of ['files', 'jobs', 'user-data']) {
      const rows = await list(group, '2');
      const expected = (await list(group, '1')).map(({ name, command, path, priority, ...need }) => {
        const { num_cpus, memory_bytes, runtime_seconds, expected_runtime_seconds } = need;
        return { name, command, path, priority, num_cpus, memory_bytes, runtime_seconds, expected_runtime_seconds };
      });
      expect(rows).toMatchObject(expected.map((row) => JSON.parse(JSON.stringify(row))));
    }
    await place.json(['workflows', 'delete', '2', '--force']);
  });

  it('contains data that were given, even for outputs of jobs, but not data that jobs wrote', async () => {
    const other = newPlace();
    try {
      const data = ['kept', 'written', 'by hand'].map((name, i) => ({
        name,
        data: { given: i },
        is_ephemeral: i === 2,
      }));
      const command = 'echo 7 > "${user_data.output.written}"; echo 8 > "${user_data.output.by hand}"';
      const spec = { name: 'given', user_data: data, jobs: [{ name: 'make', command, output_user_data: ['kept'] }] };
      await other.json(['workflows', 'create', other.file('w.json', JSON.stringify(spec))]);
      const exported = async () => {
        return JSON.parse((await other.torc('workflows', 'export', '1')).stdout).workflow.user_data as Row[];
      };
      const plain = data.map(({ name, data, is_ephemeral }) => ({
        name,
        data,
        ...(is_ephemeral ? { is_ephemeral } : {}),
      }));
      expect(await exported()).toEqual(plain);
      await other.json(['workflows', 'start', '1']);
      await other.json(['jobs', 'run', '1', '-o', 'out']);
      await other.json(['user-data', 'modify', '3', '--data', '9']);
      await other.json(['user-data', 'modify', '2', '--ephemeral']);
      expect(await exported()).toEqual([
        plain[0],
        { name: 'written', is_ephemeral: true },
        { name: 'by hand', data: 9, is_ephemeral: true },
      ]);
    } finally {
      await other.remove();
    }
  });

  it('is imported with its results, statuses and events, and restarts', async () => {
    const exported = await place.torc('workflows', 'export', '1', '--results', '--events');
    const file = place.file('full.json', exported.stdout);
    const made = await place.json<{ workflow_key: string }>(['workflows', 'import', file]);
    const key = made.workflow_key;
    expect(made).toMatchObject({ num_jobs: 126, run_id: 1, num_results: 125 });
    for (const group of ['results', 'files', 'user-data', 'jobs']) {
      const drop = (rows: Row[]) =>
        rows.map(({ version, size_bytes, modified_at, resource_requirements, ...row }) => row);
      expect(drop(await list(group, key)), group).toEqual(drop(await list(group, '1')));
    }
    const workflows = await list('workflows', '1');
    expect({ ...workflows.at(-1), created_at: null }).toEqual({ ...workflows[0], created_at: null });
    const events = await list('events', '1');
    const imported = await list('events', key);
    // after the events of its own creation
    expect(imported.slice(1, 1 + events.length)).toEqual(events);
    const config = await place.json<{ slurm_configs: Row[] }>(['hpc', 'slurm', 'list-configs', '-k', key]);
    expect(config.slurm_configs).toMatchObject([
      { name: 's', walltime_seconds: 93_600, gres: 'gpu:1', fallback_order: 1 },
      { name: 't', fallback_order: 0 },
    ]);

    const restart = async (k: string) => {
      // nothing is left to run
      const { changes } = await place.json<{ changes: Row[] }>(['workflows', 'restart', k, '--dry-run'], 7);
      return changes.map(({ job_key, ...change }) => change);
    };
    expect(await restart(key)).toEqual(await restart('1'));
    await place.json(['workflows', 'reset-status', key, '--failed-only']);
    await place.json(['workflows', 'restart', key]);
    await place.json(['jobs', 'run', key, '-o', 'out'], 1);
    expect(await place.json(['results', 'list', '-k', key, '-f', 'job_name=bad'])).toMatchObject({
      results: [
        { run_id: 1, return_code: 3 },
        { run_id: 2, return_code: 3 },
      ],
    });
  });

  it('in the middle of a run has not run what was not finished, and a restart runs it', async () => {
    const other = newPlace();
    try {
      const job = (name: string, command: string, depends_on: string[]) => ({ name, command, depends_on });
      const jobs = [
        job('a', 'true', []),
        job('b', 'touch started; while [ ! -e go ]; do sleep 0.05; done', ['a']),
        job('c', 'true', ['b']),
        job('waits', 'touch started; while [ ! -e go ]; do sleep 0.05; done', []),
      ];
      const run = other.start('run', other.file('s.json', JSON.stringify({ name: 'r', jobs })), '-m', '1');
      const statuses = async (key: string) => {
        const listed = await other.json<{ jobs: Row[] }>(['jobs', 'list', '-k', key]);
        return listed.jobs.map(({ status }) => status);
      };
      await expect.poll(() => existsSync(join(other.path, 'started')), { timeout: 30_000 }).toBe(true);
      await expect.poll(async () => (await statuses('1')).includes('submitted'), { timeout: 30_000 }).toBe(true);
      const file = join(other.path, 'half.json');
      await other.torc('workflows', 'export', '1', '--results', '-o', file);
      const before = await statuses('1');
      const imported = await other.torc('workflows', 'import', file);
      expect(imported.stdout).toContain('workflows restart 2\n');
      expect(await statuses('2')).toEqual(before.map((status) => (status === 'done' ? 'done' : 'uninitialized')));
      other.file('go', '');
      await run.ended;
      await other.json(['workflows', 'restart', '2']);
      await other.json(['jobs', 'run', '2']);
      expect(await statuses('2')).toEqual(['done', 'done', 'done', 'done']);
    } finally {
      await other.remove();
    }
  });

  it('is rejected as a whole when any part is wrong', async () => {
    const before = await list('workflows', '1');
    const document = (fields: object) =>
      JSON.stringify({
        format: 'torc-export',
        version: 1,
        workflow: { name: 'w', jobs: [{ name: 'a', command: 'true' }] },
        ...fields,
      });
    const wrong: [string, number, string][] = [
      ['{', 2, 'is not JSON'],
      ['[]', 2, 'is not an export'],
      [document({ version: 2 }), 2, 'version 2'],
      [document({ workflow: { name: 'w', jobs: [{ name: 'a' }] } }), 2, 'jobs[0].command'],
      [document({ results: [{ job_name: 'a' }] }), 2, 'results.0'],
      [
        document({
          events: [
            {
              timestamp: '2026-01-01T00:00:00.000Z',
              job_name: 'b',
              type: 't',
              old_status: null,
              new_status: null,
              data: null,
            },
          ],
        }),
        3,
        'no job "b"',
      ],
    ];
    for (const [text, code, message] of wrong) {
      const ended = await place.torc('workflows', 'import', place.file('wrong.json', text));
      expect(ended.code, ended.stderr).toBe(code);
      expect(ended.stderr).toContain(message);
    }
    expect(await list('workflows', '1')).toEqual(before);
  });

  it('can start from a template that runs, or from JSON under any file name', async () => {
    const template = (await place.torc('workflows', 'template')).stdout;
    const run = await place.json(['run', place.file('t.yaml', template), '-o', 'out']);
    expect(run).toMatchObject({ num_jobs: 8, num_done: 8, num_failed: 0 });
    const file = place.file('w.txt', '{"name": "j", "jobs": [{"name": "a", "command": "true"}]}');
    expect(await place.json(['workflows', 'create-from-json-file', file])).toMatchObject({ name: 'j', num_jobs: 1 });
  });
});
