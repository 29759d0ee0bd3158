// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in commands are written like that
/** Result values in the texts of jobs: what may be named, and what the shell gets. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { parseJson } from '../../src/base/exact-json.ts';
import { SpecError } from '../../src/model/spec/problems.ts';
import { specSyntaxes } from '../../src/model/spec/source.ts';
import { specText } from '../../src/model/spec/spec-text.ts';
import { fillValues, type Input, inputsDocument, readResult } from '../../src/model/spec/values.ts';
import { loadWorkflow } from '../support/specification.ts';

const inputs: Input[] = [
  { name: 'a', value: 'it\'s "$HOME" `id`\n*' },
  { name: 'a.b', value: [1, { c: [true, null] }] },
  { name: 'big', value: parseJson('12345678901234567890') as Input['value'] },
];

/** What a shell prints for the words of a text. */
function shown(text: string, given = inputs): string {
  const filled = fillValues(text, given);
  if ('problem' in filled) return filled.problem;
  return spawnSync('bash', ['-c', filled.text], { encoding: 'utf8', env: filled.variables }).stdout;
}

describe('a result value in a command', () => {
  it.each([
    ['printf %s "${result.a}"', 'it\'s "$HOME" `id`\n*'],
    ["printf %s '<${result.a}>'", '<it\'s "$HOME" `id`\n*>'],
    [`printf %s "it's ${'${result.a.b.1.c}'}"`, "it's [true,null]"],
    ['printf %s "${result.a.b}" "${result.a.b.0}"', '[1,{"c":[true,null]}]1'],
    ['printf %s "${inputs.1}+${inputs.2.c.0}+${inputs.3}"', '1+true+12345678901234567890'],
    ["cat <<E\n${inputs.3} '${inputs.1}'\nE", "12345678901234567890 '1'\n"],
    ['printf %s "$HOME${X:-y}${result.big}"', 'y12345678901234567890'],
    ['true ${result.c}', '${result.c} has no value: the job that it names has left no result value'],
    ['true ${result.a.x}', '${result.a.x} has no value: the result value of "a" has no "x"'],
    ['true ${inputs.4}', '${inputs.4} has no value: the result values of its upstream jobs are 4 inputs'],
    ['true ${result.a.b.toString}', '${result.a.b.toString} has no value: the result value of "a.b" has no "toString"'],
  ])('%s', (text, expected) => {
    expect(shown(text)).toBe(expected);
  });

  it('is refused where no command could contain it', () => {
    expect(shown('true ${result.n}', [{ name: 'n', value: 'a\0b' }])).toContain('a NUL character');
  });
});

describe('the file of inputs', () => {
  it('has lists as so many values, one level deep, and names of any kind', () => {
    const named = ['__proto__', 'constructor', 'x'].map((name): Input => ({ name, value: [[1], name] }));
    const { args, by_name } = inputsDocument(named);
    expect(args).toEqual([[1], '__proto__', [1], 'constructor', [1], 'x']);
    expect(Object.keys(by_name)).toEqual(['__proto__', 'constructor', 'x']);
  });
});

it('a result value is JSON of at most 64 KiB, whatever white space is around it', () => {
  expect(readResult(' [1] \n')).toEqual({ value: [1] });
  for (const text of ['', '{', '1 2', 'NaN']) expect(readResult(text)).toHaveProperty('problem');
  expect(readResult(`"${'x'.repeat(65_535)}"`)).toEqual({ problem: expect.stringContaining('64 KiB') });
  expect(readResult(`"${'é'.repeat(32_768)}"`)).toHaveProperty('problem');
});

describe('a specification', () => {
  const job = (name: string, command: string, depends_on?: string[], more = {}) => ({
    ...{ name, command, ...(depends_on === undefined ? {} : { depends_on }) },
    ...more,
  });

  it.each(specSyntaxes)('in %s keeps the order in which a job names what it waits for, and its variables', (syntax) => {
    const use = 'echo "${result.a} ${inputs.0.x}" \'${result.b.c}\'';
    const spec = {
      name: 'w',
      jobs: [
        job('a', 'x'),
        job('b', 'x'),
        job('b.c', 'x'),
        job('use', use, ['b', 'b.c', 'a']),
        job('up', 'x', ['a', 'b']),
      ],
    };
    const text = specText(spec, syntax, []);
    const { workflow } = loadWorkflow(text, { file: `w.${syntax}` });
    expect([...(workflow.upstreamOrders ?? [])]).toEqual([
      [
        3,
        [
          [1, 2],
          [0, 1],
        ],
      ],
    ]);
    expect([...workflow.jobs].at(3)?.command).toBe(use);
  });

  function problems(...jobs: object[]): string[] {
    try {
      loadWorkflow(JSON.stringify({ name: 'w', jobs }), { file: 'w.json' });
    } catch (error) {
      if (error instanceof SpecError) return error.problems.map(({ path, message }) => `${path}: ${message}`);
      throw error;
    }
    return [];
  }

  it('may name the values only of jobs that the job waits for', () => {
    const add = 'but the job waits for no job of this name: add it to depends_on';
    expect(problems(job('a', 'x'), job('b', 'x ${result.a} ${result.b}'))).toEqual([
      'jobs[1].command: found "${result.a}", but the job waits for no other job',
      'jobs[1].command: found "${result.b}", but the job waits for no other job',
    ]);
    expect(problems(job('a', 'x'), job('c', 'x'), job('b', '${result.c.x}', ['a']))).toEqual([
      `jobs[2].command: found "\${result.c.x}", ${add}`,
    ]);
    expect(problems(job('a', 'x'), job('b', 'x', ['a'], { invocation_script: '${inputs.x}' }))).toEqual([
      'jobs[1].invocation_script: found "${inputs.x}", expected ${inputs.0}',
    ]);
    const sweep = { parameters: { i: '1:3' } };
    expect(problems(job('a{i}', 'x', undefined, sweep), job('b{i}', 'x ${result.a{i}}', ['a{i}'], sweep))).toEqual([]);
    expect(
      problems(
        job('a{i}', 'x', undefined, sweep),
        job('b', 'x ${result.a4}', undefined, { depends_on_regexes: ['^a'] }),
      ),
    ).toEqual([`jobs[1].command: found "\${result.a4}", ${add}`]);
  });
});
