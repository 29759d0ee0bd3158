/** Workflows of PROMINENCE as specifications; every result is read by our own reader. */
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpecError } from '../../src/model/spec/problems.ts';
import { specText } from '../../src/model/spec/spec-text.ts';
import { type ForeignWorkflow, readForeign } from '../../src/model/translate/read-foreign.ts';
import { shellWordOf, splitWords } from '../../src/model/translate/shell-words.ts';
import { loadWorkflow } from '../support/specification.ts';

function imported(document: unknown, file = 'w.json'): ForeignWorkflow {
  const source = typeof document === 'string' ? document : JSON.stringify(document, null, 1);
  return readForeign(source, { system: 'prominence', file });
}

/** The jobs as they would run, through the text of a specification. */
function jobsOf(document: unknown): Map<string, { command: string; upstream: string[] }> {
  const { workflow } = loadWorkflow(specText(imported(document).spec, 'yaml', ['a comment']), { file: 'w.yaml' });
  const all = [...workflow.jobs];
  const upstream = all.map((): string[] => []);
  for (const [from, to] of workflow.edges) upstream[to]?.push(all[from]?.name ?? `barrier ${from}`);
  return new Map(all.map(({ name, command }, i) => [name, { command, upstream: upstream[i] ?? [] }]));
}

function problemsOf(document: unknown): string[] {
  try {
    imported(document);
  } catch (error) {
    if (error instanceof SpecError) return error.message.split('\n');
    throw error;
  }
  return [];
}

const resources = { nodes: 1, cpus: 1, memory: 1, disk: 10 };
const task = (cmd: string) => ({ image: 'busybox', runtime: 'singularity', cmd });
const job = (name: string, cmd = 'date', more: object = {}) => ({ name, resources, tasks: [task(cmd)], ...more });
const messagesOf = (remarks: ForeignWorkflow['leftOut']) => remarks.map(({ message }) => message);
const lastLine = (text: string | null | undefined) => text?.split('\n').at(-1);

describe('a workflow of PROMINENCE', () => {
  it('makes children depend on their parents, and a job downstream of a factory on all of its instances', () => {
    const found = jobsOf({
      name: 'factory-dag-workflow',
      jobs: [job('process', 'echo $id'), job('merge', 'echo merge'), job('end')],
      factories: [
        {
          name: 'processing',
          type: 'parameterSweep',
          jobs: ['process'],
          parameters: [{ name: 'id', start: 1, end: 3, step: 1 }],
        },
      ],
      dependencies: { process: ['merge'], merge: ['end'] },
    });
    expect([...found].map(([name, { upstream }]) => [name, upstream])).toEqual([
      ['process_0', []],
      ['process_1', []],
      ['process_2', []],
      ['merge', ['process_0', 'process_1', 'process_2']],
      ['end', ['merge']],
    ]);
    expect(lastLine(found.get('process_2')?.command)).toMatch(/^apptainer exec .*docker:\/\/busybox echo 3$/);
    expect(found.get('process_2')?.command).toContain(`PROMINENCE_PARAMETER_id='3'`);
  });

  it('translates resources, policies and labels', () => {
    const { spec, leftOut, differences } = imported({
      name: 'w',
      labels: { app: 'movie' },
      policies: { maximumRetries: 2 },
      jobs: [
        job('a', 'date', {
          resources: { nodes: 1, cpus: 4, memoryPerCpu: 2, walltime: 90 },
          policies: { maximumRetries: 5, maximumTimeInQueue: 600, priority: 3, reportJobSuccessOnTaskFailure: true },
        }),
        job('b', 'date', { policies: { maximumTimeInQueue: -1, maximumTaskRetries: 3, ignoreTaskFailures: true } }),
      ],
    });
    expect(spec.attributes).toEqual({ app: 'movie' });
    expect(spec.resource_requirements).toEqual([
      { name: '4c-8g-90min', num_cpus: 4, memory: '8g', runtime: 'PT90M' },
      { name: '1c-1g', num_cpus: 1, memory: '1g' },
    ]);
    expect(spec.jobs[0]).toMatchObject({
      ...{ resource_requirements: '4c-8g-90min', max_retries: 5, max_wait: 'PT600M', priority: 3 },
      task_failure_is_success: true,
    });
    expect(spec.jobs[1]).toMatchObject({ max_retries: 2, steps: [{ max_retries: 3, ignore_failure: true }] });
    expect(spec.jobs[1]).not.toHaveProperty('max_wait');
    expect(leftOut).toEqual([]);
    expect(messagesOf(differences)).toEqual(['torc reserves no disk space']);
  });

  it('runs the tasks of a job in order, each in its container, on one node or several', () => {
    const { spec } = imported({
      name: 'two',
      jobs: [
        {
          name: 'one node',
          resources,
          tasks: [
            {
              image: 'me/mpi:1',
              runtime: 'singularity',
              cmd: './solve',
              type: 'openmpi',
              procsPerNode: 4,
              workdir: 'sub',
            },
            { image: 'shub://me/x', runtime: 'singularity', env: { LOWER: '4.5', TEXT: "it's" } },
            { image: 'own.sif', runtime: 'singularity', cmd: 'date' },
            { cmd: './on-the-host' },
          ],
        },
        {
          name: 'two nodes',
          resources: { nodes: 2, cpus: 8, memory: 4 },
          tasks: [
            { image: 'me/mpi:1', cmd: './solve', type: 'mpich' },
            { image: 'busybox', cmd: 'date' },
          ],
        },
      ],
    });
    const start = 'apptainer exec --home "$PWD:/home/user" --pwd /home/user';
    expect(spec.jobs[0]?.steps?.map(({ command }) => lastLine(command))).toEqual([
      `${start}/sub docker://me/mpi:1 mpirun -np 4 ./solve`,
      `LOWER=4.5 TEXT='it'\\''s' apptainer run --home "$PWD:/home/user" --pwd /home/user shub://me/x`,
      `${start} "$OLDPWD/"own.sif date`,
      './on-the-host',
    ]);
    expect(spec.jobs[0]?.input_files).toEqual(['own.sif']);
    expect(spec.jobs[1]?.steps?.map(({ command }) => lastLine(command)?.split(' apptainer')[0])).toEqual([
      'srun --nodes="$TORC_NUM_NODES" --ntasks-per-node=8 --nodelist="$TORC_NODE_LIST"',
      `srun --nodes=1 --ntasks=1 --nodelist="\${TORC_NODE_LIST%%,*}"`,
    ]);
  });

  it('declares outputs, one for each instance, and looks for those with wildcards', () => {
    const { spec } = imported({
      name: 'w',
      jobs: [
        job('render', 'x $frame', { outputFiles: ['out.txt', 'frame_*.png', `x_\${frame}.png`], outputDirs: ['all'] }),
      ],
      factory: { type: 'parametricSweep', parameterSets: [{ name: 'frame', start: 0, end: 1, step: 0.5 }] },
    });
    expect(spec.files).toMatchObject([
      { path: 'render_{index}/out.txt', parameters: { index: '0:2' } },
      { path: 'render_{index}/all' },
    ]);
    const { workflow } = loadWorkflow(JSON.stringify(spec), { file: 'w.json' });
    expect([...workflow.files].map(({ path }) => path)).toContain('render_2/out.txt');
    expect([...workflow.jobs][2]?.command).toContain('ls -d -- frame_*.png x_1.png');
  });

  it('writes input files, fetches artifacts, and needs what was uploaded', () => {
    const { spec, differences, leftOut } = imported({
      name: 'one',
      resources,
      inputs: [
        { filename: 'dir/run.sh', content: Buffer.from('date $frame').toString('base64'), executable: true },
        { filename: 'big', content: Buffer.alloc(60_000).toString('base64') },
      ],
      artifacts: [{ url: 'https://example.org/a.tar.gz?x=1', mountpoint: 'a:/opt/a' }, { url: 'model.zip' }],
      tasks: [task('ls')],
    });
    const [staging, main] = spec.jobs[0]?.steps ?? [];
    expect(staging?.command.split('\n').slice(2)).toEqual([
      'mkdir -p -- "$(dirname -- dir/run.sh)"',
      "base64 --decode > dir/run.sh <<'end_of_file'",
      'ZGF0ZSAkZnJhbWU=',
      'end_of_file',
      'chmod +x -- dir/run.sh',
      'cp -- "$OLDPWD/"big big',
      "curl --fail --silent --show-error --location --output a.tar.gz 'https://example.org/a.tar.gz?x=1'",
      'tar --extract --file a.tar.gz',
      'cp -- "$OLDPWD/"model.zip model.zip',
      'unzip -oq model.zip',
    ]);
    expect(main?.command).toContain('--bind "$PWD/"a:/opt/a');
    expect(spec.jobs[0]).toMatchObject({ name: 'one', input_files: ['big', 'model.zip'] });
    expect(messagesOf(differences)).toContain(
      'what was uploaded to PROMINENCE has to be in the directory of the workflow',
    );
    expect(messagesOf(leftOut)).toEqual([
      'is too large for a command: put the file into the directory of the workflow',
    ]);
  });

  it('is read from YAML too, where each line of a command is a task and a script is run by its interpreter', () => {
    const { spec } = imported(
      'name: test1\ntasks:\n  - image: busybox\n    cmd: |\n      echo Hello\n      date\n  - cmd: |\n      #!/bin/sh\n      echo $1\n',
      'w.yaml',
    );
    const commands = (spec.jobs[0]?.steps ?? []).map(({ command }) => command);
    expect(commands.map((command) => lastLine(command)?.replace(/.*busybox /, ''))).toEqual([
      'echo Hello',
      'date',
      './.task_2',
    ]);
  });

  it('tells what has no counterpart, once for equal things, with its place and without secrets', () => {
    const storage = { type: 'webdav', mountpoint: '/data', webdav: { url: 'u', username: 'n', password: 'secret' } };
    const tasks = [
      { ...task('date'), imagePullCredential: { username: 'me', token: 'secret' } },
      { ...task('watch'), type: 'sidecar' },
    ];
    const each = {
      storage,
      tasks,
      policies: { placement: { requirements: { sites: ['A'] } } },
      labels: ['a=b', '1=2'],
    };
    const document = {
      name: 'w',
      jobs: [
        job('a', '', each),
        job('b', '', each),
        job('c', 'x', { resources: { ...resources, disk: 50 }, status: 'done' }),
      ],
      notifications: [{ event: 'workflowFinished', type: 'email' }],
    };
    const read = imported(document);
    expect(read.leftOut.map(({ path, count }) => [path.join('.'), count])).toEqual([
      ['jobs.0.tasks.0.imagePullCredential', 2],
      ['jobs.0.tasks.1.type', 2],
      ['jobs.0.storage', 2],
      ['jobs.0.policies.placement', 2],
      ['jobs.0.labels.1', 2],
      ['jobs.2.resources.disk', 1],
      ['jobs.2.status', 1],
      ['notifications', 1],
    ]);
    const text = JSON.stringify(document, null, 1).split('\n');
    for (const { line, column, path } of read.leftOut) {
      const starts = ['"sidecar"', '"1=2"', `"${path.at(-1)}"`];
      expect(starts.some((start) => text[line - 1]?.startsWith(start, column - 1))).toBe(true);
    }
    expect(JSON.stringify(read)).not.toContain('secret');
  });

  it.each<[string, unknown, string[]]>([
    ['no object', [1], ['w.json:1:1: found a list, expected a mapping of keys to values']],
    ['nothing of it', {}, ['w.json:1:1: jobs: is missing; it is required']],
    [
      'wrong values',
      { name: 'w', jobs: [job('a', 'x', { resources: { cpus: '4' }, policies: { priority: 1.5 } })] },
      [
        'w.json:7:13: jobs[0].resources.cpus: found the text "4", expected a number: write it without quotes',
        'w.json:17:17: jobs[0].policies.priority: found the number 1.5, expected a whole number',
      ],
    ],
    [
      'names that do not exist',
      { name: 'w', jobs: [job('first'), job('first')], dependencies: { frist: ['first', 'last'] } },
      [
        'w.json:21:12: jobs[1].name: a second job is called "first"',
        'w.json:38:3: dependencies.frist: there is no job "frist"; did you mean "first"?',
        'w.json:40:4: dependencies.frist[1]: there is no job "last"',
      ],
    ],
    [
      'an unclosed quote, a bad variable, a name that leads elsewhere',
      {
        name: 'w',
        jobs: [job('../a'), job('b', `echo "x`), job('c', 'x', { tasks: [{ cmd: 'x', env: { 'A-B': 1 } }] })],
      },
      ['w.json:5:12: jobs[0].name: is not a name of letters, digits, spaces and - _ . / that can name a folder'],
    ],
    [
      'an unclosed quote and a bad variable',
      { name: 'w', jobs: [job('b', `echo "x`), job('c', 'x', { tasks: [{ cmd: 'x', env: { 'A-B': 1 } }, {}] })] },
      [
        'w.json:16:13: jobs[0].tasks[0].cmd: has a quote " that is not closed',
        'w.json:32:7: jobs[1].tasks[0].env["A-B"]: is not the name of a variable',
        'w.json:35:5: jobs[1].tasks[1]: has neither an image nor a command',
      ],
    ],
    [
      'a sweep without an end, a factory of a job that does not exist',
      {
        name: 'w',
        jobs: [job('a')],
        factories: [
          { type: 'parameterSweep', jobs: ['a'], parameters: [{ name: 'i', start: 1, step: 1 }] },
          { type: 'zip', jobs: ['b'], parameters: [] },
        ],
      },
      [
        'w.json:28:5: factories[0].parameters[0]: a parameter of a sweep needs start and end, and either step or number',
        'w.json:38:5: factories[1].jobs[0]: there is no job "b"; did you mean "a"?',
      ],
    ],
    [
      'a cycle',
      { name: 'w', jobs: [job('a'), job('b')], dependencies: { a: ['b'], b: ['a'] } },
      [expect.stringContaining('a -> b -> a') as unknown as string],
    ],
  ])('is refused with the places of its problems: %s', (_, document, problems) => {
    expect(problemsOf(document)).toEqual(problems);
  });
});

describe('a word of a command', () => {
  const literal = { parameters: null, isUnsafe: false, variables: new Map<string, string>() };

  it('is split as shlex does', () => {
    expect(splitWords(`/bin/bash -c "date; echo \\"a b\\" \\n" 'x "y"' a\\ b ''`)).toEqual([
      ['/bin/bash', '-c', 'date; echo "a b" \\n', 'x "y"', 'a b', ''],
    ]);
  });

  it('means itself in a shell, whatever it contains', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.string().filter((text) => !/[\0\r]|\$\$/.test(text)),
          { maxLength: 20 },
        ),
        (words) => {
          const typed = words.map((word) => shellWordOf(word, literal)).join(' ');
          const out = execFileSync('bash', ['-c', `printf '%s\\0' ${typed}`], { encoding: 'utf8' });
          expect(words.length === 0 ? [] : out.split('\0').slice(0, -1)).toEqual(words);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('keeps parameters for torc, and hides what only torc would replace', () => {
    const replaced = { ...literal, parameters: new Set(['id']), variables: new Map([['KEY', 'TORC_KEY']]) };
    expect(shellWordOf('in-$id.txt', replaced)).toBe(`in-\${id}.txt`);
    expect(shellWordOf(`$id \${id} {id} {index} $index $idx $$id $KEY`, replaced)).toBe(
      `'\${id} \${id} {''id} {''index} $''index $idx $''id '"$TORC_KEY"''`,
    );
    expect(shellWordOf(`\${files.input.a}`, literal)).toBe(`'\${''files.input.a}'`);
  });
});
