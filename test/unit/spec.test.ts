import { describe, expect, it } from 'vitest';
import { TorcError } from '../../src/base/errors.ts';
import { nearestName } from '../../src/model/spec/names.ts';
import { pathText, SpecError } from '../../src/model/spec/problems.ts';
import { loadWorkflow, parseSpec } from '../support/specification.ts';

function lines(...text: string[]): string {
  return `${text.join('\n')}\n`;
}

/** The problems of a text, as the lines of the message. */
function problemsOf(source: string | Uint8Array, file = 'w.yaml'): string[] {
  try {
    loadWorkflow(source, { file });
  } catch (error) {
    if (error instanceof SpecError) return error.message.split('\n');
    throw error;
  }
  return [];
}

const oneJob = lines('name: w', 'jobs:', '  - name: a', '    command: echo hi');

describe('reading', () => {
  it('gives the same from YAML and JSON', () => {
    const spec = {
      name: 'w',
      metadata: { a: [1, null, 'x'] },
      resource_requirements: [{ name: 'small', num_cpus: 2, memory: '1g', runtime: 'PT10M' }],
      files: [{ name: 'f', path: 'out/f.txt' }],
      jobs: [{ name: 'a', command: 'true', resource_requirements: 'small', output_files: ['f'], priority: -3 }],
    };
    const yaml = lines(
      'name: w',
      'metadata: {a: [1, null, x]}',
      'resource_requirements: [{name: small, num_cpus: 2, memory: 1g, runtime: PT10M}]',
      'files: [{name: f, path: out/f.txt}]',
      'jobs: [{name: a, command: "true", resource_requirements: small, output_files: [f], priority: -3}]',
    );
    expect(parseSpec(JSON.stringify(spec), { file: 'w.json' })).toEqual(spec);
    expect(parseSpec(yaml, { file: 'w.yaml' })).toEqual(spec);
    expect(parseSpec(yaml, { file: 'w', syntax: 'yaml' })).toEqual(spec);
  });

  it('takes the syntax from the name, else from the first character', () => {
    const json = '{"name":"w","jobs":[]}';
    expect(parseSpec(json, { file: '-' }).name).toBe('w');
    expect(parseSpec(json, { file: 'W.JSON' }).name).toBe('w');
    expect(parseSpec(oneJob, { file: '/dev/stdin' }).name).toBe('w');
    expect(problemsOf(oneJob, 'w.json')).toEqual(['w.json:1:1: found "n", expected a value']);
    expect(parseSpec("{name: 'w', jobs: [],}", { file: 'w.json5' }).name).toBe('w');
    expect(parseSpec("// c\n{name: 'w', jobs: [],}", { file: '-' }).name).toBe('w');
    expect(parseSpec('/* c */ name "w"\njob "a" { command "x" }', { file: '-' }).name).toBe('w');
    expect(parseSpec('name w\njob a command=x', { file: 'W.KDL' }).jobs).toEqual([{ name: 'a', command: 'x' }]);
    expect(problemsOf('{"name": "w",, "jobs": []}', '-')).toEqual([
      '-:1:14: found ",", expected a key in double quotes',
    ]);
  });

  it('keeps YAML 1.2 words that YAML 1.1 would turn into something else', () => {
    const spec = parseSpec(lines('name: no', 'description: 04:00:00', 'jobs:', '- {name: on, command: y}'), {
      file: 'w.yml',
    });
    expect(spec).toEqual({ name: 'no', description: '04:00:00', jobs: [{ name: 'on', command: 'y' }] });
  });

  it('keeps odd names and commands as they are', () => {
    const names = [
      'a b',
      '-x',
      '$HOME',
      "it's",
      '"q"',
      'línea\nzwei',
      '名前',
      '🚀',
      '__proto__',
      'constructor',
      '',
      'x'.repeat(4096),
    ];
    const jobs = names.filter((name) => name !== '').map((name) => ({ name, command: `echo '${name}' "$X" \\\n\t#` }));
    expect(parseSpec(JSON.stringify({ name: 'w', jobs }), { file: 'w.json' }).jobs).toEqual(jobs);
    expect(problemsOf('{"name":"w","jobs":[{"name":"","command":"x"}]}', 'w.json')[0]).toContain(
      'jobs[0].name: is empty',
    );
  });

  it('refuses the one name that a record cannot hold', () => {
    const record = '{"__proto__":[1,2]}';
    const text = `{"name":"w","parameters":${record},"slurm_defaults":${record},"jobs":[{"name":"{a}","command":"x","parameters":${record}}]}`;
    const refused = problemsOf(text, 'w.json').map((problem) => problem.replace(/^w.json:[0-9:]+ /, ''));
    expect(refused).toEqual(
      ['parameters', 'slurm_defaults', 'jobs[0].parameters'].map(
        (path) => `${path}.__proto__: cannot be used as a name here`,
      ),
    );
  });

  it('treats null as not given', () => {
    const text = lines('name: w', 'files:', 'description: null', 'jobs: [{name: a, command: b, depends_on: ~}]');
    const { workflow } = loadWorkflow(text, { file: 'w.yaml' });
    expect(workflow.description).toBeNull();
    expect(workflow.files).toEqual([]);
  });

  it('reads aliases as what they stand for', () => {
    const text = lines(
      'name: w',
      'jobs:',
      '- {name: a, command: &c run, depends_on: &none []}',
      '- {name: b, command: *c, depends_on: *none}',
    );
    expect(parseSpec(text, { file: 'w.yaml' }).jobs.at(1)).toEqual({ name: 'b', command: 'run', depends_on: [] });
  });

  it('reads bytes with a byte order mark and Windows line ends', () => {
    const bytes = Buffer.from(`\ufeff${oneJob.replaceAll('\n', '\r\n')}`);
    expect(parseSpec(bytes, { file: 'w.yaml' }).jobs).toEqual([{ name: 'a', command: 'echo hi' }]);
  });
});

describe('what is not text', () => {
  it('names the first byte that is not UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from('name: ä\njobs: 🚀'), Buffer.from([0xff]), Buffer.from('x')]);
    expect(problemsOf(bytes)).toEqual(['w.yaml:2:8: a byte that is not UTF-8; save the file as UTF-8']);
    expect(problemsOf(Buffer.from([0x61, 0xc3]))).toEqual([expect.stringContaining('w.yaml:1:2: a byte')]);
    expect(problemsOf(Buffer.from('\ufeffname', 'utf16le'))).toEqual(['w.yaml:1:1: is UTF-16; save it as UTF-8']);
  });

  it('refuses NUL bytes and files that are too large', () => {
    expect(problemsOf('name: w\nx: \0')).toEqual(['w.yaml:2:4: a NUL byte; a specification is plain text']);
    expect(problemsOf(Buffer.alloc(64 * 1024 * 1024 + 1, 'a'))).toEqual([
      expect.stringContaining('the limit is 64 MB'),
    ]);
  });

  it('refuses lone surrogates and NUL in JSON escapes', () => {
    const text = '{"name":"w","description":"\\u0000","jobs":[{"name":"\\ud800","command":"x"}]}';
    expect(problemsOf(text, 'w.json').map((line) => line.split(': ')[1])).toEqual(['description', 'jobs[0].name']);
  });
});

describe('syntax', () => {
  it.each([
    ['name: w\njobs:\n\t- name: a', '3:1'],
    ['name: "w', '1:9'],
    ['name: a: b', '1:7'],
    ['name: w\n jobs: []', '1:7'],
    ['name: [a', '1:9'],
    ['name: *x', '1:7'],
    ['name: !me x', '1:7'],
    ['name: w\nname: v', '2:1'],
    ['name: w\nmetadata:\n  k: 1\n  "k": 2', '4:3'],
    ['? [a]\n: b', '1:3'],
    ['a: 1\n---\nb: 2', '2:1'],
    ['%YAML 1.1\n---\nname: w', '1:1'],
    ['a: &x [*x]', '1:8'],
    [`a: ${'['.repeat(200)}`, '1:106'],
  ])('YAML %j is refused at %s', (text, place) => {
    expect(problemsOf(text)[0]).toMatch(new RegExp(`^w\\.yaml:${place}: `));
  });

  it.each([
    ['{"name": "w", }', '1:15', 'does not allow a comma'],
    ['{"a": [1,]}', '1:10', 'does not allow a comma'],
    ["{'a': 1}", '1:2', 'double quotes'],
    ['{"a": \'x\'}', '1:7', 'double quotes'],
    ['{"a": 1 "b": 2}', '1:9', "expected ',' or '}'"],
    ['{"a" 1}', '1:6', "expected ':'"],
    ['{"a": 1,\n // c\n "b": 2}', '2:2', 'no comments'],
    ['{"a": nul}', '1:7', 'expected a value'],
    ['{"a": 01}', '1:8', "expected ','"],
    ['{"a": -}', '1:7', 'expected a value'],
    ['{"a": 1e999}', '1:7', 'too large'],
    ['{"a": "x\ny"}', '1:9', 'line break'],
    ['{"a": "\\x"}', '1:8', 'unknown escape'],
    ['{"a": "\\u12g4"}', '1:8', 'unknown escape'],
    ['{"a": "x', '1:7', 'no closing quote'],
    ['{"a":\n [1, 2', '2:2', 'this list is not closed'],
    ['{"a": 1} x', '1:10', 'after the end'],
    ['', '1:1', 'ends early'],
    ['{"a": 1, "b": {"a": 1}, "a": 2}', '1:25', 'the key "a" appears twice'],
    ['{"a": 1, "\\u0061": 2}', '1:10', 'the key "a" appears twice'],
    ['['.repeat(200), '1:101', 'nested deeper'],
  ])('JSON %j is refused at %s', (text, place, message) => {
    const [first = ''] = problemsOf(text, 'w.json');
    expect(first).toMatch(new RegExp(`^w\\.json:${place}: `));
    expect(first).toContain(message);
  });

  it('counts characters, not their halves, in columns', () => {
    expect(problemsOf('{"🚀🚀": x}', 'w.json')[0]).toMatch(/^w\.json:1:8: found "x"/);
  });

  it('does not let aliases multiply', () => {
    const levels = Array.from({ length: 40 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}, *a${i}]`);
    const problems = problemsOf(lines('a0: &a0 [x]', ...levels));
    expect(problems[0]).toContain('aliases make this document too large');
  });
});

describe('shape', () => {
  it('lists every problem with its place, in the order of the file', () => {
    const text = lines(
      'name: w',
      'desciption: x',
      'jobs_sort_method: gpus_runtim_memory',
      'jobs:',
      '  - name: a',
      '    command: true',
      '    depends_on: b',
      '  - name: 7',
      '    comand: x',
    );
    expect(problemsOf(text)).toEqual([
      'w.yaml:2:1: desciption: unknown key "desciption" in a workflow; did you mean "description"?',
      'w.yaml:3:19: jobs_sort_method: found the text "gpus_runtim_memory", expected one of gpus_runtime_memory, ' +
        'gpus_memory_runtime, none; did you mean "gpus_runtime_memory"?',
      'w.yaml:6:14: jobs[0].command: found true, expected text: write it in quotes, "true"',
      'w.yaml:7:17: jobs[0].depends_on: found the text "b", expected a list: write ["b"]',
      'w.yaml:8:5: jobs[1].command: is missing; it is required',
      'w.yaml:8:11: jobs[1].name: found the number 7, expected text: write it in quotes, "7"',
      'w.yaml:9:5: jobs[1].comand: unknown key "comand" in a job; did you mean "command"?',
    ]);
  });

  it('gives places in JSON as well', () => {
    const text =
      '{\n "name": "w",\n "jobs": [\n  {"name": "a", "command": "x"},\n  {"name": "b", "command": "y", "memory": 1}\n ]\n}';
    expect(problemsOf(text, 'w.json')).toEqual([
      expect.stringMatching(/^w\.json:5:33: jobs\[1\]\.memory: unknown key/),
    ]);
  });

  it('lists the allowed keys when none is similar', () => {
    expect(problemsOf(lines('name: w', 'files: [{name: f, path: p, zzz: 1}]', 'jobs: []'))[0]).toContain(
      'unknown key "zzz" in a file; the allowed keys are name, path',
    );
  });

  it('names the docs where there are many keys', () => {
    expect(problemsOf(lines('name: w', 'jobs: [{name: a, command: x, zzz: 1}]'))).toEqual([
      'w.yaml:2:30: jobs[0].zzz: unknown key "zzz" in a job; all of its keys are in docs/specification.md',
    ]);
  });

  it.each([
    ['num_cpus', 'num_cpus'],
    ['num_cpu', 'num_cpus'],
    ['mem', 'memory'],
    ['walltime', 'runtime'],
    ['time', 'runtime'],
  ])('says that what other systems call %s of a job belongs to a resource requirement', (key, ours) => {
    const where = `"${ours}" is a key of a resource requirement, which a job names in resource_requirements`;
    expect(problemsOf(lines('name: w', `jobs: [{name: a, command: x, ${key}: 1}]`))[0]).toContain(where);
  });

  it('names the entry of a list of values that is none', () => {
    expect(problemsOf(lines('name: w', 'parameters:', '  i: [1, null]', 'jobs: [{name: a, command: x}]'))).toEqual([
      'w.yaml:3:10: parameters.i[1]: found nothing, expected a text, a number, true or false',
    ]);
  });

  it.each([
    ['jobs: [{name: a, command: x, workdir: d}]', 'did you mean "cwd"?'],
    ['jobs: [{name: a, command: x, environment: {}}]', 'did you mean "env"?'],
    ['jobs: [{name: a, command: x, needs: b}]', 'did you mean "depends_on"?'],
    ['jobs: [{name: a, command: x, script: b}]', 'did you mean "command"?'],
    ['jobs: [{name: a, command: x, blocked_by: [b]}]', 'unknown key "blocked_by" in a job; did you mean "depends_on"?'],
    ['jobs: [{name: a, cmd: x}]', 'unknown key "cmd" in a job; did you mean "command"?'],
    ['tasks: []\njobs: []', 'unknown key "tasks" in a workflow; did you mean "jobs"?'],
    [
      'jobs: []\nslurm_schedulers: [{account: a, num_nodes: 2}]',
      '"num_nodes" in a Slurm scheduler; did you mean "nodes"?',
    ],
    ['jobs: []\nslurm_schedulers: [{account: a, Queue: q}]', '"Queue" in a Slurm scheduler; did you mean "partition"?'],
    ['jobs: []\nresource_requirements: [{name: r, num_cpus: 1, time-limit: x}]', 'did you mean "runtime"?'],
    [
      'jobs: []\nresource_requirements: [{name: r, num_cpus: 1, runtime: 1m, expected_runtime: 61s}]',
      'than the runtime',
    ],
    [
      'jobs: [{name: a, command: x, mem: 1g}]',
      '"mem" in a job; "memory" is a key of a resource requirement, which a job names in resource_requirements',
    ],
    ['jobs: [{name: a, command: x, queue: q}]', '"queue" in a job; did you mean "scheduler"?'],
  ])('says which key the one of another system or version means: %s', (text, words) => {
    expect(problemsOf(`name: w\n${text}`).join('\n')).toContain(words);
  });

  it('reads the words of fixed lists in any case and style', () => {
    const read = parseSpec(
      lines(
        ...['name: w', 'stdio: On_Failure', 'jobs_sort_method: GPUS-runtime-memory', 'parameters: {i: "1:2"}'],
        ...['jobs: [{name: a, command: x, parameter_mode: ZIP, factory: {type: PARAMETER_SWEEP}}]'],
        ...['actions: [{trigger_type: ON_WORKFLOW_START, action_type: Run-Commands, commands: [x]}]'],
      ),
      { file: 'w.yaml' },
    );
    expect(read).toMatchObject({
      stdio: 'on-failure',
      jobs_sort_method: 'gpus_runtime_memory',
      jobs: [{ parameter_mode: 'zip', factory: { type: 'parameterSweep' } }],
      actions: [{ trigger_type: 'on_workflow_start', action_type: 'run_commands' }],
    });
  });

  it.each([-1, 0, 256])('says what to write instead of the exit code %d', (code) => {
    const handlers = `failure_handlers: [{name: h, rules: [{exit_codes: [${code}]}]}]`;
    expect(problemsOf(lines('name: w', 'jobs: []', handlers))).toEqual([
      expect.stringContaining(
        'expected 1 to 255: a job killed by signal n has 128 + n (SIGKILL 137), and match_all_exit_codes',
      ),
    ]);
  });

  it.each([
    ['name: 010\njobs: []', '"010"'],
    ['jobs: []\nname: 1e3 # a comment', '"1e3"'],
    ['{name: 0x1F, jobs: []}', '"0x1F"'],
  ])('hints at the text as it is written: %j', (text, word) => {
    expect(problemsOf(text)).toEqual([expect.stringContaining(`write it in quotes, ${word}`)]);
  });

  it.each([
    ['num_cpus: 0', 'found the number 0, expected at least 1'],
    ['num_cpus: 1.5', 'expected a whole number'],
    ['num_cpus: "4"', 'write it without quotes'],
    ['memory: 8', 'expected text such as "8g"'],
    ['memory: 12x', '"12x" is not an amount of memory'],
    ['memory: "512"', 'means 512 bytes'],
    ['memory: 0m', 'A job needs some memory'],
    ['num_gpus: 1.5', 'a share of one GPU'],
    ['num_gpus: -1', 'expected at least 0'],
    ['num_nodes: 0', 'expected at least 1'],
    ['runtime: 60', 'expected text such as "PT1H"'],
    ['runtime: "60"', 'does not say its unit'],
    ['runtime: PT0S', 'A job needs some time'],
    ['runtime: P1M', 'length varies'],
  ])('requirements with %s are refused', (line, message) => {
    const key = line.split(':')[0];
    const others = ['num_cpus: 1', 'memory: 1g'].filter((other) => !other.startsWith(`${key}:`));
    const text = lines(
      'name: w',
      'resource_requirements:',
      '- name: r',
      ...[...others, line].map((l) => `  ${l}`),
      'jobs: []',
    );
    const problems = problemsOf(text);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(`resource_requirements[0].${key}: `);
    expect(problems[0]).toContain(message);
  });

  it('accepts fractions of a GPU and every way to write a runtime', () => {
    const text = lines(
      'name: w',
      'resource_requirements:',
      '- {name: a, num_cpus: 1, memory: 1g, num_gpus: 0.25, runtime: 1-00:00:00}',
      '- {name: b, num_cpus: 1, memory: 1.5G, num_gpus: 2, num_nodes: 1, runtime: 90m}',
      'jobs: []',
    );
    const { requirements } = loadWorkflow(text, { file: 'w.yaml' }).workflow;
    expect(requirements.map((r) => [r.gpuThousandths, r.runtimeMs])).toEqual([
      [250, 86_400_000],
      [2000, 5_400_000],
    ]);
  });

  it.each([
    ['[]', 'expected a mapping'],
    ['just text', 'expected a mapping'],
    ['', 'is empty'],
    ['# only a comment', 'is empty'],
    ['name: w\njobs: {a: b}', 'expected a list'],
    ['name: w\njobs: [a]', 'expected a mapping'],
    ['name: w\njobs: [null]', 'expected a mapping'],
    ['name: w', 'jobs: is missing'],
  ])('the document %j is refused', (text, message) => {
    expect(problemsOf(text)[0]).toContain(message);
  });

  it('limits metadata to what JSON can express', () => {
    expect(problemsOf(lines('name: w', 'metadata: {a: [.nan]}', 'jobs: []'))[0]).toMatch(
      /^w\.yaml:2:16: metadata\.a\[0\]: found NaN/,
    );
    const deep = `{"name":"w","jobs":[],"metadata":${'['.repeat(99)}${']'.repeat(99)}}`;
    expect(problemsOf(deep, 'w.json')).toEqual([]);
  });

  it('shows 50 problems and counts the rest', () => {
    const jobs = Array.from({ length: 120 }, (_, i) => `- {name: a${i}, command: x, y: 1}`);
    const problems = problemsOf(lines('name: w', 'jobs:', ...jobs));
    expect(problems).toHaveLength(51);
    expect(problems[50]).toBe('and 70 more');
  });

  it('carries the problems as values', () => {
    const error = (() => {
      try {
        return parseSpec('name: w\njobs: 3', { file: 'dir/w.yaml' });
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(TorcError);
    expect(error).toMatchObject({
      code: 'invalid_spec',
      exitCode: 2,
      problems: [
        { file: 'dir/w.yaml', line: 2, column: 7, path: 'jobs', message: 'found the number 3, expected a list' },
      ],
    });
  });
});

describe('names', () => {
  it('finds the nearest one within a third of the letters', () => {
    expect(nearestName('trian', ['train', 'test'])).toBe('train');
    expect(nearestName('Preprocess', ['preprocess'])).toBe('preprocess');
    expect(nearestName('ab', ['cd', 'b'])).toBe('b');
    expect(nearestName('abc', ['xyz'])).toBeNull();
    expect(nearestName('command', ['comand', 'commands'])).toBe('comand');
    expect(nearestName('x'.repeat(5000), ['x'.repeat(5001)])).toBeNull();
  });

  it('writes paths as people do', () => {
    expect(pathText([])).toBe('');
    expect(pathText(['jobs', 3, 'depends_on', 0])).toBe('jobs[3].depends_on[0]');
    expect(pathText(['metadata', 'a b', '\n'])).toBe('metadata["a b"]["\\n"]');
  });
});
