// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in commands are written like that
/** Damaged and hostile specifications in each syntax: refused with a place, never a crash or a hang. */
import fc from 'fast-check';
import JSON5 from 'json5';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { SpecError } from '../../src/model/spec/problems.ts';
import { loadWorkflow } from '../support/specification.ts';

const kdl = `// a study
name "study"
description "with \\"quotes\\" and é"
metadata "{\\"tags\\": [\\"x\\", null, 1.5]}"
resource_requirements "big" num_cpus=16 memory="64g" num_gpus=2
file "raw" path="data/raw.txt"
file "mid" path="data/mid.txt" st_mtime=1640995200.0
job "prepare" {
  command "sort data/raw.txt > \${files.output.mid}"
  input_file "raw"
}
job "work_{i:02d}" {
  command """
    wc \${files.input.mid}
    true {i}
    """
  resource_requirements "big"
  parameters { i "1:3"; }
}
job "report" command="echo 'done'" {
  depends_on_regexes "^work_\\\\d+$"
  depends_on_job "prepare"
  cancel_on_blocking_job_failure #false
}
`;
const spec = {
  name: 'study',
  metadata: { tags: ['x', null, 1.5] },
  resource_requirements: [{ name: 'big', num_cpus: 16, memory: '64g', num_gpus: 2 }],
  files: [{ name: 'raw', path: 'data/raw.txt' }],
  jobs: [
    { name: 'prepare', command: "sort ${files.input.raw} 'a'", priority: 2 },
    { name: 'work_{i:02d}', command: 'wc\ntrue {i}', resource_requirements: 'big', parameters: { i: '1:3' } },
    { name: 'report', command: 'echo "done"', depends_on: ['prepare'], depends_on_regexes: ['^work_'] },
  ],
};
const texts: Readonly<Record<string, string>> = {
  'w.yaml': stringify(spec),
  'w.json': JSON.stringify(spec, null, 2),
  'w.json5': `// a study\n${JSON5.stringify(spec, null, 2)}`,
  'w.kdl': kdl,
};

/** The result of loading a text: null if it is valid, else its problems; any other error fails the test. */
function problemsOf(text: string, file: string) {
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

describe.each(Object.keys(texts))('%s', (file) => {
  const text = texts[file] ?? '';
  const edit = fc.record({
    at: fc.nat(text.length),
    drop: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(200)),
    put: fc.oneof(
      fc.constantFrom('', '\n', '"', "'", '{', '}', '[', ']', '#', '/-', '/*', '*/', '//', '"""', '=', ';', '\\', '\0'),
      fc.constantFrom('🚀', '1e999', '-0', 'null', '#null', '{i}', '{x:9999999999d}', '${files.input.x}', '1:1e300'),
      fc.string({ unit: 'binary', maxLength: 5 }),
    ),
  });

  it('can be read as it is', () => {
    expect(problemsOf(text, file)).toBeNull();
  });

  it('edited anywhere is read, or refused with a place', () => {
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        const damaged = edits.reduce((now, { at, drop, put }) => now.slice(0, at) + put + now.slice(at + drop), text);
        expectPlaces(damaged, file);
      }),
      { numRuns: 200 },
    );
  });

  it('cut off anywhere is read, or refused with a place', () => {
    for (let end = 0; end < text.length; end += 3) expectPlaces(text.slice(0, end), file);
  });
});

/** The same hostile document in each syntax that can express it, and its message. */
interface Hostile {
  what: string;
  message: RegExp;
  bySyntax: Readonly<Record<string, string>>;
}

function written(document: object): Record<string, string> {
  return { yaml: stringify(document), json: JSON.stringify(document), json5: JSON5.stringify(document) };
}

const deep = 100_000;
const laughs = Array.from({ length: 12 }, (_, i) => `  a${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(10)}]`);
const hostile: Hostile[] = [
  {
    what: 'nested 100,000 levels deep',
    message: /nested deeper than/,
    bySyntax: {
      yaml: `name: w\njobs: []\nmetadata: ${'['.repeat(deep)}${']'.repeat(deep)}`,
      json: `{"name": "w", "jobs": [], "metadata": ${'{"a":'.repeat(deep)}1${'}'.repeat(deep)}}`,
      json5: `{name: 'w', jobs: [], metadata: ${'['.repeat(deep)}${']'.repeat(deep)}}`,
      kdl: `name "w"\nmetadata {\n${'a {\n'.repeat(deep)}${'}\n'.repeat(deep)}}`,
    },
  },
  {
    what: 'with a number too large',
    message: /too large|expected/,
    bySyntax: {
      yaml: 'name: w\njobs:\n  - {name: a, command: x, priority: 1e999}',
      json: '{"name": "w", "jobs": [{"name": "a", "command": "x", "priority": 1e999}]}',
      json5: "{name: 'w', jobs: [{name: 'a', command: 'x', priority: 1e999}]}",
      kdl: 'name "w"\njob "a" command="x" priority=1e999',
    },
  },
  {
    what: 'with more instances than anybody can count',
    message: /at most/,
    bySyntax: {
      ...written({ name: 'w', jobs: [{ name: '{i}', command: 'x', parameters: { i: '1:1000000000' } }] }),
      kdl: 'name "w"\njob "{i}_{k}" {\n  command "x"\n  parameters {\n    i "1:1000000"\n    k "1:1000000"\n  }\n}',
    },
  },
  {
    what: 'with a NUL byte',
    message: /NUL/,
    bySyntax: {
      yaml: 'name: "w\0"\njobs: []',
      json: '{"name": "w\0", "jobs": []}',
      json5: "{name: 'w\0', jobs: []}",
      kdl: 'name "w\0"',
    },
  },
  {
    what: 'of 100 MB',
    message: /the limit is 64 MB/,
    bySyntax: Object.fromEntries(Object.keys(texts).map((file) => [file.slice(2), ' '.repeat(100 * 1024 ** 2)])),
  },
  {
    what: 'of types that do not belong',
    message: /expected/,
    bySyntax: { ...written({ name: 7, jobs: { a: 'b' } }), kdl: 'name 7\njob 8 { command 9; }' },
  },
  {
    what: 'that laughs a billion times',
    message: /aliases make this document too large/,
    bySyntax: { yaml: ['name: w', 'jobs: []', 'metadata:', '  a0: &a0 [1, 1, 1, 1]', ...laughs].join('\n') },
  },
  {
    what: 'with an anchor inside of itself',
    message: /is inside the value that it names/,
    bySyntax: { yaml: 'name: w\njobs: []\nmetadata: &a {b: [1, *a]}' },
  },
];
const cases = hostile.flatMap(({ what, message, bySyntax }) => {
  return Object.entries(bySyntax).map(([syntax, text]) => ({ what, message, file: `w.${syntax}`, text }));
});

it.each(cases)('$file $what is refused with a place', ({ message, file, text }) => {
  const problems = problemsOf(text, file) ?? [];
  expect(problems.map((problem) => problem.message).join('\n')).toMatch(message);
  for (const { line, column } of problems) expect(Math.min(line, column)).toBeGreaterThanOrEqual(1);
});
