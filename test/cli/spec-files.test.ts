// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in commands are written like that
/** Specifications as files in each syntax: read, refused without a trace, and described by the schema. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import JSON5 from 'json5';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { newPlace, type Place } from './place.ts';

const root = join(import.meta.dirname, '..', '..');

let place: Place;
beforeEach(() => {
  place = newPlace();
});
afterEach(async () => {
  await place.remove();
});

it('in KDL is created and runs, with files, data, a sweep, a handler and an action', async () => {
  const file = place.file(
    'study.kdl',
    `name "a study"
user_data "settings" {
  data "{\\"rate\\": 0.5}"
}
file "part_{i}" path="part {i}.txt" st_mtime=1640995200.0 {
  parameters { i "1:3"; }
}
failure_handler "again" {
  rule { exit_codes 7; max_retries 1; }
}
job "make_{i}" {
  command "echo {i} > \\"\${files.output.part_{i}}\\""
  output_file "part_{i}"
  parameters { i "1:3"; }
}
job "sum" {
  command """
    cat part*.txt > sum.txt
    echo '\${user_data.input.settings}' >> sum.txt
    """
  depends_on_regexes "^make_\\\\d$"
  input_user_data "settings"
}
job "flaky" {
  command "test $TORC_ATTEMPT_ID = 2 || exit 7"
  failure_handler "again"
  depends_on_job "sum" "make_1"
}
action {
  trigger_type "on_jobs_complete"
  action_type "run_commands"
  job_name_regex "^make_"
  command "touch 'made all'"
}
`,
  );
  expect(await place.json(['workflows', 'create', file, '--dry-run'])).toMatchObject({ jobs: 5, files: 3, stages: 3 });
  expect(await place.json(['run', file])).toMatchObject({ status: 'done', num_jobs: 5, num_done: 5, num_failed: 0 });
  expect(readFileSync(join(place.path, 'sum.txt'), 'utf8')).toBe('1\n2\n3\n{"rate":0.5}\n');
  expect(existsSync(join(place.path, 'made all'))).toBe(true);
  const { results } = await place.json<{ results: { job_name: string }[] }>(['results', 'list']);
  expect(results.filter(({ job_name }) => job_name === 'flaky')).toHaveLength(2);
});

describe('steps', () => {
  const step = (name: string, rest = 'true') => `echo ${name} >> "$TORC_JOB_NAME.txt"; ${rest}`;
  const jobs = [
    {
      name: 'stops',
      steps: [{ command: step('a', 'exit 0') }, { command: step('b', 'exit 3') }, { command: step('c') }],
    },
    {
      name: 'ignores',
      steps: [
        { command: step('a', 'cd /') },
        { command: `set -e\nfalse\n${step('b')}`, ignore_failure: true },
        { command: step('c') },
      ],
    },
    {
      name: 'tries {i}',
      steps: [{ command: step('{i}', 'test $(wc -l < "$TORC_JOB_NAME.txt") -ge 3 # it is'), max_retries: 2 }],
      parameters: { i: '1:2' },
    },
    { name: 'behind', command: 'true', depends_on: ['stops'] },
    { name: 'quote', steps: [{ command: `echo 'a` }, { command: `echo b' > quote.txt` }] },
    { name: 'comment', steps: [{ command: '# nothing' }, { command: step('a', `cat <<E\n'torc_end_of_step\nE`) }] },
  ];

  it('run in order, each in its own shell, until one fails that must not', async () => {
    const file = place.file('steps.json', JSON.stringify({ name: 'steps', jobs }));
    const summary = await place.json(['run', file], 1);
    expect(summary).toMatchObject({ num_done: 6, num_failed: 2, num_canceled: 1 });
    const said = (name: string) =>
      readFileSync(join(place.path, `${name}.txt`), 'utf8')
        .split('\n')
        .join('');
    expect(['stops', 'ignores', 'tries 1', 'tries 2', 'comment'].map(said)).toEqual(['ab', 'ac', '111', '222', 'a']);
    const { results } = await place.json<{ results: object[] }>(['results', 'list', '-f', 'return_code=3']);
    expect(results).toMatchObject([{ job_name: 'stops', cause: 'exit_code' }]);
    expect((await place.torc('jobs', 'logs', '1')).stdout).toContain('torc: step 2 of 3 ended with return code 3\n');
    expect((await place.torc('jobs', 'logs', '2')).stdout).toContain('return code 1, which is ignored\n');
  });

  it('replace a command', async () => {
    const steps = [{ command: 'true' }];
    const wrong = [{ name: 'a' }, { name: 'b', command: 'x', steps }, { name: 'c', invocation_script: 'x', steps }];
    const text = `{"name": "w", "jobs": [\n${wrong.map((each) => JSON.stringify(each)).join(',\n')}]}`;
    const { code, stderr } = await place.torc('workflows', 'create', place.file('wrong.json', text));
    expect(code).toBe(2);
    expect(stderr).toContain('wrong.json:2:1: jobs[0].command: is missing');
    expect(stderr).toMatch(/:3:\d+: jobs\[1\]\.command: cannot be used together with steps/);
    expect(stderr).toMatch(/:4:\d+: jobs\[2\]\.invocation_script: cannot be used together with steps/);
  });
});

it('an action with the scheduler type local starts one worker where the server runs', async () => {
  const action = { action_type: 'schedule_nodes', scheduler_type: 'local', num_allocations: 2 };
  const spec = {
    name: 'by itself',
    jobs: [{ name: 'j {i}', command: 'echo {i}', parameters: { i: '1:4' } }],
    actions: [
      { ...action, trigger_type: 'on_workflow_start', max_parallel_jobs: 1 },
      { ...action, trigger_type: 'on_jobs_ready', jobs: ['j 1'] },
    ],
  };
  const file = place.file('local.json', JSON.stringify(spec));
  const firings = async (key: string): Promise<string[]> => {
    const { actions } = await place.json<{ actions: { firings: object[] }[] }>(['actions', 'list', key]);
    return actions.map(({ firings: all }) => JSON.stringify(all)).sort();
  };
  await place.json(['workflows', 'create', file]);
  expect((await place.torc('workflows', 'start', '1')).stderr).toContain('Started a server');
  const status = async () => (await place.json<{ status: string }>(['workflows', 'show-status', '1'])).status;
  await expect.poll(status, { interval: 300 }).toBe('done');
  expect((await firings('1')).join().match(/"pid":/g)).toHaveLength(1);
  expect((await firings('1')).join()).toContain('a worker of this workflow already runs on this host');
  await place.torc('server', 'stop');
  const exported = place.file('exported.json', (await place.torc('workflows', 'export', '1')).stdout);
  expect(await place.json(['workflows', 'import', exported])).toMatchObject({ workflow_key: '2', num_jobs: 4 });
  expect(await place.json(['run', file])).toMatchObject({ status: 'done', num_done: 4, num_failed_actions: 0 });
  expect((await firings('3')).join().match(/this command has its own worker/g)).toHaveLength(2);
});

describe('an invalid specification', () => {
  /** Every row of every table. */
  function rows(): unknown {
    const db = new Sqlite(join(place.dir, 'torc.db'), { readonly: true });
    try {
      const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1").pluck().all();
      return tables.map((table) => [table, db.prepare(`SELECT * FROM "${table}"`).raw().all()]);
    } finally {
      db.close();
    }
  }

  const job = '{"name": "a", "command": "true"}';
  const refused: [string, string, RegExp][] = [
    ['unknown key.yaml', 'name: w\njobs:\n  - name: a\n    comand: x\n', /:4:5: jobs\[0\]\.comand: .*"command"/],
    ['cut.json', `{"name": "w", "jobs": [${job},\n {"na`, /:2:\d+: /],
    ['cyclic.json5', "{name: 'w', jobs: [\n {name: 'a', command: 'x', depends_on: ['a']}]}", /:2:\d+: .*itself/],
    ['types.kdl', 'name "w"\njob "a" {\n  command 7\n}\n', /:3:11: jobs\[0\]\.command: /],
    ['laughs.yaml', `name: w\njobs: []\nmetadata: &a {b: [*a]}\n`, /:3:\d+: .*inside the value that it names/],
    ['nul.kdl', 'name "w\0"\n', /:1:8: .*NUL/],
    ['deep.json', `{"name": "w", "jobs": [], "metadata": ${'['.repeat(50_000)}`, /:1:\d+: .*nested/],
    ['giant.yaml', `name: w\n#${'x'.repeat(100 * 1024 ** 2)}`, /:1:1: .*the limit is 64 MB/],
  ];

  it('says where, and leaves no row', async () => {
    await place.create('true');
    const before = rows();
    for (const [name, text, message] of refused) {
      const ended = await place.torc('workflows', 'create', place.file(name, text));
      expect(ended).toMatchObject({ code: 2, stdout: '' });
      expect(ended.stderr).toMatch(message);
    }
    expect(await place.torc('run', join(place.path, 'cut.json'))).toMatchObject({ code: 2, stdout: '' });
    const file = join(place.path, 'types.kdl');
    const asJson = await place.torc('-F', 'json', 'workflows', 'create', file);
    const { error } = JSON.parse(asJson.stderr) as { error: object };
    const problem = { file, line: 3, column: 11, path: 'jobs[0].command' };
    expect(error).toMatchObject({ code: 'invalid_spec', problems: [problem] });
    expect(rows()).toEqual(before);
  });
});

it('the schema is that of the package, and that of every example', async () => {
  const printed = (await place.torc('workflows', 'schema')).stdout;
  expect(printed).toBe(readFileSync(join(root, 'dist', 'workflow.schema.json'), 'utf8'));
  const schema = z.fromJSONSchema(JSON.parse(printed));
  const all = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' });
  const files = all.filter((file) => /\.(yaml|json5)$/.test(file));
  expect(files.length).toBeGreaterThan(5);
  for (const file of files) {
    const text = readFileSync(join(root, 'examples', file), 'utf8');
    const value: object = file.endsWith('.yaml') ? parse(text) : JSON5.parse(text);
    expect(schema.safeParse(value), file).toMatchObject({ success: true });
    expect(schema.safeParse({ ...value, jbos: [] }), file).toMatchObject({ success: false });
  }
});

it('keys without an effect are read, and notes with their places say what to do instead', async () => {
  const file = place.file('w.yaml', 'name: w\nuse_pending_failed: true\njobs: [{name: a, command: "true"}]\n');
  const created = await place.torc('workflows', 'create', file);
  expect(created.code).toBe(0);
  expect(created.stderr).toMatch(
    /w\.yaml:2:1: use_pending_failed has no effect: .*reset-status KEY --failed-only --restart/,
  );
  expect(await place.torc('-F', 'json', 'workflows', 'create', file)).toMatchObject({ code: 0, stderr: '' });
});

it('that is something else is rejected with the command that reads it', async () => {
  const commands = place.file('commands', 'echo one\necho two\n');
  expect(await place.torc('workflows', 'create', commands)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /^hint: .*torc workflows create-from-commands-file FILE or torc run FILE --commands/m,
    ),
  });
  // a specification under such a name is none of commands
  const specification = place.file('plain', 'name: w\njobs:\n  - {name: a, command: x, depends_on: [b]}\n');
  const { stderr } = await place.torc('workflows', 'create', specification);
  expect(stderr).toMatch(/there is no job "b".*\nhint: Correct these places and run the command again\.\n$/);
  // the key of a stored workflow, as torc 0.12 takes it, unless there is such a file
  expect(await place.torc('run', '1')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('there is no torc database'),
  });
  const hints = [
    [['workflows', 'create'], 'example lists some to start from'],
    [['workflows', 'create-from-commands-file'], 'one shell command on each line'],
    [['workflows', 'import'], 'workflows export KEY'],
  ] as const;
  for (const [words, hint] of hints) {
    expect(await place.torc(...words, 'no such')).toMatchObject({ code: 3, stderr: expect.stringContaining(hint) });
  }
  place.file('study.yaml', 'name: w');
  for (const [typed, meant] of [
    ['study.yml', 'study.yaml'],
    ['study', 'study.yaml'],
    ['stuyd.yaml', 'study.yaml'],
    [join(place.path, 'study.json'), join(place.path, 'study.yaml')],
  ] as const) {
    expect(await place.torc('run', typed)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(`there is no file ${typed}\nhint: Did you mean ${JSON.stringify(meant)}?\n`),
    });
  }
  place.file('2', '{ "name": "w", "jobs": [{ "name": "a", "command": "true" }] }');
  expect(await place.torc('run', '2')).toMatchObject({ code: 0 });
});

it('is drawn in the format of the file name, or not at all', async () => {
  const file = place.file('w.yaml', '{ name: w, jobs: [{ name: a, command: "true" }] }');
  const draw = (...words: string[]) => place.torc('workflows', 'graph', '--spec', file, ...words);
  expect(await draw('-o', 'g.png')).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/dot or svg.*\n.*--format/),
  });
  expect(existsSync(join(place.path, 'g.png'))).toBe(false);
  const kinds = { 'g.svg': '<svg', 'g.SVG': '<svg', 'g.gv': 'digraph', 'g.dot': 'digraph', 'a.b/graph': 'digraph' };
  mkdirSync(join(place.path, 'a.b'));
  for (const [name, start] of Object.entries(kinds)) {
    expect(await draw('-o', name)).toMatchObject({ code: 0 });
    const picture = readFileSync(join(place.path, name), 'utf8');
    expect(picture).toContain(start);
    expect(picture).toMatch(start === '<svg' ? />a<\/text>/ : /label="a"/);
  }
  expect(await draw('-o', 'g.png', '--format', 'dot')).toMatchObject({ code: 0 });
});

it('a commands file by another name: a few problems, and how such a file is read', async () => {
  const file = place.file('jobs', Array.from({ length: 60 }, (_, i) => `python3 "a" ${i}: {`).join('\n'));
  const refused = await place.torc('run', file);
  expect(refused.code).toBe(2);
  expect(refused.stderr.split('\n').length).toBeLessThan(8);
  expect(refused.stderr).toMatch(
    /\nhint: To read a file with one command on each line, give it .*\.txt, or use .*--commands/,
  );
  const named = await place.torc('workflows', 'create', place.file('jobs.yaml', readFileSync(file, 'utf8')));
  expect(named.stderr).not.toContain('--commands');
});
