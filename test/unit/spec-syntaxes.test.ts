import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { ExpandedWorkflow } from '../../src/model/expanded.ts';
import { SpecError } from '../../src/model/spec/problems.ts';
import { specJsonSchema } from '../../src/model/spec/schema.ts';
import { specSyntaxes } from '../../src/model/spec/source.ts';
import type { WorkflowSpec } from '../../src/model/spec/spec.ts';
import { specText } from '../../src/model/spec/spec-text.ts';
import { loadWorkflow, parseSpec } from '../support/specification.ts';

function lines(...text: string[]): string {
  return `${text.join('\n')}\n`;
}

function problemsOf(source: string, file: string): string[] {
  try {
    loadWorkflow(source, { file });
  } catch (error) {
    if (error instanceof SpecError) return error.message.split('\n');
    throw error;
  }
  return [];
}

/** Every key of the format at least once. */
const everything = {
  name: 'w',
  user: 'me',
  description: 'd',
  project: 'p',
  metadata: { a: [1, { b: null }], c: 'x' },
  attributes: { release_id: 123, description: 'Q4' },
  env: { A: 1.5, B: 'b {i}' },
  parameters: { i: '1:2', s: [3, 'x', true] },
  parameters_file: 'rows.csv',
  variables: { root: '/r', n: 2 },
  compute_node_expiration_buffer_seconds: 1,
  compute_node_wait_for_new_jobs_seconds: 2,
  compute_node_ignore_workflow_completion: true,
  compute_node_wait_for_healthy_database_minutes: 3,
  jobs_sort_method: 'none',
  pin: true,
  execution: 'slurm',
  max_concurrent_jobs: 8,
  limits: { matlab: 3, disk: 0 },
  jobs: [
    {
      name: 'a_{i}',
      command: 'x "{i}"\ny',
      invocation_script: 'bash',
      cancel_on_blocking_job_failure: false,
      supports_termination: true,
      resource_requirements: 'r',
      failure_handler: 'h',
      scheduler: 's',
      labels: ['fast', 'site-{i}'],
      limits: ['matlab', 'disk'],
      input_files: ['raw'],
      output_files: ['f_{i}'],
      output_user_data: ['u'],
      priority: -1,
      attributes: { site: 'site {i}', draft: true },
      env: { SEED: '{i}' },
      stdio: { mode: 'combined', delete_on_success: true },
      cwd: 'd{i}',
      stdin: 'in',
      container: 'tool.sif',
      pin: false,
      cpu_placement: 'compact',
      execution: 'direct',
      warm: './serve',
      parameters: { i: '1:1' },
      parameter_mode: 'zip',
      use_parameters: ['i'],
      use_parameters_file: false,
    },
    {
      name: 'b',
      command: 'x',
      depends_on: ['a_{i}', 'c'],
      depends_on_regexes: ['^a', 'c_0$'],
      input_file_regexes: ['^f_', 'w$'],
      output_file_regexes: ['^out'],
      input_user_data: ['u'],
      input_user_data_regexes: ['^u$'],
      output_user_data_regexes: ['^v'],
      factory: { type: 'zip', parameters: [{ name: 'z', values: [7] }] },
    },
    { name: 'c', command: 'x' },
    { name: 'd', steps: [{ command: 'x', ignore_failure: true, max_retries: 2 }, { command: 'y' }] },
  ],
  files: [
    { name: 'raw', path: 'raw', identifier: 'doi:1' },
    { name: 'f_{i}', path: 'f{i}', parameters: { i: [1] }, parameter_mode: 'product' },
    { name: 'out', path: 'o' },
  ],
  user_data: [
    { name: 'u', data: { k: [1, 'two'] }, is_ephemeral: true },
    { name: 'v', data: 5, parameters: { u: '1:2' }, use_parameters: ['i'] },
    { name: 'w', data: [{ k: null }] },
  ],
  resource_requirements: [
    {
      ...{ name: 'r', num_cpus: 1, memory: '1g', num_gpus: 1, num_nodes: 1, runtime: 'PT1M', expected_runtime: '50s' },
      resources: { fpga: 1, scratch_gb: 200 },
    },
  ],
  failure_handlers: [
    {
      name: 'h',
      rules: [{ exit_codes: [10, 11], recovery_script: 'fix.sh', max_retries: 1 }, { match_all_exit_codes: true }],
    },
  ],
  slurm_schedulers: [
    {
      name: 's',
      account: 'acc',
      partition: 'p',
      qos: 'q',
      walltime: '1-00:00:00',
      nodes: 2,
      ntasks_per_node: 1,
      mem: '10G',
      gres: 'gpu:1',
      tmp: '1G',
      extra: '--exclusive',
      labels: ['fast', 'site-1'],
      also_unlabelled: true,
      resources: { fpga: 2 },
      serialize_allocations: true,
    },
  ],
  slurm_defaults: { 'mail-type': 'END', requeue: true },
  resource_monitor: {
    enabled: true,
    granularity: 'summary',
    sample_interval_seconds: 5,
    generate_plots: false,
    jobs: { enabled: true, granularity: 'summary' },
    compute_node: { enabled: true, granularity: 'summary', cpu: true, memory: false },
    flush_interval_seconds: 9,
  },
  actions: [
    { trigger_type: 'on_workflow_start', action_type: 'run_commands', commands: ['mkdir x', 'true'] },
    {
      trigger_type: 'on_jobs_ready',
      action_type: 'schedule_nodes',
      jobs: ['c'],
      job_name_regexes: ['^a_', '^b'],
      scheduler: 's',
      scheduler_type: 'slurm',
      num_allocations: 2,
      start_one_worker_per_node: true,
      max_parallel_jobs: 4,
      persistent: true,
    },
  ],
  use_pending_failed: false,
  enable_ro_crate: true,
  access_groups: ['g'],
  dynamic_jobs: { max_iterations: 3 },
  execution_config: {
    termination_signal: 'SIGINT',
    sigterm_lead_seconds: 5,
    timeout_exit_code: 7,
    oom_exit_code: 8,
    limit_resources: false,
    staggered_start: true,
    srun_termination_signal: 'TERM@60',
    enable_cpu_bind: true,
    srun_mpi: 'none',
    stdio: { mode: 'no_stdout', delete_on_success: false },
  },
  factories: [{ type: 'repeat', number: 2, jobs: ['c'] }],
};

const everythingInKdl = `
name "w"; user "me"; description "d"; project "p"
metadata { a { - 1; - { b #null } }; c "x" }
attributes release_id=123 { description "Q4" }
env A=1.5 { B "b {i}" }
parameters { i "1:2"; s 3 "x" #true }
parameters_file "rows.csv"; variables root="/r" { n 2 }
compute_node_expiration_buffer_seconds 1
compute_node_wait_for_new_jobs_seconds 2
compute_node_ignore_workflow_completion #true
compute_node_wait_for_healthy_database_minutes 3
jobs_sort_method none
pin #true; execution "slurm"
max_concurrent_jobs 8
limits matlab=3 { disk 0 }
job "a_{i}" priority=-1 {
  attributes { site "site {i}"; draft #true }
  env SEED="{i}"
  stdio mode="combined" { delete_on_success #true }
  cwd "d{i}"; stdin "in"; container "tool.sif"; pin #false; cpu_placement "compact"; execution "direct"; warm "./serve"
  command "x \\"{i}\\"\\ny"
  invocation_script "bash"
  cancel_on_blocking_job_failure #false
  supports_termination #true
  resource_requirements "r"
  failure_handler "h"
  scheduler "s"
  label "fast"
  label "site-{i}"
  limits "matlab" "disk"
  input_file "raw"
  output_file "f_{i}"
  output_user_data "u"
  parameters { i "1:1" }
  parameter_mode "zip"
  use_parameters "i"; use_parameters_file #false
}
job "b" {
  command "x"
  depends_on_job "a_{i}"
  depends_on_job "c"
  depends_on_regexes "^a" "c_0$"
  input_file_regex "^f_"
  input_file_regex "w$"
  output_file_regex "^out"
  input_user_data "u"
  input_user_data_regex "^u$"
  output_user_data_regex "^v"
  factory type="zip" { parameter "z" { values 7 } }
}
job "c" { command "x" }
job "d" { step command="x" { ignore_failure #true; max_retries 2 }; step { command "y" } }
file "raw" path="raw" identifier="doi:1"
file "f_{i}" path="f{i}" { parameters { i { - 1 } }; parameter_mode "product" }
file "out" { path "o" }
user_data "u" { data "{\\"k\\": [1, \\"two\\"]}"; is_ephemeral #true }
user_data "v" data=5 { parameters u="1:2"; use_parameters "i" }
user_data "w" data="[{\\"k\\": null}]"
resource_requirements "r" { num_cpus 1; memory "1g"; num_gpus 1; num_nodes 1; runtime "PT1M"; expected_runtime "50s"
  resources fpga=1 { scratch_gb 200 } }
failure_handler "h" {
  rule { exit_codes 10 11; recovery_script "fix.sh"; max_retries 1 }
  rule { match_all_exit_codes #true }
}
slurm_scheduler "s" {
  account "acc"; partition "p"; qos "q"; walltime "1-00:00:00"; nodes 2; ntasks_per_node 1
  mem "10G"; gres "gpu:1"; tmp "1G"; extra "--exclusive"
  labels "fast" "site-1"; also_unlabelled #true; serialize_allocations #true; resources fpga=2
}
slurm_defaults { mail-type "END"; requeue #true }
resource_monitor enabled=#true { granularity "summary"; sample_interval_seconds 5; generate_plots #false
  jobs enabled=#true { granularity "summary" }
  compute_node enabled=#true granularity="summary" cpu=#true memory=#false; flush_interval_seconds 9 }
action { trigger_type "on_workflow_start"; action_type "run_commands"; command "mkdir x"; command "true" }
action {
  trigger_type "on_jobs_ready"; action_type "schedule_nodes"
  job "c"; job_name_regex "^a_"; job_name_regex "^b"
  scheduler "s"; scheduler_type "slurm"; num_allocations 2
  start_one_worker_per_node #true; max_parallel_jobs 4; persistent #true
}
use_pending_failed #false
enable_ro_crate #true
access_groups "g"
dynamic_jobs max_iterations=3
execution_config {
  termination_signal "SIGINT"; sigterm_lead_seconds 5; timeout_exit_code 7; oom_exit_code 8
  limit_resources #false; staggered_start #true; srun_termination_signal "TERM@60"; enable_cpu_bind #true; srun_mpi "none"
  stdio mode="no_stdout" { delete_on_success #false }
}
factories type="repeat" number=2 { jobs "c" }
`;

describe('every key of the format', () => {
  it('is read the same from YAML, JSON, JSON5 and KDL', () => {
    const spec = JSON.parse(JSON.stringify(everything)) as unknown;
    expect(parseSpec(stringify(everything), { file: 'w.yaml' })).toEqual(spec);
    expect(parseSpec(JSON.stringify(everything), { file: 'w.json' })).toEqual(spec);
    const json5 = JSON.stringify(everything, null, 2)
      .replace(/"([a-z_]+)":/g, '$1:')
      .replaceAll('\n}', ',\n} // end');
    expect(parseSpec(json5, { file: 'w.json5' })).toEqual(spec);
    expect(parseSpec(everythingInKdl, { file: 'w.kdl' })).toMatchObject(everything);
  });

  it.each(specSyntaxes)('is written as %s, with comments before it, so that it is read the same', (syntax) => {
    const templates = [{ name: 't', command: 'x {k} {o}', key_args: ['k'], op_args: ['o'] }];
    const spec = { ...everything, templates };
    const text = specText(spec as WorkflowSpec, syntax, ['what it is', '']);
    expect(parseSpec(text, { file: `w.${syntax}` })).toEqual(JSON.parse(JSON.stringify(spec)));
    expect(text.includes('what it is')).toBe(syntax !== 'json');
  });

  it('is in the JSON Schema, which allows no others', () => {
    const schema = JSON.parse(JSON.stringify(specJsonSchema())) as Record<string, Record<string, unknown>>;
    expect(Object.keys(schema.properties ?? {})).toEqual(expect.arrayContaining(Object.keys(everything)));
    expect(schema).toMatchObject({ type: 'object', required: ['name', 'jobs'], additionalProperties: false });
    expect(schema.properties?.jobs).toMatchObject({ items: { required: ['name'] } });
  });
});

describe('attributes', () => {
  const load = (text: string, file: string) => loadWorkflow(text, { file }).workflow;

  it('are texts as they are written, filled in for each job of a sweep', () => {
    const yaml = lines(
      'name: w',
      'workflow_attributes: {version: 1.10, release_id: 123, final: true}',
      'jobs:',
      '  - {name: "a_{i}", command: x, attributes: {step: "no {i:02d}", size: 1.0}, parameters: {i: "1:2"}}',
      '  - {name: b, command: x, attributes: {}}',
    );
    const { attributes, jobs } = load(yaml, 'w.yaml');
    expect(attributes).toEqual({ version: '1.10', release_id: '123', final: 'true' });
    expect([...jobs].map((job) => job.attributes)).toEqual([
      { step: 'no 01', size: '1.0' },
      { step: 'no 02', size: '1.0' },
      undefined,
    ]);
    const kdl = 'name "w"; attributes version=1.10 { other 2 }\njob "a" { command "x"; attributes size=1.0 }';
    const fromKdl = load(kdl, 'w.kdl');
    expect([fromKdl.attributes, [...fromKdl.jobs][0]?.attributes]).toEqual([
      { version: '1.10', other: '2' },
      { size: '1.0' },
    ]);
    expect(load('{name: "w", attributes: {v: 1.10}, jobs: []}', 'w.json5').attributes).toEqual({ v: '1.10' });
  });

  it('tell apart instances of a sweep with the same name', () => {
    const job = { name: 'a', command: 'x', attributes: { n: '{i}' }, parameters: { i: '1:2' } };
    const text = JSON.stringify({ name: 'w', jobs: [job] });
    expect(problemsOf(text, 'w.json')).toEqual([expect.stringContaining('attribute n "1" and "2"')]);
  });

  it('have limits, each told at its place', () => {
    const many = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`a${i}`, i]));
    const long = {
      name: '{i}',
      command: 'x',
      attributes: { t: `${'x'.repeat(997)}{i}` },
      parameters: { i: '[aaa,bbbbb]' },
    };
    const spec = {
      name: 'w',
      attributes: { '2nd': 1, list: [1], empty: null },
      workflow_attributes: {},
      jobs: [
        { name: 'a', command: 'x', attributes: many },
        { name: 'b', command: 'x', attributes: { t: 'x'.repeat(1001) } },
      ],
    };
    const problems = problemsOf(JSON.stringify(spec), 'w.json').map((line) => line.replace(/^[^ ]* /, ''));
    expect(problems).toEqual([
      expect.stringContaining('attributes["2nd"]: an attribute name is a letter and at most 63 more'),
      expect.stringContaining('attributes.list: found a list, expected a text, a number, true or false'),
      expect.stringContaining('attributes.empty: found nothing, expected a text, a number, true or false'),
      expect.stringContaining('workflow_attributes: is another name of attributes'),
      expect.stringContaining('jobs[0].attributes: has 101 attributes; at most 100 are allowed'),
      expect.stringContaining('jobs[1].attributes.t: is 1001 characters long'),
    ]);
    const proto = problemsOf(
      '{"name": "w", "jobs": [{"name": "a", "command": "x", "attributes": {"__proto__": 1}}]}',
      'w.json',
    );
    expect(proto).toEqual([expect.stringContaining('jobs[0].attributes.__proto__: cannot be used as a name')]);
    const swept = problemsOf(JSON.stringify({ name: 'w', jobs: [long] }), 'w.json');
    expect(swept).toEqual([expect.stringContaining('jobs[0].attributes.t: is 1002 characters long')]);
  });
});

describe('JSON5', () => {
  it('has places of keys and values through comments, quotes and bare words', () => {
    const text = lines(
      '// "jobs": { not this }',
      '{ name: "w", /* } */ metadata: { "a//b": 1, \'it\\\'s\': +.5, h: 0x1F },',
      "  jobs: [ { 'name': 'a', comand: 'x \\",
      "y', }, {name: 'b', command: '{}', depends_on: ['a', 'c'] } ],",
      '}',
    );
    expect(problemsOf(text, 'w.json5')).toEqual([
      'w.json5:3:11: jobs[0].command: is missing; it is required',
      'w.json5:3:26: jobs[0].comand: unknown key "comand" in a job; did you mean "command"?',
      'w.json5:4:53: jobs[1].depends_on[1]: there is no job "c"; did you mean "a"?',
    ]);
  });

  it.each([
    ['{name: "w" jobs: []}', '1:12', "invalid character 'j'"],
    ['{name: "w"', '1:11', 'invalid end of input'],
    ['{name: "w", "name": "v", jobs: []}', '1:13', 'the key "name" appears twice'],
    [`{metadata: ${'['.repeat(150)}${']'.repeat(150)}}`, '1:111', 'nested deeper'],
    ['{name: "w", jobs: [], metadata: Infinity}', '1:33', 'found Infinity'],
    ['{name: "w", jobs: [], __proto__: {}}', '1:23', 'unknown key'],
  ])('is refused at the place of what is wrong (%#)', (text, place, message) => {
    const [first = ''] = problemsOf(text, 'w.json5');
    expect(first).toContain(`w.json5:${place}: `);
    expect(first).toContain(message);
  });
});

describe('KDL', () => {
  it.each([
    [
      'name "w"\njob "a" {\n  comand "x"\n  command "y"\n}',
      '3:3',
      'unknown key "comand" in a job; did you mean "command"?',
    ],
    ['name "w"\njob "a" command="x" {\n  depends_on_job "🚀" "b"\n}', '3:18', 'there is no job "🚀"'],
    ['name "w"\njob "a" { command "x"; command "y" }', '2:24', '"command" appears twice'],
    ['name "w"\njob "a" "b" { command "x" }', '2:9', 'a second name for "job"'],
    ['name "w"\njob "a" { command }', '2:11', 'is missing; it is required'],
    ['name "w"\njob "a" { command "x"; priority high }', '2:33', 'expected a number'],
    ['name "w"\njob "a" { command "x" ', '2:23', 'inside braces'],
    ['name "w" 5 { a 1 }\n', '1:1', '"name" has both a value and keys'],
    ['name "w"\njob "a" { command "x"; depends_on { b 1 } }', '2:37', 'is a list of values'],
    ['name "w"\nparameters 5', '2:12', 'has its values in braces'],
    ['name true', '1:10', 'add a leading #'],
    ['name "w\n"', '1:8', 'newlines'],
    [`name "w"\nmetadata ${'{ a '.repeat(150)}${'}'.repeat(150)}`, '', 'nested deeper'],
    [`name "w"\nmetadata ${'{ a '.repeat(50_000)}`, '', 'nested deeper'],
    ['name "w"\n__proto__ 1\njob "a" { command "x" }', '2:1', 'unknown key "__proto__"'],
    ['', '1:1', 'is empty'],
    ['name "w"\nuser_data "d" {\n  data "{\\"a\\": 1,}"\n}', '3:8', '"{\\"a\\": 1,}" is not JSON'],
    ['name "w"\nuser_data "d" data="oops"', '2:20', '"oops" is not JSON; a text in KDL is written as "\\"text\\""'],
    ['name "w"\nmetadata "{oops"', '2:10', 'is not JSON'],
  ])('is refused at the place of what is wrong (%#)', (text, place, message) => {
    const [first = ''] = problemsOf(text, 'w.kdl');
    if (place !== '') expect(first).toContain(`w.kdl:${place}: `);
    expect(first).toContain(message);
  });
});

describe('the parts besides the jobs', () => {
  const load = (spec: Record<string, unknown>): ExpandedWorkflow =>
    loadWorkflow(JSON.stringify({ name: 'w', jobs: [], ...spec }), { file: 'w.json' }).workflow;
  const problems = (spec: Record<string, unknown>) =>
    problemsOf(JSON.stringify({ name: 'w', jobs: [], ...spec }), 'w.json').map((line) => line.replace(/^[^ ]* /, ''));

  it('are kept with their defaults', () => {
    const { failureHandlers, schedulers, actions, resourceMonitor, jobs } = load(everything);
    const noDelay = { retryDelayMs: 0, retryBackoff: 1, retryMaxDelayMs: 86_400_000 };
    expect(failureHandlers[0]?.rules).toEqual([
      {
        exitCodes: [10, 11],
        matchAllExitCodes: false,
        causes: [],
        recoveryScript: 'fix.sh',
        maxRetries: 1,
        ...noDelay,
      },
      { exitCodes: [], matchAllExitCodes: true, causes: [], recoveryScript: null, maxRetries: 3, ...noDelay },
    ]);
    expect(schedulers).toMatchObject([
      { walltimeSeconds: 86_400, numNodes: 2, extra: '--mail-type=END --requeue --exclusive' },
    ]);
    expect(schedulers).toMatchObject([{ labels: ['fast', 'site-1'], alsoUnlabelled: true }]);
    expect([...jobs].map(({ labels }) => labels)).toEqual([['fast', 'site-1'], ...new Array(4)]);
    const names = [...jobs].map(({ name }) => name);
    expect(names).toEqual(['a_1', 'b_0', 'c_0', 'c_1', 'd']);
    expect(actions.map((action) => action.jobs)).toEqual([[], [0, 1, 2, 3]]);
    expect(actions[1]).toMatchObject({ scheduler: 0, numAllocations: 2, persistent: true });
    expect(resourceMonitor).toMatchObject({ enabled: true, granularity: 'summary', sampleIntervalSeconds: 5 });
  });

  it('of Slurm take the defaults for what they do not set themselves', () => {
    const { schedulers } = load({
      slurm_schedulers: [{}, { name: 's', account: 'mine', qos: 'high', nodes: 3 }],
      slurm_defaults: {
        ...{ account: 'all', qos: 'low', tmp: '5G', 'ntasks-per-node': 4 },
        ...{ comment: 'a "b" $c\\', exclusive: true, requeue: false, nice: 0 },
      },
    });
    const extra = '--comment="a \\"b\\" $c\\\\" --exclusive --nice=0';
    expect(schedulers).toMatchObject([
      { name: 'default', account: 'all', qos: 'low', walltimeSeconds: 3600, numNodes: 1, ntasksPerNode: 4, extra },
      { name: 's', account: 'mine', qos: 'high', tmp: '5G', numNodes: 3, extra },
    ]);
  });

  it('of labels are sets of words, which a sweep may vary', () => {
    const { jobs } = load({
      jobs: [
        { name: 'a_{i}', command: 'x', labels: ['z', 'site-{i}', 'z'], parameters: { i: '1:2' } },
        { name: 'b', command: 'x', labels: [] },
      ],
    });
    expect([...jobs].map(({ labels }) => labels)).toEqual([['site-1', 'z'], ['site-2', 'z'], undefined]);
    const rule =
      'A label is up to 100 letters, digits and any of _ . : / @ + = -, and begins with a letter, digit or _.';
    expect(
      problems({
        jobs: [
          { name: 'a_{i}', command: 'x', labels: ['p {i}', 'a,b'], parameters: { i: '1:2' } },
          { name: 'b', command: 'x', labels: ['', '-x'] },
          { name: 'c', command: 'x', labels: 'gpu' },
          { name: 'd', command: 'x', executortype: ['gpu'] },
        ],
        slurm_schedulers: [{ account: 'a', labels: ['ok', 'a b', 'slurm'] }],
      }),
    ).toEqual([
      `jobs[0].labels[0]: "p 1" is not a label. ${rule}`,
      `jobs[0].labels[0]: "p 2" is not a label. ${rule}`,
      `jobs[0].labels[1]: "a,b" is not a label. ${rule}`,
      'jobs[1].labels[0]: is empty',
      'jobs[2].labels: found the text "gpu", expected a list: write ["gpu"]',
      'jobs[3].executortype: unknown key "executortype" in a job; did you mean "labels"?',
      `slurm_schedulers[0].labels[1]: "a b" is not a label. ${rule}`,
      'slurm_schedulers[0].labels[2]: every worker has the label "local" or "slurm" by itself: "slurm" cannot be given',
    ]);
  });

  it('are refused when they are wrong, all at once', () => {
    expect(
      problems({
        jobs: [{ name: 'a', command: 'x', failure_handler: 'hh', scheduler: 'gpus' }],
        failure_handlers: [{ name: 'h', rules: [{}] }],
        slurm_schedulers: [{ name: 'gpu' }, { name: 'gpu', account: 'x' }],
        slurm_defaults: { partition: 'p', time: 5, '--qos': 'x', 'job-name': 'j' },
        actions: [
          { trigger_type: 'on_jobs_ready', action_type: 'run_commands' },
          { trigger_type: 'on_worker_start', action_type: 'schedule_nodes' },
          { trigger_type: 'on_jobs_complete', action_type: 'schedule_nodes', scheduler: 'gqu', jobs: ['b'] },
          {
            trigger_type: 'on_jobs_complete',
            action_type: 'run_commands',
            commands: ['x'],
            job_name_regexes: ['z', '('],
          },
        ],
      }),
    ).toEqual([
      'jobs[0].failure_handler: there is no failure handler "hh"; did you mean "h"?',
      'jobs[0].scheduler: there is no Slurm scheduler "gpus"; did you mean "gpu"?',
      'failure_handlers[0].rules[0]: a rule needs exit_codes, causes, match_all_exit_codes: true or scale',
      'slurm_schedulers[0].account: is missing; it is required, here or in slurm_defaults',
      'slurm_schedulers[1].name: the name "gpu" is already used by slurm_schedulers[0]',
      'slurm_defaults.partition: "partition" cannot be a default: set it in each of the slurm_schedulers',
      'slurm_defaults.time: "time" cannot be a default: set it in each of the slurm_schedulers, as walltime',
      'slurm_defaults["--qos"]: "--qos" is not a long option of sbatch, written without --; did you mean "qos"?',
      'slurm_defaults["job-name"]: "job-name" cannot be a default: torc finds its allocations by their names',
      'actions[0]: on_jobs_ready needs jobs or job_name_regexes',
      'actions[0]: run_commands needs commands',
      'actions[1]: schedule_nodes needs a scheduler',
      'actions[2].scheduler: there is no Slurm scheduler "gqu"; did you mean "gpu"?',
      'actions[2].jobs[0]: there is no job "b"; did you mean "a"?',
      'actions[3].job_name_regexes[0]: no job has a name that matches "z"',
      expect.stringMatching(/^actions\[3\]\.job_name_regexes\[1\]: "\(" is not a regular expression/),
    ]);
    expect(problems({ slurm_defaults: [], jobs: [] })).toEqual(
      expect.arrayContaining(['slurm_defaults: found a list, expected a mapping of keys to values']),
    );
    expect(
      problems({
        failure_handlers: [
          { name: 'h', rules: [{ exit_codes: [0, 256], max_retires: 1 }] },
          { name: 'i', rules: [] },
        ],
        slurm_schedulers: [{ account: 'a', walltime: 'UNLIMITED' }],
        resource_monitor: { enabled: 'yes', metrics: ['cpu'] },
        actions: [{ trigger_type: 'on_job_ready', action_type: 'run_command' }],
        jobs: [{ name: 'a', command: 'x', depends_on: ['b'] }],
      }),
    ).toEqual([
      'jobs[0].depends_on[0]: there is no job "b"; did you mean "a"?',
      'failure_handlers[0].rules[0].exit_codes[0]: found the number 0, expected 1 to 255: a job killed by signal n has 128 + n (SIGKILL 137), and match_all_exit_codes: true is every failure',
      'failure_handlers[0].rules[0].exit_codes[1]: found the number 256, expected 1 to 255: a job killed by signal n has 128 + n (SIGKILL 137), and match_all_exit_codes: true is every failure',
      'failure_handlers[0].rules[0].max_retires: unknown key "max_retires" in a rule; did you mean "max_retries"?',
      'failure_handlers[1].rules: found an empty list, expected at least one entry',
      expect.stringContaining('slurm_schedulers[0].walltime: torc needs to know when an allocation ends'),
      'resource_monitor.enabled: found the text "yes", expected true or false: write true without quotes',
      expect.stringContaining(
        'actions[0].trigger_type: found the text "on_job_ready", expected one of on_workflow_start',
      ),
      'actions[0].action_type: found the text "run_command", expected one of run_commands, schedule_nodes; did you mean "run_commands"?',
    ]);
  });
});
