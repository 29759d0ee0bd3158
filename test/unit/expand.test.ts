// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in commands are written like that
import { describe, expect, it } from 'vitest';
import { expandValue } from '../../src/model/expand/read.ts';
import type { ExpandedWorkflow } from '../../src/model/expanded.ts';
import { SpecError } from '../../src/model/spec/problems.ts';
import { loadWorkflow } from '../support/specification.ts';

type Job = Record<string, unknown> & { name: string };

function document(jobs: Job[], rest: Record<string, unknown> = {}): string {
  return JSON.stringify({ name: 'w', ...rest, jobs: jobs.map((job) => ({ command: 'x', ...job })) }, null, 1);
}

function expand(jobs: Job[], rest: Record<string, unknown> = {}): ExpandedWorkflow {
  return loadWorkflow(document(jobs, rest), { file: 'w.json' }).workflow;
}

function problemsOf(jobs: Job[], rest: Record<string, unknown> = {}): string[] {
  try {
    expand(jobs, rest);
  } catch (error) {
    if (error instanceof SpecError) return error.problems.map(({ path, message }) => `${path}: ${message}`);
    throw error;
  }
  return [];
}

const files = (...names: string[]) => ({ files: names.map((name) => ({ name, path: `data/${name}.txt` })) });

describe('a workflow', () => {
  it('may have the signal of its end where torc 1.0 has it, but not in two places', () => {
    const execution_config = { termination_signal: 'sigusr1', sigterm_lead_seconds: 90 };
    const read = { terminationSignal: 'SIGUSR1', sigtermLeadSeconds: 90 };
    expect(expand([{ name: 'a' }], { execution_config })).toMatchObject(read);
    expect(problemsOf([{ name: 'a' }], { execution_config, sigterm_lead_seconds: 90 })).toEqual([
      'execution_config.sigterm_lead_seconds: is given in the workflow too; remove one of them',
    ]);
    expect(problemsOf([{ name: 'a' }], { execution_config: { modus: 'direct' } })).toEqual([
      expect.stringContaining('unknown key "modus" in the execution config'),
    ]);
    const kdl =
      'name "w"\nexecution_config termination_signal="SIGUSR1" { sigterm_lead_seconds 90 }\njob "a" { command "x" }';
    expect(loadWorkflow(kdl, { file: 'w.kdl' }).workflow).toMatchObject(read);
  });

  it('has the defaults of the format', () => {
    const workflow = expand([{ name: 'a', command: 'echo $HOME "${x}"' }]);
    const { fromOutside, pathOf, ...rest } = workflow;
    expect(pathOf?.(0)).toEqual(['jobs', 0]);
    expect([...fromOutside.files, ...fromOutside.userData]).toEqual([]);
    expect({ ...rest, jobs: [...rest.jobs] }).toEqual({
      name: 'w',
      description: null,
      project: null,
      metadata: null,
      expirationBufferSeconds: 180,
      waitForNewJobsSeconds: 90,
      ignoreWorkflowCompletion: false,
      waitForHealthyDatabaseMinutes: 20,
      jobsSortMethod: 'gpus_runtime_memory',
      stdio: 'files',
      maxLosses: 3,
      terminationSignal: 'SIGTERM',
      sigtermLeadSeconds: 30,
      createOutputFolders: true,
      requirements: [],
      files: [],
      userData: [],
      numJobs: 1,
      jobs: [
        {
          name: 'a',
          command: 'echo $HOME "${x}"',
          invocationScript: null,
          requirements: null,
          failureHandler: null,
          scheduler: null,
          priority: 0,
          cancelOnBlockingJobFailure: true,
          supportsTermination: false,
          inputFiles: [],
          outputFiles: [],
          inputUserData: [],
          outputUserData: [],
        },
      ],
      numBarriers: 0,
      edges: [],
      failureHandlers: [],
      schedulers: [],
      numJobsWithScheduler: 0,
      resourceMonitor: null,
      actions: [],
      usePendingFailed: false,
      unusedParameters: [],
    });
  });

  it('has what the specification says', () => {
    const job = {
      cancel_on_blocking_job_failure: false,
      supports_termination: true,
      invocation_script: 'bash s.sh',
      priority: 5,
    };
    const workflow = expand([{ name: 'a', resource_requirements: 'big', ...job }], {
      description: 'd',
      project: 'p',
      metadata: [1],
      compute_node_expiration_buffer_seconds: 0,
      compute_node_wait_for_new_jobs_seconds: 1,
      compute_node_ignore_workflow_completion: true,
      compute_node_wait_for_healthy_database_minutes: 2,
      jobs_sort_method: 'none',
      resource_requirements: [
        { name: 'small', num_cpus: 1, memory: '512m' },
        { name: 'big', num_cpus: 8, memory: '1.5g', num_gpus: 1, runtime: 'PT90S', expected_runtime: '1s' },
        { name: 'unlimited', num_cpus: 2 },
      ],
    });
    expect({ ...workflow, jobs: [...workflow.jobs] }).toMatchObject({
      description: 'd',
      project: 'p',
      metadata: [1],
      expirationBufferSeconds: 0,
      waitForNewJobsSeconds: 1,
      ignoreWorkflowCompletion: true,
      waitForHealthyDatabaseMinutes: 2,
      jobsSortMethod: 'none',
      requirements: [
        {
          name: 'small',
          memoryBytes: 512 * 1024 ** 2,
          runtimeMs: 3_600_000,
          isMemoryStated: true,
          isRuntimeStated: false,
        },
        {
          name: 'big',
          numCpus: 8,
          gpuThousandths: 1000,
          numNodes: 1,
          runtimeMs: 90_000,
          isRuntimeStated: true,
          expectedMs: 1000,
        },
        { name: 'unlimited', numCpus: 2, isMemoryStated: false, isRuntimeStated: false },
      ],
      jobs: [
        {
          requirements: 1,
          cancelOnBlockingJobFailure: false,
          supportsTermination: true,
          invocationScript: 'bash s.sh',
          priority: 5,
        },
      ],
    });
  });

  it('may have no jobs yet', () => {
    expect(expand([])).toMatchObject({ numJobs: 0, edges: [] });
  });
});

describe('edges', () => {
  it('come from names, by the whole name', () => {
    const { edges } = expand([{ name: 'a' }, { name: 'ab' }, { name: 'b', depends_on: ['a'] }]);
    expect(edges).toEqual([[0, 2]]);
  });

  it('may point to jobs that are written later', () => {
    expect(expand([{ name: 'b', depends_on: ['a'] }, { name: 'a' }]).edges).toEqual([[1, 0]]);
  });

  it('come from files, and each exists once however often it is declared', () => {
    const { edges, jobs } = expand(
      [
        { name: 'p', output_files: ['f', 'g'], command: 'make ${files.output.f} ${files.output.g}' },
        { name: 'q', input_files: ['f', 'g', 'f'], depends_on: ['p', 'p'], command: 'cat ${files.input.f}' },
      ],
      files('f', 'g'),
    );
    expect(edges).toEqual([[0, 1]]);
    expect([...jobs].map((job) => [job.command, job.inputFiles, job.outputFiles])).toEqual([
      ['make data/f.txt data/g.txt', [], [0, 1]],
      ['cat data/f.txt', [0, 1], []],
    ]);
  });

  it('can be declared by variables only', () => {
    const workflow = expand(
      [
        { name: 'c', command: 'wc ${files.input.mid}', invocation_script: 'bash -e ${files.input.my script.sh}' },
        { name: 'p', command: 'sort ${files.input.raw} > ${files.output.mid}; echo ${files}' },
      ],
      files('raw', 'mid', 'my script.sh'),
    );
    expect(workflow.edges).toEqual([[1, 0]]);
    expect([...workflow.jobs]).toMatchObject([
      {
        command: 'wc data/mid.txt',
        invocationScript: 'bash -e data/my script.sh.txt',
        inputFiles: [1, 2],
        outputFiles: [],
      },
      { command: 'sort data/raw.txt > data/mid.txt; echo ${files}', inputFiles: [0], outputFiles: [1] },
    ]);
  });

  it('put a path into the command as it is, whatever it looks like', () => {
    const odd = "$& $1 ${files.input.b} it's";
    const [job] = expand([{ name: 'j', command: '<${files.input.a}>' }], {
      files: [
        { name: 'a', path: odd },
        { name: 'b', path: 'b' },
      ],
    }).jobs;
    expect(job?.command).toBe(`<${odd}>`);
  });

  it('of a diamond with files', () => {
    const { edges, numBarriers } = expand(
      [
        { name: 'preprocess', input_files: ['inputs'], output_files: ['f1', 'f2'] },
        { name: 'work1', input_files: ['f1'], output_files: ['f3'] },
        { name: 'work2', input_files: ['f2'], output_files: ['f4'] },
        { name: 'postprocess', input_files: ['f3', 'f4'], output_files: ['f5'] },
      ],
      files('inputs', 'f1', 'f2', 'f3', 'f4', 'f5'),
    );
    expect(numBarriers).toBe(0);
    expect(edges).toEqual([
      [0, 1],
      [0, 2],
      [1, 3],
      [2, 3],
    ]);
  });

  it('between two groups go through a barrier', () => {
    const group = Array.from({ length: 100 }, (_, i) => ({ name: `a${i}` }));
    const names = group.map(({ name }) => name);
    const next = Array.from({ length: 50 }, (_, i) => ({
      name: `b${i}`,
      depends_on: i % 2 ? names : [...names].reverse(),
    }));
    const { edges, numBarriers } = expand([...group, ...next]);
    expect([edges.length, numBarriers]).toEqual([150, 1]);
  });

  it('of 22 diamonds in a row and of a chain of 10,000 jobs', () => {
    const diamonds: Job[] = [{ name: 'd0' }];
    for (let i = 0; i < 22; i++) {
      diamonds.push({ name: `l${i}`, depends_on: [`d${i}`] }, { name: `r${i}`, depends_on: [`d${i}`] });
      diamonds.push({ name: `d${i + 1}`, depends_on: [`l${i}`, `r${i}`] });
    }
    expect(expand(diamonds)).toMatchObject({ numJobs: 67, numBarriers: 0 });
    const chain = Array.from({ length: 10_000 }, (_, i) => ({ name: `c${i}`, depends_on: i ? [`c${i - 1}`] : [] }));
    expect(expand(chain).edges).toHaveLength(9999);
  });
});

describe('what is refused', () => {
  it('names that appear twice', () => {
    const requirement = { name: 'r', num_cpus: 1, memory: '1g' };
    expect(
      problemsOf([{ name: 'a' }, { name: 'a' }], {
        resource_requirements: [requirement, requirement],
        ...files('f', 'f'),
      }),
    ).toEqual([
      'resource_requirements[1].name: the name "r" is already used by resource_requirements[0]',
      'files[1].name: the name "f" is already used by files[0]',
      'jobs[1].name: the name "a" is already used by jobs[0]',
    ]);
  });

  it('unknown names, with the nearest known one', () => {
    const job = {
      name: 'train',
      depends_on: ['trian', 'zzzzzz'],
      input_files: ['F'],
      output_files: ['nowhere'],
      resource_requirements: 'r',
    };
    expect(
      problemsOf(
        [job, { name: 'b', command: 'cat ${files.input.g} ${files.inputs.f} ${user_data.input.x}' }],
        files('f'),
      ),
    ).toEqual([
      'jobs[0].depends_on[0]: there is no job "trian"; did you mean "train"?',
      'jobs[0].depends_on[1]: there is no job "zzzzzz"',
      'jobs[0].input_files[0]: there is no file "F"; did you mean "f"?',
      'jobs[0].output_files[0]: there is no file "nowhere"',
      'jobs[0].resource_requirements: there is no resource requirement "r"',
      'jobs[1].command: there is no file "g"; did you mean "f"?',
      'jobs[1].command: found "${files.inputs.f}", expected ${files.input.NAME} or ${files.output.NAME}',
      'jobs[1].command: there is no user data "x"',
    ]);
  });

  it('a file with two producers', () => {
    const jobs = [
      { name: 'a', output_files: ['f'] },
      { name: 'b', output_files: ['f'] },
      { name: 'c', command: 'x > ${files.output.f}' },
    ];
    expect(problemsOf(jobs, files('f'))).toEqual([
      'jobs[1].output_files[0]: the jobs "a" and "b" both write the file "f"',
      'jobs[2].command: the jobs "a" and "c" both write the file "f"',
    ]);
  });

  it('a job that waits for itself', () => {
    expect(problemsOf([{ name: 'a', depends_on: ['a'] }])).toEqual([
      'jobs[0].depends_on[0]: the job "a" depends on itself',
    ]);
    expect(problemsOf([{ name: 'a', input_files: ['f'], output_files: ['f'] }], files('f'))[0]).toContain(
      'reads and writes the file "f"',
    );
  });

  it('cycles, each named from its first job in the file', () => {
    const jobs = [
      { name: 'a', depends_on: ['c'] },
      { name: 'b', depends_on: ['a'] },
      { name: 'c', depends_on: ['b'] },
      { name: 'odd\nname', input_files: ['g'], output_files: ['f'] },
      { name: 'e', input_files: ['f'], output_files: ['g'] },
      { name: 'after', depends_on: ['e'] },
    ];
    expect(problemsOf(jobs, files('f', 'g'))).toEqual([
      'jobs[0].depends_on[0]: a cycle, in which no job could ever start: a -> b -> c -> a',
      'jobs[3]: a cycle, in which no job could ever start: "odd\\nname" -> e -> "odd\\nname"',
    ]);
  });

  it('a cycle of 1000 jobs, without naming all of them', () => {
    const jobs = Array.from({ length: 1000 }, (_, i) => ({ name: `j${i}`, depends_on: [`j${(i + 999) % 1000}`] }));
    const [problem = ''] = problemsOf(jobs);
    expect(problem).toMatch(/j0 -> j1 -> .* -> j9 -> \.\. \(1000 jobs\) \.\. -> j999 -> j0$/);
  });

  it('a cycle through a barrier, naming only jobs', () => {
    const jobs = [
      { name: 'a', depends_on: ['x'] },
      { name: 'b' },
      { name: 'c' },
      ...['x', 'y', 'z'].map((name) => ({ name, depends_on: ['a', 'b', 'c'] })),
    ];
    expect(problemsOf(jobs)).toEqual(['jobs[0].depends_on[0]: a cycle, in which no job could ever start: a -> x -> a']);
  });

  it('with the line of each, also together with problems of the shape', () => {
    const text =
      'name: w\nzzz: 1\njobs:\n- name: a\n  command: x\n  depends_on:\n  - nobody\n- name: b\n  command:\n  depends_on: [a, aa]\n';
    const places = (() => {
      try {
        loadWorkflow(text, { file: 'w.yaml' });
      } catch (error) {
        if (error instanceof SpecError)
          return error.problems.map(({ line, column, path }) => `${line}:${column} ${path}`);
      }
      return [];
    })();
    expect(places).toEqual([
      '2:1 zzz',
      '7:5 jobs[0].depends_on[0]',
      '9:11 jobs[1].command',
      '10:19 jobs[1].depends_on[1]',
    ]);
  });
});

describe('user data', () => {
  const data = (...names: string[]) => ({ user_data: names.map((name) => ({ name })) });

  it('is null and kept by default, and holds any JSON', () => {
    const value = { "it's": ['"', '\n', '名前', null, { deep: [1.5] }] };
    const rest = {
      user_data: [{ name: 'x' }, { name: 'y', data: value, is_ephemeral: true }, { name: 'z', data: false }],
    };
    expect(expand([], rest).userData).toEqual([
      { name: 'x', data: null, isEphemeral: false },
      { name: 'y', data: value, isEphemeral: true },
      { name: 'z', data: false, isEphemeral: false },
    ]);
  });

  it('puts its producer before its consumers, listed or named in a text, which stays as it is', () => {
    const jobs = [
      { name: 'reads', command: "use '${user_data.input.a b}' $HOME" },
      { name: 'lists', input_user_data: ['a b', 'other'] },
      { name: 'writes', invocation_script: 'sh ${user_data.output.a b}', output_user_data: ['a b'] },
    ];
    const workflow = expand(jobs, data('other', 'a b'));
    expect(workflow.edges).toEqual([
      [2, 0],
      [2, 1],
    ]);
    expect([...workflow.jobs]).toMatchObject([
      { command: "use '${user_data.input.a b}' $HOME", inputUserData: [1], outputUserData: [] },
      { inputUserData: [1, 0] },
      { invocationScript: 'sh ${user_data.output.a b}', inputUserData: [], outputUserData: [1] },
    ]);
  });

  it('is not mixed up with a file of the same name', () => {
    const jobs = [
      { name: 'a', output_files: ['x'] },
      { name: 'b', input_user_data: ['x'] },
    ];
    expect(expand(jobs, { ...files('x'), ...data('x') }).edges).toEqual([]);
  });

  it('is refused with two producers, by a job that reads what it writes, unknown, twice, in a cycle', () => {
    const jobs = [
      { name: 'a', output_user_data: ['x'], input_user_data: ['reslut'] },
      { name: 'b', command: 'c ${user_data.output.x} ${user_data.in.x}' },
      { name: 'c', command: '${user_data.input.result} ${user_data.output.result}' },
    ];
    expect(problemsOf(jobs, data('x', 'result', 'x'))).toEqual([
      'user_data[2].name: the name "x" is already used by user_data[0]',
      'jobs[0].input_user_data[0]: there is no user data "reslut"; did you mean "result"?',
      'jobs[1].command: found "${user_data.in.x}", expected ${user_data.input.NAME} or ${user_data.output.NAME}',
      'jobs[1].command: the jobs "a" and "b" both write the user data "x"',
      'jobs[2]: the job "c" both reads and writes the user data "result", so it would wait for itself',
    ]);
    const cycle = [
      { name: 'a', input_user_data: ['x'], output_user_data: ['y'] },
      { name: 'b', input_user_data: ['y'], output_user_data: ['x'] },
    ];
    expect(problemsOf(cycle, data('x', 'y'))).toEqual([expect.stringContaining('a cycle')]);
  });

  it('is refused when it is too large', () => {
    const large = { name: 'large', data: 'é'.repeat(524_288) };
    expect(problemsOf([], { user_data: [{ name: 'x' }, large] })).toEqual([
      'user_data[1].data: is 1048578 bytes of JSON; user data holds at most 1048576 (1 MiB): keep large data in files',
    ]);
    expect(problemsOf([], { user_data: [{ name: 'ok', data: 'é'.repeat(524_287) }] })).toEqual([]);
  });
});

describe('files by their paths', () => {
  const files = (...paths: string[]) => paths.map((path, i) => ({ name: `f${i}`, path }));
  const place = { directory: '/w', home: '/home/me', variables: { SCR: '/scratch', EMPTY: '' } };
  const expandAt = (jobs: Job[], rest: Record<string, unknown>) =>
    expandValue({ name: 'w', ...rest, jobs: jobs.map((job) => ({ command: 'x', ...job })) }, { file: 'w', place })
      .workflow;

  it.each([
    ['out', './out'],
    ['a/b', 'a//c/../b/'],
    ['out', '/w/out'],
    ['/data/x', '/data/./x'],
    ['$SCR/x', '/scratch/x'],
    ['~/x', '/home/me/x'],
  ])('%j and %j are one file: its reader waits for its writer', (written, read) => {
    const jobs = [
      { name: 'write', output_files: ['f0'] },
      { name: 'read', input_files: ['f1'] },
    ];
    const { edges, fromOutside } = expandAt(jobs, { files: files(written, read) });
    expect(edges).toEqual([[0, 1]]);
    expect([...fromOutside.files]).toEqual([]);
  });

  it('refuses two writers of one path, and a job that reads what it writes, under whatever names', () => {
    const two = [
      { name: 'a', output_files: ['f0'] },
      { name: 'b', output_files: ['f1'] },
    ];
    expect(() => expandAt(two, { files: files('out', '/w/out') })).toThrow(
      'jobs[1].output_files[0]: the jobs "a" and "b" both write the file "f0" (the same path as "f1")',
    );
    const self = [{ name: 'a', input_files: ['f0'], output_file_regexes: ['^f1$'] }];
    expect(() => expandAt(self, { files: files('out', './out') })).toThrow('both reads and writes the file "f0"');
  });

  it('expands what a shell would once, and tells what it was', () => {
    const { files: expanded } = expandAt([], { files: files('~/x', '${SCR}/$$y', 'plain') });
    expect(expanded).toEqual([
      { name: 'f0', path: '/home/me/x', written: '~/x' },
      { name: 'f1', path: '/scratch/$y', written: '${SCR}/$$y' },
      { name: 'f2', path: 'plain' },
    ]);
  });

  it.each([
    ['$NONE/x', 'the variable NONE is not set here'],
    ['$EMPTY/x', 'the variable EMPTY is not set here'],
    ['~you/x', 'begins with ~'],
    ['${SCR:-/tmp}/x', 'only $NAME and ${NAME} are'],
  ])('refuses %j with words', (path, words) => {
    expect(() => expandAt([], { files: files(path) })).toThrow(words);
  });

  it('names what jobs read and none writes, with the first reader', () => {
    const jobs = [
      { name: 'a', input_files: ['f0'], output_files: ['f1'] },
      { name: 'b', input_file_regexes: ['^f'], input_user_data: ['d'] },
    ];
    const jobsOf = expandAt(jobs, { files: files('in', 'out', 'more'), user_data: [{ name: 'd' }] });
    expect([...jobsOf.fromOutside.files]).toEqual([
      { number: 0, reader: 'a' },
      { number: 2, reader: 'b' },
    ]);
    expect([...jobsOf.fromOutside.userData]).toEqual([{ number: 0, reader: 'b' }]);
  });
});
