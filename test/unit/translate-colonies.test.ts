/** Workflows of ColonyOS as specifications; every result is read by our own reader. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SpecError } from '../../src/model/spec/problems.ts';
import { specText } from '../../src/model/spec/spec-text.ts';
import { type ForeignWorkflow, readForeign } from '../../src/model/translate/read-foreign.ts';
import { loadWorkflow } from '../support/specification.ts';

function imported(document: unknown): ForeignWorkflow {
  return readForeign(JSON.stringify(document, null, 1), { system: 'colonies', file: 'w.json' });
}

/** The commands as they would run, through the text of a specification. */
function commandsOf(document: unknown): (string | null)[] {
  const { workflow } = loadWorkflow(specText(imported(document).spec, 'yaml', []), { file: 'w.yaml' });
  return [...workflow.jobs].map(({ command }) => command);
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

/** As the command line of ColonyOS documents it. */
const node = (nodename: string, dependencies: string[] | null, more: object = {}) => ({
  ...{ nodename, funcname: 'echo', args: [nodename] },
  conditions: { executortype: 'cli', dependencies },
  ...more,
});
/** As its Python library writes it. */
const written = (nodename: string, code: string, more: object = {}) => ({
  ...{ nodename, funcname: nodename, args: [], kwargs: {}, priority: 0 },
  ...{ maxwaittime: 100, maxexectime: 100, maxretries: -1, label: '', fs: null },
  conditions: { colonyname: 'test', executortype: 'python-executor', dependencies: [], nodes: 0, walltime: 0 },
  env: { args_spec: '', code: Buffer.from(code).toString('base64') },
  ...more,
});
const messagesOf = (remarks: ForeignWorkflow['leftOut']) => remarks.map(({ message }) => message);

describe('a workflow of ColonyOS', () => {
  it('is a list of functions, an object around it, or one function', () => {
    const diamond = [node('a', null), node('b', ['a']), node('c', ['a']), node('d', ['b', 'c'])];
    const { spec, leftOut, differences } = imported(diamond);
    expect(spec).toEqual({
      name: 'workflow',
      jobs: [
        { name: 'a', command: 'echo a', labels: ['cli'] },
        { name: 'b', command: 'echo b', labels: ['cli'], depends_on: ['a'] },
        { name: 'c', command: 'echo c', labels: ['cli'], depends_on: ['a'] },
        { name: 'd', command: 'echo d', labels: ['cli'], depends_on: ['b', 'c'] },
      ],
    });
    expect([leftOut, differences]).toEqual([[], []]);
    const around = imported({ colonyname: 'test', functionspecs: diamond });
    expect(around.spec).toEqual(spec);
    expect(messagesOf(around.differences)).toEqual([expect.stringContaining('is not needed')]);
    expect(imported({ funcname: 'date', conditions: { executortype: 'cli' } }).spec.jobs).toEqual([
      { name: 'date', command: 'date', labels: ['cli'] },
    ]);
  });

  it('keeps times, retries, priorities, resources and where it runs', () => {
    const conditions = { executortype: 'hpc', nodes: 2, processespernode: 4, cpu: '1500m', mem: '10Gi', walltime: 600 };
    const { spec, leftOut, differences } = imported([
      node('a', null, {
        ...{ maxexectime: 300, maxwaittime: 60, maxretries: 3, priority: 5, label: 'north' },
        conditions: { ...conditions, gpu: { name: 'A100', count: 2 } },
      }),
      node('b', null, { maxexectime: -1, maxwaittime: -1, maxretries: -1, priority: 0 }),
    ]);
    expect(spec.jobs).toMatchObject([
      { labels: ['hpc'], max_retries: 3, max_wait: 'PT60S', priority: 5, attributes: { label: 'north' } },
      { name: 'b', command: 'echo b', labels: ['cli'] },
    ]);
    expect(Object.keys(spec.jobs?.[1] ?? {})).toEqual(['name', 'command', 'labels']);
    const size = { num_cpus: 8, memory: '10g', num_gpus: 2, num_nodes: 2, runtime: 'PT300S' };
    expect(spec.resource_requirements).toEqual([{ name: '2n-8c-10g-2gpu-300s', ...size }]);
    expect(messagesOf(leftOut)).toEqual([expect.stringContaining('kinds of GPUs')]);
    expect(messagesOf(differences)).toEqual([expect.stringContaining('srun or mpirun')]);
  });

  it('passes every word as it is, and gives a command of a container to its shell', () => {
    const ours = ['files.input.x', 'result.a', 'inputs.0'].map((name) => `$\{${name}}`);
    const odd = ['a b', "it's", '$HOME', ...ours, 7, { n: [1] }, ''];
    const commands = commandsOf([
      { nodename: 'plain', funcname: 'printf', args: ['%s\\n', ...odd], env: { LC_ALL: 'C' } },
      { nodename: 'boxed', funcname: 'execute', kwargs: { cmd: 'echo hi', args: ['>', 'f'], 'docker-image': 'u:1' } },
      { nodename: 'bare', funcname: 'execute', kwargs: { cmd: 'echo "$TORC_JOB_NAME"', args: ['x'] } },
    ]);
    const run = (command: string | null | undefined) =>
      execFileSync('bash', ['-c', command ?? ''], { encoding: 'utf8', env: { ...process.env, TORC_JOB_NAME: 'j' } });
    const texts = odd.map((each) => (typeof each === 'string' ? each : JSON.stringify(each)));
    expect(run(commands[0])).toBe(texts.map((each) => `${each}\n`).join(''));
    expect(commands[1]).toBe("apptainer exec docker://u:1 sh -c 'echo hi > f'");
    expect(run(commands[2])).toBe('j x\n');
  });

  it('calls code of the Python library with what came before, and keeps what it returns', () => {
    const sum = 'def sum_nums(*nums, ctx={}):\n    return sum(nums) + sum(1 for n in nums if n == "it\'s")\n';
    const pair = 'def pair(a, ctx={}, b=0):\n    return a, [b]\n';
    const [add, two] = commandsOf([
      written('sum_nums', sum, { args: [40, 2] }),
      written('pair', pair, { args: [1], kwargs: { b: 2 } }),
    ]);
    const folder = mkdtempSync(join(tmpdir(), 'colonies-'));
    const returned = (command: string | null | undefined, args: unknown[]): unknown => {
      const env = { ...process.env, TORC_INPUTS_FILE: join(folder, 'in'), TORC_RESULT_FILE: join(folder, 'out') };
      writeFileSync(env.TORC_INPUTS_FILE, JSON.stringify({ args, by_name: {} }));
      execFileSync('bash', ['-c', command ?? ''], { env });
      return JSON.parse(readFileSync(env.TORC_RESULT_FILE, 'utf8'));
    };
    try {
      expect(returned(add, [])).toBe(42);
      expect(returned(add, [1, 2])).toBe(3);
      expect(returned(two, [])).toEqual([1, [2]]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('tells what it cannot keep, once for each kind', () => {
    const rich = {
      ...{ executornames: ['edge'], locationname: 'x', storage: '10Gi', cpu: '', mem: '', gpu: { name: '', count: 0 } },
    };
    const { spec, leftOut, differences } = imported(
      ['a', 'b'].map((name) =>
        node(name, null, {
          ...{ conditions: rich, fs: { mount: '/cfs', dirs: [] }, channels: ['c'], maxexectime: 55, maxretries: -1 },
          ...{ kwargs: { n: 1 }, retries: 2 },
        }),
      ),
    );
    expect(spec.jobs?.map(({ command }) => command)).toEqual(['echo a', 'echo b']);
    expect(leftOut.map(({ count }) => count)).toEqual([4, 2, 2, 2, 2, 2]);
    expect(messagesOf(leftOut)).toEqual([
      expect.stringContaining('among machines by name'),
      expect.stringContaining('no disk space'),
      expect.stringContaining('moves no files'),
      expect.stringContaining('no channels'),
      expect.stringContaining('no named arguments'),
      'ColonyOS has no key "retries" here',
    ]);
    expect(messagesOf(differences)).toEqual([expect.stringContaining('without end')]);
    expect(imported(written('f', 'def f(ctx={}): pass')).leftOut).toEqual([]);
  });

  it('refuses what is wrong, all of it, with places', () => {
    expect(problemsOf([node('a', ['b']), node('bb', null), node('bb', null)])).toEqual([
      expect.stringMatching(/^w\.json:\d+:\d+: .*there is no function "b"; did you mean "a"/),
      expect.stringMatching(/a second function is called "bb"/),
    ]);
    expect(problemsOf([{ nodename: 'x' }])).toEqual([expect.stringContaining('funcname')]);
    expect(problemsOf([node('a', null, { conditions: { cpu: 'many', mem: '10 apples' } })])).toHaveLength(2);
    expect(problemsOf([written('f', 'print(1)')])).toEqual([expect.stringContaining('Python function f')]);
    expect(problemsOf([])).toHaveLength(1);
    expect(problemsOf([node('a', ['b']), node('b', ['a'])])).toEqual([expect.stringContaining('cycle')]);
  });
});
