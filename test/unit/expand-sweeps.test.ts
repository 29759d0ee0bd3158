// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in commands are written like that
import { describe, expect, it } from 'vitest';
import type { ExpandedWorkflow } from '../../src/model/expanded.ts';
import { countStages } from '../../src/model/graph/graph.ts';
import { SpecError } from '../../src/model/spec/problems.ts';
import { loadWorkflow } from '../support/specification.ts';

type Part = Record<string, unknown>;

function expand(jobs: Part[], rest: Part = {}): ExpandedWorkflow {
  const spec = { name: 'w', ...rest, jobs: jobs.map((job) => ({ command: 'x', ...job })) };
  return loadWorkflow(JSON.stringify(spec), { file: 'w.json' }).workflow;
}

function problemsOf(jobs: Part[], rest: Part = {}): string[] {
  try {
    expand(jobs, rest);
  } catch (error) {
    if (error instanceof SpecError) return error.problems.map(({ path, message }) => `${path}: ${message}`);
    throw error;
  }
  return [];
}

const namesOf = (workflow: ExpandedWorkflow) => [...workflow.jobs].map(({ name }) => name);

/** Each job with those it waits for, through barriers. */
function upstreamsOf(workflow: ExpandedWorkflow): Record<string, string[]> {
  const names = namesOf(workflow);
  const of = (node: number): number[] =>
    workflow.edges.filter(([, to]) => to === node).flatMap(([from]) => (from >= 0 ? [from] : of(from)));
  return Object.fromEntries(names.map((name, job) => [name, [...new Set(of(job))].map((n) => names[n] ?? '').sort()]));
}

describe('a sweep', () => {
  it('fills in every text that can have a template', () => {
    const workflow = expand(
      [
        { name: 'make_{i}', output_files: ['f_{i:02d}'], output_user_data: ['u{i}'], parameters: { i: '1:2' } },
        {
          name: 'use_{i}',
          command: 'cat ${files.input.f_{i:02d}} {a,b} ${HOME}',
          invocation_script: 'sh {i}.sh',
          resource_requirements: 'r{i}',
          scheduler: 's{i}',
          failure_handler: 'h{i}',
          input_user_data: ['u{i}'],
          depends_on: ['make_{i}'],
          parameters: { i: [2, 1] },
        },
      ],
      {
        files: [{ name: 'f_{k:02d}', path: 'out/{k}.txt', parameters: { k: '1:2' } }],
        user_data: [{ name: 'u1' }, { name: 'u2' }],
        resource_requirements: [1, 2].map((i) => ({ name: `r${i}`, num_cpus: i, memory: '1g' })),
        slurm_schedulers: [1, 2].map((i) => ({ name: `s${i}`, account: 'a' })),
        failure_handlers: [1, 2].map((i) => ({ name: `h${i}`, rules: [{ exit_codes: [i] }] })),
      },
    );
    expect(workflow.files).toEqual([
      { name: 'f_01', path: 'out/1.txt' },
      { name: 'f_02', path: 'out/2.txt' },
    ]);
    expect([...workflow.jobs].slice(2)).toMatchObject([
      {
        name: 'use_2',
        command: 'cat out/2.txt {a,b} ${HOME}',
        invocationScript: 'sh 2.sh',
        requirements: 1,
        scheduler: 1,
        failureHandler: 1,
        inputFiles: [1],
        inputUserData: [1],
      },
      { name: 'use_1', command: 'cat out/1.txt {a,b} ${HOME}', requirements: 0, inputFiles: [0] },
    ]);
    expect(upstreamsOf(workflow)).toMatchObject({ use_2: ['make_2'], use_1: ['make_1'] });
    expect(workflow.numJobsWithScheduler).toBe(2);
  });

  it('takes shared parameters, its own taking precedence', () => {
    const jobs = [{ name: 'j_{a}_{b}', use_parameters: ['a', 'b'], parameters: { b: [9] } }];
    expect(namesOf(expand(jobs, { parameters: { a: '1:2', b: '1:5' } }))).toEqual(['j_1_9', 'j_2_9']);
    expect(namesOf(expand([{ name: 'j_{a}' }], { parameters: { a: '1:2' } }))).toEqual(['j_{a}']);
  });

  it('of three by three by two has 18 instances, and one job that waits for all of them', () => {
    const shared = { use_parameters: ['lr', 'bs', 'opt'] };
    const rest = {
      parameters: { lr: '[0.0001,0.001,0.01]', bs: '[16,32,64]', opt: "['adam','sgd']" },
      files: [{ name: 'm_{lr:.4f}_{bs}_{opt}', path: 'm/{lr}_{bs}_{opt}', ...shared }],
    };
    const train = { name: 'train_{lr:.4f}_{bs}_{opt}', output_files: ['m_{lr:.4f}_{bs}_{opt}'], ...shared };
    const aggregate = { name: 'agg', depends_on: [train.name], input_files: ['m_{lr:.4f}_{bs}_{opt}'], ...shared };
    const workflow = expand([train, aggregate], rest);
    expect([workflow.numJobs, workflow.files.length, workflow.edges.length]).toEqual([19, 18, 18]);
    const last = [...workflow.jobs].at(-1);
    expect([last?.name, last?.inputFiles.length]).toEqual(['agg', 18]);
    expect(namesOf(workflow).slice(0, 3)).toEqual([
      'train_0.0001_16_adam',
      'train_0.0001_16_sgd',
      'train_0.0001_32_adam',
    ]);
  });

  it('whose instances have one name is one job with all their references, unless they would run differently', () => {
    const work = { name: 'w_{d}_{k}', parameters: { d: '[p,q]', k: '1:3' } };
    const report = { name: 'r_{d}', command: 'report {d}', depends_on: ['w_{d}_{k}'], parameters: work.parameters };
    expect(upstreamsOf(expand([work, report]))).toMatchObject({
      r_p: ['w_p_1', 'w_p_2', 'w_p_3'],
      r_q: ['w_q_1', 'w_q_2', 'w_q_3'],
    });
    expect(problemsOf([{ ...report, command: 'run {k}', depends_on: [] }])).toEqual([
      'jobs[0].name: the sweep makes two different jobs named "r_p": command "run 1" and "run 2"',
      'jobs[0].name: the sweep makes two different jobs named "r_p": command "run 1" and "run 3"',
      'jobs[0].name: the sweep makes two different jobs named "r_q": command "run 1" and "run 2"',
      'jobs[0].name: the sweep makes two different jobs named "r_q": command "run 1" and "run 3"',
    ]);
    const files = [{ name: 'f', path: 'f{i}', parameters: { i: '1:2' } }];
    expect(problemsOf([], { files })).toEqual([expect.stringContaining('two different files named "f": path "f1"')]);
  });

  it('is named as a whole by those without its parameters, in part by those with some of them', () => {
    const work = { name: 'w_{i}_{j}', parameters: { i: '1:2', j: '1:2' } };
    const workflow = expand([
      work,
      { name: 'row_{i}', depends_on: ['w_{i}_{j}'], parameters: { i: '1:2' } },
      { name: 'all', depends_on: ['w_{i}_{j}'] },
      { name: 'one', depends_on: ['w_2_1'] },
    ]);
    expect(upstreamsOf(workflow)).toMatchObject({
      row_1: ['w_1_1', 'w_1_2'],
      row_2: ['w_2_1', 'w_2_2'],
      all: ['w_1_1', 'w_1_2', 'w_2_1', 'w_2_2'],
      one: ['w_2_1'],
    });
    expect(problemsOf([work, { name: 'row_{i}', depends_on: ['w_{i}_{j}'], parameters: { i: '2:3' } }])).toEqual([
      'jobs[1].depends_on[0]: there is no job "w_3_{j}"',
    ]);
    expect(problemsOf([work, { name: 'all', depends_on: ['w_{i}_{k}'] }])).toEqual([
      'jobs[1].depends_on[0]: there is no job "w_{i}_{k}"; did you mean "w_{i}_{j}"?',
    ]);
  });

  it('is refused with the place of the mistake', () => {
    expect(
      problemsOf(
        [
          { name: 'a_{i}', use_parameters: ['ij'], parameters: { i: '1:b', '2x': [1] } },
          { name: 'b_{i}_{k}', parameter_mode: 'zip', parameters: { i: '1:2', k: '1:3' } },
          { name: 'c_{i:03d}', command: 'x {i:q}', parameters: { i: '[x]' } },
        ],
        { parameters: { ii: '1:2' } },
      ),
    ).toEqual([
      'jobs[0].use_parameters[0]: there is no parameter "ij" in the parameters of the workflow; did you mean "ii"?',
      expect.stringContaining('jobs[0].parameters.i: found "1:b"'),
      'jobs[0].parameters["2x"]: the parameter name "2x" is not a letter or _ followed by letters, digits, _ and -',
      'jobs[1].parameter_mode: zip takes one value of each parameter at a time, but "i" has 2 values, "k" has 3',
      expect.stringContaining('jobs[2].command: found "{i:q}"'),
      expect.stringContaining('jobs[2].name: the format of "{i:03d}" is for whole numbers'),
    ]);
    expect(problemsOf([{ name: 'd', parameters: { i: { a: 1 } } }])).toEqual([
      'jobs[0].parameters.i: found a mapping, expected a range such as "1:100", a list such as "[a,b]", or a single value',
    ]);
    expect(problemsOf([{ name: 'e' }, { name: 'd_{i}', parameters: { i: '1:2000000' } }])).toEqual([
      'jobs[1]: with this there are more than 2000000 jobs, which is the limit',
    ]);
  });

  it('reports each mistake of its instances once, a few for each place, and how many there are', () => {
    const parameters = { i: '1:1000' };
    const jobs = [{ name: 'b_{i}', parameters, depends_on: ['zz_{j}'], input_files: ['f_{i}'] }];
    expect(() => expand(jobs)).toThrow(
      [
        'w.json:1:93: jobs[0].depends_on[0]: there is no job "zz_{j}"',
        ...[1, 2, 3, 4, 5].map((i) => `w.json:1:118: jobs[0].input_files[0]: there is no file "f_${i}"`),
        'and 995 more',
      ].join('\n'),
    );
  });

  it('of 100,000 jobs keeps only their names', () => {
    const workflow = expand([
      { name: 'j_{i:06d}', command: `run {i} ${'x'.repeat(1000)}`, parameters: { i: '1:100000' } },
    ]);
    let characters = 0;
    for (const { command } of workflow.jobs) characters += command.length;
    expect(workflow.numJobs).toBe(100_000);
    expect(characters).toBeGreaterThan(100_000_000);
  });
});

describe('factories', () => {
  const sweep = (...parameters: Part[]) => ({ type: 'parameterSweep', parameters });

  it('sweep with a step or a number, in any number of dimensions', () => {
    const names = (factory: Part) => namesOf(expand([{ name: 'j_{x}', command: '-', factory }]));
    expect(names(sweep({ name: 'x', start: 0, end: 0.3, step: 0.1 }))).toEqual(['j_0', 'j_0.1', 'j_0.2', 'j_0.3']);
    expect(names(sweep({ name: 'x', start: 0, end: 1, number: 5 }))).toEqual([
      'j_0',
      'j_0.25',
      'j_0.5',
      'j_0.75',
      'j_1',
    ]);
    const five = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name, start: 1, end: 2, step: 1 }));
    expect(expand([{ name: 'j', command: '$a $b $c $d ${e}', factory: sweep(...five) }]).numJobs).toBe(32);
  });

  it('zip and repeat, with the number after the name', () => {
    const zip = {
      type: 'zip',
      parameters: [
        { name: 'a', values: [1, 2] },
        { name: 'b', values: ['p', 'q'] },
      ],
    };
    const workflow = expand([
      { name: 'z', command: 'run $a ${b}', factory: zip },
      { name: 'r', command: 'copy {index}', factory: { type: 'repeat', number: 3 } },
    ]);
    expect([...workflow.jobs].map(({ name, command }) => `${name}: ${command}`)).toEqual([
      'z_0: run 1 p',
      'z_1: run 2 q',
      'r_0: copy 0',
      'r_1: copy 1',
      'r_2: copy 2',
    ]);
    const unequal = { ...zip, parameters: [zip.parameters[0], { name: 'b', values: ['p'] }] };
    expect(problemsOf([{ name: 'z', factory: unequal }])[0]).toContain('"a" has 2 values, "b" has 1');
  });

  it('are the upstreams of jobs that name the job, and not of those that name a similar one', () => {
    const jobs = [{ name: 'a' }, { name: 'ab' }, { name: 'b', depends_on: ['a'] }];
    const factories = [{ type: 'repeat', number: 2, jobs: ['a'] }];
    expect(upstreamsOf(expand(jobs, { factories }))).toEqual({ a_0: [], a_1: [], ab: [], b: ['a_0', 'a_1'] });
    const all = expand([{ name: 'x' }, { name: 'y', parameters: { i: [1] } }], {
      factory: { type: 'repeat', number: 2 },
    });
    expect(namesOf(all)).toEqual(['x_0', 'x_1', 'y']);
  });

  it('are refused when they are incomplete, repeated or unknown', () => {
    const repeat = { type: 'repeat', number: 2 };
    const problems = problemsOf(
      [
        { name: 'a', factory: sweep({ name: 'x', start: 1, end: 2 }) },
        { name: 'b', factory: sweep() },
        { name: 'c', factory: { type: 'repeat' } },
        { name: 'd', factory: repeat, parameters: { i: '1:2' } },
        { name: 'e', factory: sweep({ name: 'x', start: 0, end: 1e12, step: 1 }) },
      ],
      { factories: [{ ...repeat, jobs: ['f'] }, repeat, repeat] },
    );
    expect(problems).toEqual([
      'factories[0].jobs[0]: there is no job "f"; did you mean "a"?',
      'factories[2]: a second factory for the same jobs',
      'jobs[0].factory.parameters[0]: a parameter of a sweep needs start and end, and either step or number',
      'jobs[1].factory: has no parameters',
      'jobs[2].factory: repeat needs a number of copies, such as number: 3',
      'jobs[3]: the job "d" has parameters and a factory; use only one of them',
      'jobs[4].factory.parameters[0]: gives 1000000000001 values; at most 2000000 are allowed',
    ]);
  });
});

describe('patterns', () => {
  it('match anywhere in a name unless they are anchored, and all five kinds make references', () => {
    const rest = {
      files: ['raw', 'out_1', 'out_2'].map((name) => ({ name, path: name })),
      user_data: ['u_1', 'u_2'].map((name) => ({ name })),
    };
    const workflow = expand(
      [
        { name: 'first', output_file_regexes: ['^out_'], output_user_data_regexes: ['_'] },
        { name: 'second', depends_on_regexes: ['irs'], input_file_regexes: ['\\d$'] },
        {
          name: 'third',
          input_user_data_regexes: ['^u_[12]$'],
          depends_on_regexes: ['(?i)^SECOND$'],
        },
      ],
      rest,
    );
    expect(upstreamsOf(workflow)).toEqual({ first: [], second: ['first'], third: ['first', 'second'] });
    expect([...workflow.jobs].map((job) => [job.inputFiles, job.outputFiles, job.inputUserData])).toEqual([
      [[], [1, 2], []],
      [[1, 2], [], []],
      [[], [], [0, 1]],
    ]);
  });

  it.each([
    ['\\Aw_[[:digit:]]+\\z', ['w_1', 'w_23']],
    ['(?m)\\Aw_[0-9]+\\z', ['w_1', 'w_23']],
    ['^[[:upper:]_]+[[:^]*$', null],
    ['^[^[:alnum:]_]$', ['-']],
    ['^[]w-]+$', ['-', ']w']],
    ['^[[:punct:]w]+$', ['-', ']w']],
    ['(?ix) ^ W _ # the number\n [ 1 2 ] $', ['w_1']],
    ['(?su)^w.1$', ['w\n1', 'w_1']],
    ['^w\\_\\d\\z', ['w_1']],
    ['^\\-$', ['-']],
    ['^\\pL\\x{5f}\\d$', ['w_1']],
    ['^(?P<letter>w)_1$', ['w_1']],
    ['^a{x}', ['a{x}']],
  ])('are read as Rust has them: %j', (pattern, names) => {
    const jobs = ['w_1', 'w_23', '-', ']w', 'w\n1', 'a{x}', 'Az'].map((name) => ({ name }));
    const all = [...jobs, { name: 'last', depends_on_regexes: [pattern] }];
    if (names === null) expect(problemsOf(all)).toHaveLength(1);
    else expect([...(upstreamsOf(expand(all)).last ?? [])].sort()).toEqual(names);
  });

  it.each([
    ['^\\Qa\\E', 'has \\Q, which is not supported'],
    ['a\\Z', 'has \\Z, which is not supported: the end is \\z or $'],
    ['\\b{start}a', 'has \\b, which is not supported'],
    ['[\\A]', 'has \\A, which is not supported'],
    ['a(?i)b', 'has flags that are not supported: (?i), (?m), (?s) and (?x) are allowed at the beginning'],
    ['(?i-u)a', 'has flags that are not supported: (?i), (?m), (?s) and (?x) are allowed at the beginning'],
    ['[[:^digit:]]', 'has [:^digit:], which is not supported: write [^[:digit:]]'],
    ['[a-z&&[^b]]', 'has && inside brackets, which is not supported: to match these characters, write \\&'],
    ['[a[bc]]', 'has [ inside brackets, which is not supported: to match these characters, write \\['],
    ['\\p{Nothing}', 'is not a regular expression: invalid property name'],
  ])('are refused where JavaScript would take them for something else: %j', (pattern, message) => {
    const problems = problemsOf([{ name: 'a' }, { name: 'b', depends_on_regexes: [pattern] }]);
    expect(problems).toEqual([`jobs[1].depends_on_regexes[0]: ${JSON.stringify(pattern)} ${message}`]);
  });

  it('leave the job itself out', () => {
    const workflow = expand([{ name: 'a' }, { name: 'b' }, { name: 'last', depends_on_regexes: ['.*'] }]);
    expect(upstreamsOf(workflow).last).toEqual(['a', 'b']);
    const both = ['x', 'y'].map((name) => ({ name, depends_on_regexes: ['.'] }));
    expect(problemsOf(both)).toEqual([expect.stringMatching(/a cycle.*x -> y -> x|a cycle.*y -> x -> y/)]);
  });

  it('between 10,000 and 10,000 jobs cost 20,000 edges', () => {
    const [work, next] = [{ i: '1:10000' }, { k: '1:10000' }];
    const workflow = expand([
      { name: 'a_{i}', parameters: work },
      { name: 'b_{k}', depends_on_regexes: ['^a_.*'], parameters: next },
      { name: 'c_{k}', depends_on: ['b_{k}'], parameters: next },
    ]);
    expect([workflow.numJobs, workflow.edges.length, workflow.numBarriers]).toEqual([30_000, 30_000, 1]);
    expect(countStages(workflow.numJobs, workflow.numBarriers, workflow.edges)).toBe(3);
  });

  it('of each instance find their own', () => {
    const parameters = { i: '1:2000' };
    const { edges } = expand([
      { name: 'a_{i}_x', parameters },
      { name: 'b_{i}', depends_on_regexes: ['^a_{i}_.*$'], parameters },
    ]);
    expect(edges).toHaveLength(2000);
    expect(edges.every(([from, to]) => to === from + 2000)).toBe(true);
  });

  it('that cannot be used are refused', () => {
    const problems = problemsOf(
      [
        { name: `${'a'.repeat(50)}!` },
        {
          name: 'b',
          depends_on_regexes: ['(', '^zzz', '^(a+)+$'],
          input_file_regexes: ['f'],
          output_file_regexes: ['f'],
          output_user_data_regexes: ['u'],
        },
      ],
      {},
    );
    expect(problems).toEqual([
      expect.stringMatching(/^jobs\[1\]\.depends_on_regexes\[0\]: "\(" is not a regular expression: /),
      'jobs[1].depends_on_regexes[1]: no job has a name that matches "^zzz"',
      expect.stringMatching(/^jobs\[1\]\.depends_on_regexes\[2\]: the pattern "\^\(a\+\)\+\$" takes too long/),
      'jobs[1].input_file_regexes[0]: no file has a name that matches "f"',
      'jobs[1].output_file_regexes[0]: no file has a name that matches "f"',
      'jobs[1].output_user_data_regexes[0]: no user data has a name that matches "u"',
    ]);
    expect(problemsOf([{ name: 'b', depends_on_regexes: ['x'.repeat(1001)] }])).toEqual([
      'jobs[0].depends_on_regexes[0]: is 1001 characters long, at most 1000 are allowed',
    ]);
  });
});
