// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in commands are written like that
/** A JSON document whose jobs are read a block at a time is the document read whole: the workflow, or all that is wrong. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expandSpec } from '../../src/model/expand/expand.ts';
import { readSpec } from '../../src/model/expand/read.ts';
import { readLongSpec } from '../../src/model/spec/json-jobs.ts';
import { SpecError } from '../../src/model/spec/problems.ts';
import { notesOn } from '../../src/model/spec/without-effect.ts';

const file = 'study.json';
const whole = { fewest: Number.POSITIVE_INFINITY, length: 1 };

/** What a reader makes of a text: the workflow and what is noted about it, or what is wrong and where. */
function outcome(text: string, blocks: typeof whole, name = file): unknown {
  try {
    const { spec, where } = readSpec(Buffer.from(text), { file: name, blocks });
    const { jobs, pathOf, fromOutside, ...workflow } = expandSpec(spec, { file: name, where });
    const stored = [...jobs];
    return {
      ...{ spec: { ...spec, jobs: [...spec.jobs] }, workflow, jobs: stored },
      outside: [[...fromOutside.files], [...fromOutside.userData]],
      notes: notesOn(spec, name, where),
      places: where(stored.map((_, job) => ({ path: pathOf?.(job) ?? [], at: 'value' }))),
    };
  } catch (error) {
    if (!(error instanceof SpecError)) throw error;
    return { problems: error.problems, count: error.count, hint: error.hint };
  }
}

const words = fc.constantFrom(
  'a',
  'b',
  'c',
  'd{i}',
  'é',
  '\u{1f600}',
  'a"b',
  'tab\there',
  '',
  '__proto__',
  'a\\',
  'x'.repeat(70),
);
const commands = fc.constantFrom(
  ...['echo', 'run ${files.input.in} > ${files.output.out}', 'echo ${result.a}', 'x {i}', '$HOME/9007199254740993', ''],
  ...['\n', 'a, b', '[{"jobs": []}]', '1.0', '\ud800'],
);
/** Numbers as they may be written, in the place of a value. */
class Written {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}
const numbers = fc
  .constantFrom('1', '1.0', '-0', '1e2', '9007199254740993', '1e400', '0.10', '01')
  .map((text) => new Written(text));
const scalars = fc.oneof(words, numbers, fc.constantFrom(true, false, null));
const namesOf = fc.array(words, { maxLength: 2 });
const texts = fc.dictionary(fc.constantFrom('a', 'TORC_X', 'B1', '__proto__', '1'), scalars, { maxKeys: 2 });
const free: fc.Arbitrary<unknown> = fc.oneof(scalars, fc.array(scalars, { maxLength: 2 }), texts);

const plainValues: Record<string, fc.Arbitrary<unknown>> = {
  depends_on: namesOf,
  priority: fc.oneof(numbers, fc.integer({ min: -3, max: 3 })),
  env: texts,
  attributes: texts,
  input_files: fc.array(fc.constantFrom('in', 'out', 'no'), { maxLength: 2 }),
  output_files: fc.array(fc.constantFrom('in', 'out'), { maxLength: 1 }),
  resource_requirements: fc.constantFrom('small', 'Small', 'none'),
  max_retries: fc.oneof(numbers, fc.nat(3)),
  retry_delay: fc.constantFrom('5s', '1m', 'soon'),
  failure_handler: fc.constant('again'),
  labels: namesOf,
  limit: words,
  steps: fc.constant([{ command: 'echo' }]),
  max_wait: fc.constantFrom('1h', 'PT0S'),
  hold: fc.boolean(),
  stdin: words,
};
const oddValues: Record<string, fc.Arbitrary<unknown>> = {
  parameters: fc.constant({ i: '1:3' }),
  depends_on_regexes: fc.constant(['^a']),
  stdio: fc.constantFrom('combined', 'Combined', 'x'),
  execution: fc.constantFrom('direct', 'DIRECT'),
  template: fc.constant('t'),
  colour: free,
  jobs: fc.constant([{ name: 'a' }]),
};
const optional = (values: Record<string, fc.Arbitrary<unknown>>) =>
  fc.subarray(Object.keys(values), { maxLength: 2 }).chain((keys) => {
    return fc.tuple(...keys.map((key) => (values[key] as fc.Arbitrary<unknown>).map((value) => [key, value] as const)));
  });
type Members = (readonly [string, unknown])[];

/** Mostly a valid job with a name of its own. */
const job = fc
  .tuple(
    fc.oneof({ weight: 8, arbitrary: fc.constantFrom(null) }, { weight: 1, arbitrary: words }),
    fc.oneof({ weight: 8, arbitrary: fc.constant('echo') }, { weight: 2, arbitrary: commands }),
    optional(plainValues),
    fc.oneof({ weight: 15, arbitrary: fc.constant([] as Members) }, { weight: 1, arbitrary: optional(oddValues) }),
  )
  .map(([name, command, plain, odd]) => ({ name, members: [['command', command], ...plain, ...odd] as Members }));

const topMembers: Members[] = [
  [
    [
      'files',
      [
        { name: 'in', path: 'in.txt' },
        { name: 'out', path: 'out.txt' },
      ],
    ],
  ],
  [['resource_requirements', [{ name: 'small', num_cpus: 1, memory: '1g' }]]],
  [['failure_handlers', [{ name: 'again', rules: [{ match_all_exit_codes: true, max_retries: 1 }] }]]],
  [['metadata', { jobs: [1, { jobs: [] }], data: new Written('1.0') }]],
  [['user_data', [{ name: 'u', data: { x: new Written('1.50') } }]]],
  [['env', { A: new Written('1.10'), TORC_A: 'x' }]],
  [['attributes', { a: new Written('1.10') }]],
  [['variables', { i: 'seven' }]],
  [['parameters', { i: '1:2' }]],
  [['jobs_sort_method', 'None']],
  [['jobs', []]],
  [['jobs', null]],
  [['colour', 'red']],
  [['description', 'x, "jobs": [1]']],
];
const rest = fc.subarray(topMembers, { maxLength: 4 }).map((chosen) => chosen.flat());

interface Layout {
  spaces: readonly string[];
  escapes: boolean;
}
const layouts: fc.Arbitrary<Layout> = fc.record({
  spaces: fc.constantFrom([''], ['', ' '], ['\n', '\r\n', '\t', ''], ['  ', '\n\n']),
  escapes: fc.boolean(),
});

class Writer {
  readonly #layout: Layout;
  #count = 0;

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  #space(): string {
    this.#count += 1;
    return this.#layout.spaces[this.#count % this.#layout.spaces.length] ?? '';
  }

  text(value: string): string {
    const written = JSON.stringify(value);
    if (!this.#layout.escapes) return written;
    return written.replace(/[abjo]/g, (letter, at: number) =>
      written[at - 1] === '\\' ? letter : `\\u00${letter.charCodeAt(0).toString(16)}`,
    );
  }

  of(value: unknown): string {
    if (value instanceof Written) return value.text;
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return this.list(value.map((each) => this.of(each)));
    if (typeof value === 'object' && value !== null) return this.object(Object.entries(value));
    return JSON.stringify(value);
  }

  list(elements: readonly string[]): string {
    return `[${elements.map((each) => `${this.#space()}${each}${this.#space()}`).join(',')}${elements.length > 0 ? '' : this.#space()}]`;
  }

  object(members: Members): string {
    const each = members.map(([key, value]) => {
      return `${this.#space()}${this.text(key)}${this.#space()}:${this.#space()}${value instanceof Raw ? value.text : this.of(value)}`;
    });
    return `{${each.join(',')}${this.#space()}}`;
  }
}

/** A text that is written as it is. */
class Raw {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const document = fc
  .record({
    layout: layouts,
    jobs: fc.array(job, { minLength: 1, maxLength: 8 }),
    rest,
    at: fc.nat(4),
    hasBom: fc.boolean(),
  })
  .map(({ layout, jobs, rest: others, at, hasBom }) => {
    const writer = new Writer(layout);
    const written = jobs.map(({ name, members }, i) =>
      writer.object([['name', name ?? String.fromCharCode(97 + i)], ...members]),
    );
    const top: Members = [['name', 'study'], ...others];
    top.splice(at, 0, ['jobs', new Raw(writer.list(written))]);
    return `${hasBom ? '\ufeff' : ''}${writer.object(top)}`;
  });
const lengths = fc.constantFrom(1, 2, 3, 500);

test('it is the same workflow, or the same is wrong at the same places', () => {
  let numLong = 0;
  fc.assert(
    fc.property(document, lengths, (text, length) => {
      const inBlocks = { fewest: 1, length };
      if (readLongSpec(text.replace(/^\ufeff/, ''), inBlocks) !== null) numLong += 1;
      expect(outcome(text, inBlocks)).toEqual(outcome(text, whole));
    }),
    { numRuns: 1000 },
  );
  expect(numLong).toBeGreaterThan(100);
});

test('so it is of a text that was edited anywhere, whatever its name says', () => {
  const edits = fc.constantFrom(
    ...['', ',', '"', '[', ']', '{', '}', '\0', '\\', '\n', '/', ':', '1', ' ', '\u00a0', ']]', '[[', '{}', '[],'],
  );
  const places = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(
      document,
      lengths,
      places,
      fc.nat(2),
      edits,
      fc.constantFrom(file, '-'),
      (text, length, place, cut, put, name) => {
        const at = Math.floor(place * text.length);
        const edited = text.slice(0, at) + put + text.slice(at + cut);
        expect(outcome(edited, { fewest: 1, length }, name)).toEqual(outcome(edited, whole, name));
      },
    ),
    { numRuns: 1000 },
  );
});

test('words in another case, and keys that say more than one job, are left to the reader of whole documents', () => {
  const members = { execution: 'DIRECT', cpu_placement: 'Spread', parameters: { i: '1:3' } };
  for (const member of Object.entries(members)) {
    const text = JSON.stringify({ name: 'x', jobs: [{ name: 'j{i}', command: 'x', ...Object.fromEntries([member]) }] });
    expect(outcome(text, { fewest: 1, length: 1 })).toEqual(outcome(text, whole));
    expect(outcome(text, whole)).not.toHaveProperty('problems');
  }
});

test('nesting that is too deep is refused, and a long plain list is not read whole', () => {
  const nested = (depth: number) =>
    `{"name":"x","jobs":[{"name":"a","command":"x","labels":${'['.repeat(depth)}${']'.repeat(depth)}}]}`;
  for (const depth of [1, 2, 96, 97, 98, 99, 200]) {
    expect(outcome(nested(depth), { fewest: 1, length: 1 })).toEqual(outcome(nested(depth), whole));
  }
  const jobs = Array.from({ length: 7 }, (_, i) => ({
    name: `j${i}`,
    command: 'x',
    depends_on: i === 0 ? [] : [`j${i - 1}`],
  }));
  const long = readLongSpec(JSON.stringify({ name: 'x', jobs }), { fewest: 7, length: 2 });
  expect([...(long?.spec.jobs ?? [])]).toEqual(jobs);
  expect(long?.spec.jobs.usedKeys).toEqual(new Set(['name', 'command', 'depends_on']));
  expect(readLongSpec(JSON.stringify({ name: 'x', jobs }), { fewest: 8, length: 2 })).toBeNull();
});
