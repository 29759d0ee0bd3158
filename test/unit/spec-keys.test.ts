// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in texts are written like that
/** The keys of torc 1.0: each does what it says, or is told of with its place. */
import { describe, expect, it } from 'vitest';
import { jsonText } from '../../src/base/exact-json.ts';
import { readSpec } from '../../src/model/expand/read.ts';
import { modeOf, stdioModes, stdioParts } from '../../src/model/launch.ts';
import { notesOn } from '../../src/model/spec/without-effect.ts';
import { loadWorkflow } from '../support/specification.ts';

const load = (spec: object) =>
  loadWorkflow(JSON.stringify({ name: 'w', jobs: [{ name: 'a', command: 'x' }], ...spec }), { file: 'w.json' })
    .workflow;

/** What is told of a specification in YAML without its name and jobs. */
function notes(yaml: string): string[] {
  return notesOfJobs(`jobs: [{ name: a, command: x }]\n${yaml}`);
}

function notesOfJobs(yaml: string): string[] {
  const text = `name: w\n${yaml}\n`;
  const { spec, where } = readSpec(text, { file: 'w.yaml' });
  return notesOn(spec, 'w.yaml', where);
}

describe('a key that has an effect', () => {
  it('execution_config.sigkill_headroom_seconds: what runs is ended this long before the allocation', () => {
    expect(load({ execution_config: { sigkill_headroom_seconds: 60 } }).expirationBufferSeconds).toBe(60);
    const both = { compute_node_expiration_buffer_seconds: 180, execution_config: { sigkill_headroom_seconds: 60 } };
    expect(() => load(both)).toThrow(
      'execution_config.sigkill_headroom_seconds: means compute_node_expiration_buffer_seconds, which the workflow has too',
    );
  });

  it('execution_config.termination_signal and sigterm_lead_seconds', () => {
    const config = { termination_signal: 'SIGUSR1', sigterm_lead_seconds: 7 };
    expect(load({ execution_config: config })).toMatchObject({ terminationSignal: 'SIGUSR1', sigtermLeadSeconds: 7 });
  });

  it('execution_config.limit_resources: memory is for packing only', () => {
    const resource_requirements = [{ name: 'r', num_cpus: 1, memory: '8g' }];
    const of = (limit_resources: boolean) => load({ resource_requirements, execution_config: { limit_resources } });
    const bytes = 8 * 1024 ** 3;
    expect(of(true).requirements[0]).toMatchObject({ memoryBytes: bytes, isMemoryStated: true });
    expect(of(false).requirements[0]).toMatchObject({ memoryBytes: bytes, isMemoryStated: false });
  });

  it('execution_config.stdio: the words of torc 1.0', () => {
    const modes = ['separate', 'combined', 'no_stdout', 'no_stderr', 'none'] as const;
    const of = (delete_on_success?: boolean) => modes.map((mode) => modeOf({ mode, delete_on_success }));
    expect(of()).toEqual(['files', 'per-job', 'no-stdout', 'no-stderr', 'none']);
    const removed = ['on-failure', 'per-job-on-failure', 'no-stdout-on-failure', 'no-stderr-on-failure', 'none'];
    expect(of(true)).toEqual(removed);
    expect(load({ execution_config: { stdio: { mode: 'combined' } } }).stdio).toBe('per-job');
    expect(load({ execution_config: { stdio: { delete_on_success: true } } }).stdio).toBe('on-failure');
    expect(load({ stdio: 'combined' }).stdio).toBe('combined');
    expect(() => load({ stdio: 'none', execution_config: { stdio: { mode: 'none' } } })).toThrow(
      'execution_config.stdio: is given in the workflow too',
    );
    expect(stdioModes.filter((mode) => stdioParts(mode).isForFailures)).toEqual(removed.slice(0, 4));
  });

  it('stdio, cwd, stdin and container of a job', () => {
    const files = [{ name: 'in', path: 'a b.txt' }];
    const jobs = [
      { name: 'a', command: 'x', stdio: { mode: 'no_stderr' }, stdin: '${files.input.in}' },
      {
        name: 'b_{i}',
        command: 'x',
        stdio: 'combined',
        cwd: 'run_{i}',
        container: 'tool_{i}.sif',
        pin: true,
        cpu_placement: 'spread',
        execution: 'direct',
        warm: './serve',
        parameters: { i: [1] },
      },
      { name: 'c', command: 'x' },
    ];
    const [a, b, c] = load({ files, jobs }).jobs;
    expect(a).toMatchObject({ launch: { stdio: 'no-stderr', stdin: 'a b.txt' }, inputFiles: [0] });
    expect(b?.launch).toEqual({
      stdio: 'combined',
      cwd: 'run_1',
      container: 'tool_1.sif',
      pin: true,
      cpu_placement: 'spread',
      execution: 'direct',
      warm: './serve',
    });
    expect(c).not.toHaveProperty('launch');
    expect(() => load({ jobs: [{ name: 'a', command: 'x', stdio: { mod: 'none' } }] })).toThrow(
      'w.json:1:56: jobs[0].stdio.mod: unknown key "mod" in a stdio mapping; did you mean "mode"?',
    );
    expect(() => load({ jobs: [{ name: 'a', command: 'x', stdio: 'non' }] })).toThrow(
      'jobs[0].stdio: found the text "non", expected one of files, combined,',
    );
  });

  it('execution and pin of a workflow, execution_config.mode', () => {
    expect(load({ pin: true, execution: 'slurm' })).toMatchObject({ pin: true, execution: 'slurm' });
    for (const mode of ['slurm', 'auto']) {
      expect(load({ execution_config: { mode } })).toMatchObject({ execution: 'slurm' });
    }
    for (const plain of [{}, { pin: false, execution: 'direct' }, { execution_config: { mode: 'direct' } }]) {
      const workflow = load(plain);
      expect([workflow.pin, workflow.execution]).toEqual([undefined, undefined]);
    }
    expect(() => load({ execution: 'direct', execution_config: { mode: 'slurm' } })).toThrow(
      'execution_config.mode: means execution, which the workflow has too; remove one of them',
    );
    expect(() => load({ execution: 'srun' })).toThrow(
      'execution: found the text "srun", expected one of direct, slurm',
    );
  });

  it('resource_monitor.jobs: the time series of jobs', () => {
    const jobs = { enabled: true, granularity: 'time_series' };
    expect(load({ resource_monitor: { jobs, sample_interval_seconds: 2 } }).resourceMonitor).toMatchObject({
      ...{ enabled: true, granularity: 'time_series', sampleIntervalSeconds: 2 },
    });
    expect(load({ resource_monitor: { enabled: true, jobs: { enabled: false } } }).resourceMonitor?.enabled).toBe(
      false,
    );
  });

  it('metadata: a text or anything else, as it is written', () => {
    expect(load({ metadata: '{"a": 1}' }).metadata).toBe('{"a": 1}');
    expect(load({ metadata: { a: [1] } }).metadata).toEqual({ a: [1] });
  });
});

describe('variables', () => {
  const jobs = [
    { name: '{who}_{i:02d}', command: 'x {root}/{i} {n:03d} {v} ${root} {other}', parameters: { i: '1:2' } },
  ];

  it('stand in every text, with formats, and leave other braces alone', () => {
    const yaml = [
      'name: "{who} study"',
      'variables: { who: ann, root: "/r {v}", n: 7, v: 1.10, on: true }',
      'files: [{ name: f, path: "{root}/f" }]',
      'user_data: [{ name: d, data: { list: ["{who}", 5, "{on}"], big: 9007199254740993 } }]',
      `jobs: ${JSON.stringify(jobs)}`,
    ].join('\n');
    const { workflow } = loadWorkflow(yaml, { file: 'w.yaml' });
    expect(workflow.name).toBe('ann study');
    expect([...workflow.jobs].map(({ name, command }) => [name, command])).toEqual([
      ['ann_01', 'x /r {v}/1 007 1.10 ${root} {other}'],
      ['ann_02', 'x /r {v}/2 007 1.10 ${root} {other}'],
    ]);
    expect(workflow.files[0]?.path).toBe('/r {v}/f');
    expect(jsonText(workflow.userData[0]?.data)).toBe('{"list":["ann",5,"true"],"big":9007199254740993}');
  });

  it('are refused where a name has two meanings, or a format does not fit', () => {
    expect(() => load({ variables: { i: 1, who: 'a', root: 'b', n: 'many', v: 1 }, jobs })).toThrow(
      /jobs\[0\]\.command: the format of "\{n:03d\}"[\s\S]*variables\.i: "i" is also a parameter; give one of them another name/,
    );
    expect(() => load({ variables: { a: [1] } })).toThrow('variables.a: found a list');
    expect(() => load({ variables: { 'a b': 1 } })).toThrow('variables["a b"]: the name "a b"');
  });
});

describe('values in files', () => {
  const texts: Record<string, string> = {
    'v.txt': 'a\n\n 7 \n"8"\r\n',
    'rows.csv': 'site,year,rate\n"no,rth", 2023,0.10\nsouth,2024,1e-3\n',
    'rows.json': '[{"site": "n", "year": 1}, {"site": "s", "year": 2}]',
    'rows.jsonl': '{"site": "n", "year": 1}\n\n{"site": "s", "year": 2}\n',
    'short.csv': 'a,b\n1\n',
    'bad.jsonl': '{"a": 1}\n{"b": 1}\n',
    'deep.json': '[{"a": [1]}]',
    'empty.txt': '\n',
  };
  const readText = (path: string) => {
    const text = texts[path];
    if (text === undefined) throw new Error(`there is no file ${path}`);
    return text;
  };
  const expand = (spec: object) =>
    loadWorkflow(JSON.stringify({ name: 'w', ...spec }), { file: 'w.json', readText }).workflow;
  const namesOf = (spec: object) => [...expand(spec).jobs].map(({ name }) => name);

  it('are lists of one value a line', () => {
    const jobs = [{ name: 'a_{v}', command: 'x', parameters: { v: '@v.txt' } }];
    expect(namesOf({ jobs })).toEqual(['a_a', 'a_7', 'a_8']);
    expect(
      namesOf({ parameters: { v: '@v.txt' }, jobs: [{ name: '{v}', command: 'x', use_parameters: ['v'] }] }),
    ).toEqual(['a', '7', '8']);
  });

  it.each(['rows.json', 'rows.jsonl'])('are tables in %s', (parameters_file) => {
    expect(namesOf({ jobs: [{ name: '{site}{year:02d}', command: 'x', parameters_file }] })).toEqual(['n01', 's02']);
  });

  it('are tables in CSV, of the workflow or of an element, whose rows go together', () => {
    const shared = { use_parameters_file: true };
    const spec = {
      parameters_file: 'rows.csv',
      files: [{ name: 'f_{year}', path: '{site}', ...shared }],
      user_data: [{ name: 'd_{year}', data: { s: '{site}', in: ['{rate}', 1] }, ...shared }],
      jobs: [
        {
          name: '{year}_{k}',
          command: 'x {site} {rate:.2f}',
          ...shared,
          parameters: { k: '1:2' },
          input_files: ['f_{year}'],
        },
        { name: 'z{year}{k}', command: 'x', ...shared, parameters: { k: '[p,q]' }, parameter_mode: 'zip' },
      ],
    };
    const { jobs, files, userData } = expand(spec);
    expect([...jobs].map(({ name, command, inputFiles }) => [name, command, inputFiles])).toEqual([
      ['2023_1', 'x no,rth 0.10', [0]],
      ['2023_2', 'x no,rth 0.10', [0]],
      ['2024_1', 'x south 0.00', [1]],
      ['2024_2', 'x south 0.00', [1]],
      ['z2023p', 'x', []],
      ['z2024q', 'x', []],
    ]);
    expect(files.map(({ name, path }) => [name, path])).toEqual([
      ['f_2023', 'no,rth'],
      ['f_2024', 'south'],
    ]);
    expect(userData.map(({ name, data }) => [name, data])).toEqual([
      ['d_2023', { s: 'no,rth', in: ['0.1', 1] }],
      ['d_2024', { s: 'south', in: ['0.001', 1] }],
    ]);
  });

  it.each([
    [{ parameters: { v: '@none.txt' } }, 'w.json:1:65: jobs[0].parameters.v: there is no file none.txt'],
    [{ parameters: { v: '@empty.txt' } }, 'jobs[0].parameters.v: "empty.txt" has no values'],
    [{ parameters_file: 'none.csv' }, 'jobs[0].parameters_file: there is no file none.csv'],
    [{ parameters_file: 'short.csv' }, 'jobs[0].parameters_file: "short.csv": Invalid Record Length'],
    [{ parameters_file: 'bad.jsonl' }, 'row 2 of "bad.jsonl" has "b", which the first one does not have'],
    [{ parameters_file: 'deep.json' }, '"a" in row 1 of "deep.json" is not a text, a number, true or false'],
    [
      { parameters_file: 'v.txt' },
      'jobs[0].parameters_file: line 1 of "v.txt" is not JSON; a table is .csv, .json or .jsonl',
    ],
    [{ use_parameters_file: true }, 'jobs[0].use_parameters_file: the workflow has no parameters_file'],
    [{ parameters_file: 'rows.csv', parameters: { site: 1 } }, 'jobs[0].parameters_file: "site" is given twice'],
    [{ parameters_file: 'rows.csv', parameters: { k: '1:3' }, parameter_mode: 'zip' }, 'zip takes one value of each'],
  ])('%j is refused', (job, message) => {
    expect(() => expand({ jobs: [{ name: 'a', command: 'x', ...job }] })).toThrow(message);
  });

  it('of a workflow that no job uses are told of', () => {
    expect(notes('parameters_file: rows.csv')).toEqual([
      'w.yaml:3:1: parameters_file has no effect: no job has use_parameters_file: true',
    ]);
  });
});

describe('parameters of user data', () => {
  it('make a document for each combination, which jobs refer to by name', () => {
    const user_data = [{ name: 'd_{i}', data: { n: '{i}', same: 1 }, parameters: { i: '1:2' } }, { data: '{i}' }];
    const jobs = [{ name: 'a_{i}', command: "x '${user_data.input.d_{i}}'", parameters: { i: '1:2' } }];
    const workflow = load({ user_data, jobs });
    expect(workflow.userData.map(({ name, data }) => [name, data])).toEqual([
      ['d_1', { n: '1', same: 1 }],
      ['d_2', { n: '2', same: 1 }],
      ['default', '{i}'],
    ]);
    expect([...workflow.jobs].map(({ inputUserData }) => inputUserData)).toEqual([[0], [1]]);
    const twice = [{ name: 'd', data: '{i}', parameters: { i: '1:2' } }];
    expect(() => load({ user_data: twice })).toThrow('makes two different user_data named "d": data "1" and "2"');
  });
});

describe('a key without an effect is told of with its place', () => {
  it.each([
    ['enable_ro_crate: true', 'enable_ro_crate has no effect: torc writes no RO-Crate'],
    ['access_groups: [team]', 'access_groups has no effect: a server serves one person'],
    ['dynamic_jobs: { max_iterations: 3 }', 'dynamic_jobs.max_iterations has no effect: .*max_dynamic_jobs'],
    ['use_pending_failed: true', 'use_pending_failed has no effect: .*reset-status KEY --failed-only --restart'],
    ['files: [{ name: f, path: p, identifier: x }]', 'files\\[0\\].identifier has no effect'],
    ['files: [{ name: f, path: p, st_mtime: 5 }]', 'files\\[0\\].st_mtime has no effect'],
    [
      'slurm_schedulers: [{ account: a, serialize_allocations: true }]',
      'slurm_schedulers\\[0\\].serialize_allocations has no effect',
    ],
    ['execution_config: { timeout_exit_code: 9 }', 'execution_config.timeout_exit_code has no effect: .* is 152'],
    ['execution_config: { oom_exit_code: 9 }', 'execution_config.oom_exit_code has no effect: .* is 137'],
    ['execution_config: { staggered_start: true }', 'execution_config.staggered_start has no effect'],
    ['execution_config: { srun_termination_signal: TERM@9 }', 'execution_config.srun_termination_signal has no effect'],
    ['execution_config: { enable_cpu_bind: true }', 'execution_config.enable_cpu_bind has no effect'],
    ['execution_config: { srun_mpi: pmix }', 'execution_config.srun_mpi has no effect: .*--mpi=pmix'],
    ['resource_monitor: { generate_plots: true }', 'resource_monitor.generate_plots has no effect'],
    ['resource_monitor: { compute_node: { enabled: true, cpu: true } }', 'resource_monitor.compute_node has no effect'],
    ['resource_monitor: { flush_interval_seconds: 9 }', 'resource_monitor.flush_interval_seconds has no effect'],
    ['resource_monitor: { metrics: [cpu] }', 'resource_monitor.metrics has no effect: it is unknown'],
    ['env: { TORC_JOB_KEY: 1 }', 'env.TORC_JOB_KEY has no effect: torc sets TORC_'],
  ])('%s', (yaml, message) => {
    const [note, ...others] = notes(yaml);
    expect(note).toMatch(new RegExp(`^w\\.yaml:3:\\d+: ${message}`));
    expect(others).toEqual([]);
  });

  const swept = (job: string) => notesOfJobs(`jobs: [{ name: "a", parameters: { i: "1:3" }, ${job} }]`);

  it('a parameter that its job names nowhere: what would be several jobs is one', () => {
    expect(swept('command: "x ${i} {j}"')).toEqual([
      'w.yaml:2:35: jobs[0].parameters.i has no effect: the job "a" names it nowhere, and equal jobs become one: write {i} in its name',
    ]);
    const shared = 'parameters: { k: "1:3" }\njobs: [{ name: a, command: x, use_parameters: [k] }]';
    expect(notesOfJobs(shared)).toEqual([
      expect.stringContaining('jobs[0].use_parameters[0] has no effect: the job "a"'),
    ]);
    for (const job of ['command: "x {i:02d}"', 'command: x, input_files: ["f_{i}"]']) expect(swept(job)).toEqual([]);
  });

  it('once for all elements that have it, and in the order of the file', () => {
    const files = Array.from({ length: 3 }, (_, i) => `{ name: f${i}, path: p${i}, st_mtime: 1 }`).join(', ');
    expect(notes(`env: { TORC_X: 1 }\nfiles: [${files}]\nenable_ro_crate: true`)).toEqual([
      'w.yaml:3:8: env.TORC_X has no effect: torc sets TORC_.. itself',
      'w.yaml:4:31: files[0].st_mtime has no effect: torc looks at the file itself (the same for 2 more)',
      'w.yaml:5:1: enable_ro_crate has no effect: torc writes no RO-Crate',
    ]);
  });

  it('but not where it says what torc does anyhow', () => {
    const config =
      'mode: auto, timeout_exit_code: 152, oom_exit_code: 137, limit_resources: true, enable_cpu_bind: false';
    expect(notes(`execution_config: { ${config} }\nenable_ro_crate: false\naccess_groups: []`)).toEqual([]);
    expect(notes('resource_monitor: { enabled: true, compute_node: { enabled: false } }')).toEqual([]);
  });
});
