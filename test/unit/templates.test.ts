/** Templates of commands: what jobs give them, and what of it does not make another job. */
import { describe, expect, it } from 'vitest';
import { jobSpec } from '../../src/cli/documents/export-spec-parts.ts';
import { expandValue } from '../../src/model/expand/read.ts';
import { loadWorkflow } from '../support/specification.ts';

const templates = [
  { name: 't', command: 'python x.py {loc} -v {level:02d} {other}', key_args: ['loc'], op_args: ['level'] },
];
const expanded = (jobs: object[], more: object = {}) => {
  const { workflow } = expandValue({ name: 'w', templates, jobs, ...more }, { file: 'spec' });
  return [...workflow.jobs].map(({ name, command, identity }) => [name, command, identity]);
};

describe('a job of a template', () => {
  it('has the command with its values, and an identity in which op args are left open', () => {
    expect(expanded([{ name: 'a', template: 't', args: { loc: 'us', level: 2 } }])).toEqual([
      ['a', 'python x.py us -v 02 {other}', 'python x.py us -v {level:02d} {other}'],
    ]);
    const only = [{ name: 't', command: 'run {loc}', key_args: ['loc'] }];
    const job = { name: 'a', template: 't', args: { loc: true } };
    expect(expanded([job], { templates: only })).toEqual([['a', 'run true', undefined]]);
  });

  it('takes what it does not give from its sweep, and values may contain parameters', () => {
    const swept = {
      name: 'a_{loc}_{level}',
      template: 't',
      parameters: { loc: ['us', 'de'], level: '1:2' },
    };
    expect(expanded([swept]).slice(1, 3)).toEqual([
      ['a_us_2', 'python x.py us -v 02 {other}', 'python x.py us -v {level:02d} {other}'],
      ['a_de_1', 'python x.py de -v 01 {other}', 'python x.py de -v {level:02d} {other}'],
    ]);
    const inside = { name: 'a_{i}', template: 't', args: { loc: 'us_{i:03d}', level: 3 }, parameters: { i: '7:7' } };
    expect(expanded([inside])).toEqual([
      ['a_7', 'python x.py us_007 -v 03 {other}', 'python x.py us_007 -v {level:02d} {other}'],
    ]);
  });

  it('reads the files that its command names', () => {
    const named = [{ name: 't', command: `x \${files.input.f} {v}`, op_args: ['v'] }];
    const more = { templates: named, files: [{ name: 'f', path: 'data/f.csv' }] };
    const { workflow } = expandValue(
      { name: 'w', jobs: [{ name: 'a', template: 't', args: { v: 1 } }], ...more },
      { file: 'spec' },
    );
    expect([...workflow.jobs]).toMatchObject([
      { command: 'x data/f.csv 1', identity: 'x data/f.csv {v}', inputFiles: [0] },
    ]);
  });

  it('is exported with its command and what it is compared by, which a specification can state', () => {
    const exported = jobSpec(
      {
        ...{ name: 'a', command: 'x 1', identity: 'x {v}', invocation_script: null, resource_requirements: null },
        ...{ scheduler: null, failure_handler: null, priority: 0, cancel_on_blocking_job_failure: true },
        ...{ supports_termination: false, depends_on: [], barriers: [], input_files: [], output_files: [] },
        ...{ input_user_data: [], output_user_data: [], own_requirements: null },
      },
      null,
      new Map(),
      new Map(),
    );
    expect(exported).toEqual({ name: 'a', command: 'x 1', identity: 'x {v}' });
    expect(expanded([exported])).toEqual([['a', 'x 1', 'x {v}']]);
  });

  it.each([
    ['template', { template: 'tt', args: { loc: 1, level: 1 } }, 'did you mean "t"?'],
    ['args', { template: 't', args: { loc: 'us' } }, 'template "t" needs values of "level"'],
    ['template', { template: 't' }, 'needs values of "loc", "level"'],
    ['args.lvel', { template: 't', args: { loc: 1, level: 1, lvel: 2 } }, 'has no arg "lvel"; did you mean "level"?'],
    ['args', { template: 't', args: { loc: 'us', level: 'high' } }, 'is for whole numbers'],
    ['args.loc', { template: 't', args: { loc: 'a{level}', level: 1 } }, 'cannot contain {level}'],
    ['command', { template: 't', command: 'x', args: { loc: 1, level: 1 } }, 'cannot be used together with template'],
    ['args', { command: 'x', args: { loc: 1 } }, 'the job names none'],
  ])('is refused with a finding at %s', (place, job, message) => {
    expect(() => expanded([{ name: 'a', ...job }])).toThrow(`jobs[0].${place}`);
    expect(() => expanded([{ name: 'a', ...job }])).toThrow(message);
  });

  it('needs a template whose args are in its command', () => {
    const wrong = [{ name: 't', command: 'x {loc}', key_args: ['lok'], op_args: ['lok'] }];
    const refused = () => expanded([{ name: 'a', template: 't', args: { lok: 1 } }], { templates: wrong });
    expect(refused).toThrow('the command does not contain {lok}; did you mean "loc"?');
    expect(refused).toThrow('"lok" is already a key arg');
  });
});

it.each([
  [
    'yaml',
    `name: w
templates:
  - { name: t, command: "x {loc} {level}", key_args: [loc], op_args: [level] }
jobs:
  - { name: a, template: t, args: { loc: us, level: 2 } }`,
  ],
  [
    'json5',
    `{name: 'w', templates: [{name: 't', command: 'x {loc} {level}', key_args: ['loc'], op_args: ['level']}],
      jobs: [{name: 'a', template: 't', args: {loc: 'us', level: 2}}]}`,
  ],
  [
    'json',
    JSON.stringify({
      name: 'w',
      templates: [{ name: 't', command: 'x {loc} {level}', key_args: ['loc'], op_args: ['level'] }],
      jobs: [{ name: 'a', template: 't', args: { loc: 'us', level: 2 } }],
    }),
  ],
  [
    'kdl',
    `name "w"
template "t" { command "x {loc} {level}"; key_args "loc"; op_args "level"; }
job "a" { template "t"; args { loc "us"; level 2; }; }`,
  ],
])('is read from %s', (syntax, text) => {
  const { workflow } = loadWorkflow(text, { file: `w.${syntax}` });
  expect([...workflow.jobs]).toMatchObject([{ name: 'a', command: 'x us 2', identity: 'x us {level}' }]);
});
