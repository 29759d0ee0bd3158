import fc from 'fast-check';
import JSON5 from 'json5';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { PatternMatcher } from '../../src/model/expand/patterns.ts';
import type { ExpandedWorkflow } from '../../src/model/expanded.ts';
import { readJson5 } from '../../src/model/spec/json5.ts';
import { ParameterProblem, readValues } from '../../src/model/spec/parameters.ts';
import { PatternProblem } from '../../src/model/spec/pattern-syntax.ts';
import { SpecError } from '../../src/model/spec/problems.ts';
import { loadWorkflow } from '../support/specification.ts';

type Part = Record<string, unknown>;

function expand(spec: Part): ExpandedWorkflow {
  return loadWorkflow(JSON.stringify({ name: 'w', ...spec }), { file: 'w.json' }).workflow;
}

/** For each job, the jobs that it waits for, through barriers. */
function upstreamsOf({ numJobs, edges }: ExpandedWorkflow): number[][] {
  const of = (node: number): number[] =>
    edges.filter(([, to]) => to === node).flatMap(([from]) => (from >= 0 ? [from] : of(from)));
  return Array.from({ length: numJobs }, (_, job) => [...new Set(of(job))].sort((a, b) => a - b));
}

describe('a sweep', () => {
  const size = fc.integer({ min: 1, max: 4 });

  it('gives each combination once, in the order of nested loops', () => {
    fc.assert(
      fc.property(fc.array(size, { minLength: 1, maxLength: 4 }), (sizes) => {
        const parameters = Object.fromEntries(sizes.map((n, p) => [`p${p}`, `1:${n}`]));
        const name = `j${sizes.map((_, p) => `_{p${p}}`).join('')}`;
        const wanted = sizes.reduce(
          (names, n) => names.flatMap((before) => Array.from({ length: n }, (_, i) => `${before}_${i + 1}`)),
          ['j'],
        );
        const { jobs, numJobs } = expand({ jobs: [{ name, command: 'x', parameters }] });
        expect([...jobs].map((job) => job.name)).toEqual(wanted);
        expect(numJobs).toBe(wanted.length);
      }),
    );
  });

  it('is upstream of exactly the instances whose references name it', () => {
    fc.assert(
      fc.property(size, size, size, fc.boolean(), (n, m, k, byPattern) => {
        const named = byPattern ? { depends_on_regexes: ['^a_{i}_'] } : { depends_on: ['a_{i}_{j}'] };
        const all = byPattern ? { depends_on_regexes: ['^a_'] } : { depends_on: ['a_{i}_{j}'] };
        const workflow = expand({
          jobs: [
            { name: 'a_{i}_{j}', command: 'x', parameters: { i: `1:${n}`, j: `1:${m}` } },
            { name: 'b_{i}', command: 'x', ...named, parameters: { i: `1:${n}` } },
            { name: 'c_{z}', command: 'x', ...all, parameters: { z: `1:${k}` } },
          ],
        });
        const upstreams = upstreamsOf(workflow);
        for (let i = 0; i < n; i++) {
          expect(upstreams[n * m + i]).toEqual(Array.from({ length: m }, (_, j) => i * m + j));
        }
        const everyone = Array.from({ length: n * m }, (_, a) => a);
        for (let z = 0; z < k; z++) expect(upstreams[n * m + n + z]).toEqual(everyone);
        expect(workflow.edges.length).toBeLessThanOrEqual(n * m + Math.min(n * m * k, n * m + k));
      }),
    );
  });

  it('of a range has clean decimals between its ends', () => {
    const decimal = fc.tuple(fc.integer({ min: -5000, max: 5000 }), fc.integer({ min: 0, max: 3 }));
    fc.assert(
      fc.property(
        decimal,
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 0, max: 60 }),
        ([start, digits], step, n) => {
          const text = (units: number) => (units / 10 ** digits).toFixed(digits);
          const values = readValues(`${text(start)}:${text(start + n * step)}:${text(step)}`);
          expect(values).toEqual(Array.from({ length: n + 1 }, (_, i) => Number(text(start + i * step)) + 0));
        },
      ),
    );
  });
});

describe('whatever is written', () => {
  it('as values of a parameter is read or refused', () => {
    const piece = fc.constantFrom(
      '1',
      '0',
      '-',
      ':',
      '.',
      'e',
      '9e9',
      '[',
      ']',
      ',',
      "'",
      '"',
      '{',
      '}',
      ' ',
      'a',
      '@',
    );
    const text = fc.oneof(
      fc.array(piece, { maxLength: 12 }).map((parts) => parts.join('')),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(text, (written) => {
        try {
          const values = readValues(written);
          expect(values.length).toBeGreaterThan(0);
          expect(values.length).toBeLessThanOrEqual(2_000_000);
        } catch (error) {
          expect(error).toBeInstanceOf(ParameterProblem);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('as a pattern finds what the regular expression finds, or is refused', () => {
    const piece = fc.constantFrom(
      'a',
      'b_',
      '1',
      '^',
      '$',
      '.',
      '*',
      '+',
      '?',
      '|',
      '(',
      ')',
      '[',
      ']',
      '\\d',
      '{2}',
      '-',
    );
    const names = Array.from({ length: 1200 }, (_, i) => `${'ab1'[i % 3]}${'ab_'[(i % 7) % 3]}${i}`);
    const matcher = new PatternMatcher(names);
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), (parts) => {
        const pattern = parts.join('');
        // these are read as Rust reads them
        fc.pre(!/\[\^?\]|\[[^\]]*(?:\[|--)/.test(pattern));
        try {
          const found = matcher.matching(pattern);
          const expression = new RegExp(pattern);
          expect(found).toEqual([...names.keys()].filter((i) => expression.test(names[i] ?? '')));
        } catch (error) {
          expect(error).toBeInstanceOf(PatternProblem);
          expect(() => new RegExp(pattern)).toThrow();
        }
      }),
      { numRuns: 300 },
    );
  });

  const spec = {
    name: 'study',
    metadata: { tags: ['x', null, 1.5] },
    parameters: { i: '1:3', lr: [0.1, 0.01] },
    files: [{ name: 'f_{i}', path: 'f{i}', use_parameters: ['i'] }],
    failure_handlers: [{ name: 'h', rules: [{ exit_codes: [1] }] }],
    slurm_schedulers: [{ name: 's', account: 'a', walltime: '01:00:00' }],
    slurm_defaults: { qos: 'high' },
    actions: [{ trigger_type: 'on_jobs_ready', action_type: 'schedule_nodes', scheduler: 's', jobs: ['a_{i}'] }],
    jobs: [
      { name: 'a_{i}', command: 'x {i:02d} > f', output_files: ['f_{i}'], use_parameters: ['i'], failure_handler: 'h' },
      { name: 'b_{lr:.2f}', command: 'y', input_file_regexes: ['^f'], parameters: { lr: '0:1:0.5' } },
      { name: 'c', command: 'z', depends_on: ['b_{lr:.2f}'], factory: { type: 'repeat', number: 2 } },
    ],
  };
  const kdl = [
    'name "study"; metadata { tags "x" #null 1.5 }',
    'parameters { i "1:3"; lr 0.1 0.01 }',
    'file "f_{i}" path="f{i}" { use_parameters "i" }',
    'failure_handler "h" { rule { exit_codes 1 } }',
    'slurm_scheduler "s" account="a" { walltime "01:00:00" } // comment',
    'slurm_defaults { qos "high" }',
    'action { trigger_type "on_jobs_ready"; action_type "schedule_nodes"; scheduler "s"; job "a_{i}" }',
    'job "a_{i}" { command "x {i:02d} > f"; output_file "f_{i}"; use_parameters "i"; failure_handler "h" }',
    'job "b_{lr:.2f}" command="y" { input_file_regex "^f"; parameters { lr "0:1:0.5" } }',
    'job "c" { command #"z"#; depends_on "b_{lr:.2f}"; factory type="repeat" number=2 }',
  ].join('\n');
  const texts = {
    'w.yaml': stringify(spec),
    'w.json': JSON.stringify(spec, null, 2),
    'w.json5': JSON5.stringify(spec, null, 2),
    'w.kdl': kdl,
  };
  const marks = [
    '',
    ' ',
    '\n',
    ':',
    '"',
    "'",
    '{',
    '}',
    '[',
    ']',
    ',',
    '#',
    '//',
    '/*',
    '*/',
    '/-',
    '\\',
    '-',
    '=',
    ';',
    '\0',
  ];
  const edit = fc.record({
    at: fc.nat(),
    drop: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(100)),
    put: fc.oneof(
      fc.constantFrom(...marks),
      fc.constantFrom('{i}', '1:9', '^(', 'null', '1e999', '🚀'),
      fc.string({ maxLength: 4 }),
    ),
  });

  it.each(Object.entries(texts))(
    'in place of parts of %s never crashes the reader, which says where the problem is',
    (file, text) => {
      expect(loadWorkflow(text, { file }).workflow).toMatchObject({ numJobs: 8, numBarriers: 2 });
      fc.assert(
        fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
          const broken = edits.reduce((now, { at, drop, put }) => {
            const start = at % (now.length + 1);
            return now.slice(0, start) + put + now.slice(start + drop);
          }, text);
          try {
            for (const job of loadWorkflow(broken, { file }).workflow.jobs) expect(job.name).not.toBe('');
          } catch (error) {
            if (!(error instanceof SpecError)) throw error;
            const lines = broken.split(/\n|\r\n?/);
            for (const { line, column, message } of error.problems) {
              expect(line).toBeLessThanOrEqual(Math.max(lines.length, broken.split('\n').length));
              expect(column).toBeGreaterThanOrEqual(1);
              expect(message).not.toBe('');
            }
          }
        }),
        { numRuns: 300 },
      );
    },
  );

  it('as JSON5 is read as the library reads it', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(2), (value, indent) => {
        const text = `// ${JSON.stringify(value).slice(0, 20)}\n${JSON5.stringify(value, null, indent)}`;
        expect(readJson5(text, 'f').value).toEqual(JSON5.parse(text));
      }),
    );
  });
});
