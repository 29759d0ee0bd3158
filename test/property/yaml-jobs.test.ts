/** A YAML document read a few jobs at a time is the document read whole: values, faults, and the places of both. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Place, SpecError } from '../../src/model/spec/problems.ts';
import { readYaml } from '../../src/model/spec/yaml.ts';

const inPieces = 1;
const whole = Number.POSITIVE_INFINITY;

/** What a reader makes of a text: its value and where its parts are, or its faults. */
function outcome(text: string, fewest: number): unknown {
  try {
    const { value, where } = readYaml(text, 'study.yaml', fewest);
    const places = placesIn(value).slice(0, 200);
    return { value, positions: where(places) };
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    return error.problems;
  }
}

function placesIn(value: unknown, path: Place['path'] = []): Place[] {
  const here: Place[] = [
    { path, at: 'value' },
    { path, at: 'key' },
  ];
  if (typeof value !== 'object' || value === null || path.length > 6) return here;
  const keys = Array.isArray(value) ? value.map((_, i) => i) : Object.keys(value);
  return [
    ...here,
    ...keys.flatMap((key) => placesIn((value as Record<string | number, unknown>)[key], [...path, key])),
  ];
}

const texts = fc.constantFrom(
  ...[
    'echo a',
    'a: b',
    'a:b',
    'a #b',
    'a#b',
    '#',
    '"a b"',
    "'a b'",
    '"a\\n"',
    "'it''s'",
    '"a',
    'true',
    'Null',
    '~',
    '',
    '5',
  ],
  ...[
    '007',
    '1.0',
    '0x10',
    '1e3',
    '.inf',
    './run',
    '../run',
    '.5',
    '-5',
    '- a',
    '[a, b]',
    '[a,b]',
    '[true, a]',
    '[]',
    '{a: b}',
  ],
  ...[
    '&x a',
    '*x',
    '!tag a',
    '| ',
    '|',
    '>-',
    '|+',
    '@a',
    '%a',
    '`a`',
    '$HOME/run {i}',
    '(a; b)',
    'a  b',
    'a ',
    'é',
    'a\tb',
    '? a',
  ],
  ...[
    '[a',
    'b]',
    '123456789012345',
    '1234567890123456',
    '2026-01-01',
    'a:',
    '"a" # why',
    'yes',
    '<<',
    '0o7',
    '1_000',
    'a, b',
    '{',
    '"',
  ],
);
const keys = fc.constantFrom(
  'name',
  'command',
  'priority',
  'needs',
  'name',
  'null',
  '__proto__',
  'Name',
  '"name"',
  'a b',
  '<<',
  '5',
);
const indents = fc.constantFrom(0, 1, 2, 2, 4, 4, 4, 6);
const member = fc.tuple(keys, texts).map(([key, text]) => `${key}: ${text}`);
const line = fc.oneof(
  { weight: 6, arbitrary: member.map((text) => `  - ${text}`) },
  { weight: 6, arbitrary: member.map((text) => `    ${text}`) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(indents, fc.oneof(member, texts, fc.constantFrom('-', '- ', '# c', '', '---', '...', 'jobs:', '- - a')))
      .map(([indent, text]) => ' '.repeat(indent) + text),
  },
);

const head = fc.constantFrom(
  'name: x\njobs:\n',
  'jobs: # all\n\n',
  'jobs:\n# c\n',
  'n: |\n a\njobs:\n',
  'n: &x a\njobs:\n',
  '---\njobs:\n',
  '{\njobs:\n',
  'n: "\njobs:\n',
);
const tail = fc.constantFrom(
  '',
  'files: []\n',
  'x: *x\n',
  '---\na: b\n',
  '...\n',
  'jobs: []\n',
  '  y: z\n',
  '# end',
  'm:\n  - a\n',
);

test('values, faults and places are the same in pieces and whole', () => {
  fc.assert(
    fc.property(
      head,
      fc.array(line, { minLength: 1, maxLength: 9 }),
      tail,
      fc.boolean(),
      (first, lines, last, hasEnd) => {
        const text = `${first}${lines.join('\n')}${hasEnd || last !== '' ? '\n' : ''}${last}`;
        expect(outcome(text, inPieces)).toEqual(outcome(text, whole));
      },
    ),
    { numRuns: 3000 },
  );
});

test('so they are of well-formed lists of jobs at any indentation', () => {
  const plain = fc.constantFrom(
    'echo a',
    '"a b"',
    "'a: b'",
    '5',
    '[a, b-1]',
    './run --x=1,2',
    '$HOME/x {i}',
    'a:b#c',
    'true',
    '1.0',
  );
  const job = fc.array(fc.tuple(fc.constantFrom('name', 'command', 'priority', 'depends_on', 'memory'), plain), {
    minLength: 1,
    maxLength: 4,
  });
  const gap = fc.constantFrom('', '', '', '\n', '# c\n', '      # c\n');
  fc.assert(
    fc.property(fc.nat(3), fc.array(fc.tuple(job, gap), { minLength: 1, maxLength: 6 }), tail, (indent, jobs, last) => {
      const margin = ' '.repeat(indent);
      const written = jobs.map(([members, after]) => {
        const lines = members.map(([key, text], i) => `${margin}${i === 0 ? '- ' : '  '}${key}: ${text}\n`);
        return lines.join('') + after;
      });
      const text = `name: x\njobs:\n${written.join('')}${last}`;
      expect(outcome(text, inPieces)).toEqual(outcome(text, whole));
    }),
    { numRuns: 1000 },
  );
});
