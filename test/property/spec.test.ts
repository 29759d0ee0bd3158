// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in commands are written like that
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { readJson } from '../../src/model/spec/json.ts';
import { SpecError } from '../../src/model/spec/problems.ts';
import { loadWorkflow } from '../support/specification.ts';

const spec = {
  name: 'study',
  description: 'a description: with "quotes" and é',
  metadata: { tags: ['x', null, 1.5], nested: { deep: [{}] } },
  jobs_sort_method: 'none',
  resource_requirements: [
    { name: 'small', num_cpus: 1, memory: '512m', runtime: 'PT5M' },
    { name: 'big', num_cpus: 16, memory: '64g', num_gpus: 2 },
  ],
  files: [
    { name: 'raw', path: 'data/raw.txt' },
    { name: 'mid', path: 'data/mid.txt' },
  ],
  jobs: [
    { name: 'prepare', command: 'sort data/raw.txt > ${files.output.mid}', input_files: ['raw'] },
    { name: 'work', command: 'wc ${files.input.mid}\ntrue', resource_requirements: 'big', priority: 2 },
    { name: 'report', command: "echo 'done'", depends_on: ['work', 'prepare'], cancel_on_blocking_job_failure: false },
  ],
};
const yamlText = stringify(spec);
const jsonText = JSON.stringify(spec, null, 2);

/** The result of loading a text: null if it is valid, else its problems; any other error fails the test. */
function problemsOf(text: string | Uint8Array, file: string) {
  try {
    loadWorkflow(text, { file });
    return null;
  } catch (error) {
    if (error instanceof SpecError) return error.problems;
    throw error;
  }
}

function expectPlaces(text: string, file: string): void {
  const problems = problemsOf(text, file);
  if (problems === null) return;
  expect(problems.length).toBeGreaterThan(0);
  const lines = text.split('\n');
  for (const { line, column, message } of problems) {
    expect(line).toBeLessThanOrEqual(lines.length);
    expect(column).toBeGreaterThanOrEqual(1);
    expect(column).toBeLessThanOrEqual((lines[line - 1]?.length ?? 0) + 1);
    expect(message).not.toBe('');
  }
}

/** A piece replaced by another one. */
const edit = fc.record({
  at: fc.nat(),
  drop: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(200)),
  put: fc.oneof(
    fc.constantFrom(
      '',
      ' ',
      '\n',
      '\n\n',
      '\t',
      ':',
      ': ',
      '- ',
      '"',
      "'",
      '{',
      '}',
      '[',
      ']',
      ',',
      '#',
      '|',
      '&a ',
      '*a',
      '!x ',
      '\0',
      '\\',
      '🚀',
      '${files.input.x}',
    ),
    fc.string({ unit: 'binary', maxLength: 5 }),
  ),
});

function edited(text: string, edits: readonly { at: number; drop: number; put: string }[]): string {
  return edits.reduce((now, { at, drop, put }) => {
    const start = at % (now.length + 1);
    return now.slice(0, start) + put + now.slice(start + drop);
  }, text);
}

describe('a damaged specification', () => {
  const edits = fc.array(edit, { minLength: 1, maxLength: 4 });

  it('in YAML never crashes the reader, which says where the problem is', () => {
    fc.assert(
      fc.property(edits, (list) => expectPlaces(edited(yamlText, list), 'w.yaml')),
      { numRuns: 200 },
    );
  });

  it('in JSON never crashes the reader, which says where the problem is', () => {
    fc.assert(
      fc.property(edits, (list) => expectPlaces(edited(jsonText, list), 'w.json')),
      { numRuns: 200 },
    );
  });

  it('of any bytes never crashes the reader', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom('w.yaml', 'w.json', 'w'), (bytes, file) => {
        expect(problemsOf(bytes, file)).not.toEqual([]);
      }),
    );
  });
});

type Path = (string | number)[];

function* pathsOf(value: unknown, path: Path = []): Generator<Path> {
  yield path;
  if (typeof value !== 'object' || value === null) return;
  const entries: [string | number, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  for (const [key, child] of entries) yield* pathsOf(child, [...path, key]);
}

function withValue(value: unknown, path: Path, put: unknown): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return put;
  const copy = structuredClone(value) as Record<string | number, unknown>;
  copy[first] = withValue(copy[first], rest, put);
  return copy;
}

describe('a specification with values that do not belong', () => {
  const paths = [...pathsOf(spec)];
  const put = fc.oneof(
    fc.constantFrom<unknown>(null, '', 0, -1, 1.5, true, [], {}, 'wrok', ['report'], 'x'.repeat(5000), [['a']], {
      name: 'prepare',
    }),
    fc.jsonValue({ maxDepth: 2 }),
  );

  it('has the same problems in YAML and in JSON', () => {
    fc.assert(
      fc.property(fc.constantFrom(...paths), put, (path, value) => {
        const broken = withValue(spec, path, value);
        const summary = (text: string, file: string) =>
          problemsOf(text, file)
            ?.map((problem) => `${problem.path}: ${problem.message}`)
            .sort();
        const yaml = summary(stringify(broken, { aliasDuplicateObjects: false }), 'w.yaml');
        expect(yaml).toEqual(summary(JSON.stringify(broken), 'w.json'));
      }),
      { numRuns: 200 },
    );
  });
});

describe('the walk over JSON', () => {
  function isAccepted(text: string): boolean {
    try {
      readJson(text, 'f');
      return true;
    } catch (error) {
      if (error instanceof SpecError) return false;
      throw error;
    }
  }

  function isJson(text: string): boolean {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  }

  it('accepts every JSON without repeated keys, and gives its value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(readJson(text, 'f').value).toEqual(JSON.parse(text));
      }),
    );
  });

  it('refuses whatever JSON.parse refuses', () => {
    const tokens = [
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"b"',
      '1',
      '-',
      '0',
      '.5',
      'e3',
      'true',
      'null',
      ' ',
      '\n',
      '"',
      '\\',
      'x',
      '\u00a0',
    ];
    const text = fc.oneof(
      fc.array(fc.constantFrom(...tokens), { maxLength: 10 }).map((parts) => parts.join('')),
      fc
        .tuple(fc.jsonValue({ maxDepth: 2 }), fc.array(edit, { maxLength: 2 }))
        .map(([value, list]) => edited(JSON.stringify(value), list)),
    );
    fc.assert(
      fc.property(text, (candidate) => {
        if (!isJson(candidate)) expect(isAccepted(candidate)).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });
});
