// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in commands are written like that
/** Results of jobs that are passed on, from specification to `jobs show`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newPlace, type Place } from './place.ts';

let place: Place;
beforeAll(() => {
  place = newPlace();
});
afterAll(() => place.remove());

/** A job's program: prints what a function of all inputs gives. */
const node = (body: string): string =>
  `'${process.execPath}' -e 'const {args, by_name} = JSON.parse(fs.readFileSync(process.env.TORC_INPUTS_FILE, "utf8")); ${body}'`;
const sum = `${node('console.log(args.reduce((a, b) => a + b, 0))')} > "$TORC_RESULT_FILE"`;
const leave = (json: string): string => `echo '${json}' > "$TORC_RESULT_FILE"`;

type Job = { job_key: string; name: string; result: unknown; return_code: number };

/** What each job left, by name. */
async function results(key: string): Promise<Record<string, unknown>> {
  const { results: all } = await place.json<{ results: { job_name: string; result: unknown }[] }>([
    'results',
    'list',
    '-k',
    key,
    '-L',
  ]);
  return Object.fromEntries(all.map(({ job_name, result }) => [job_name, result]));
}

async function run(spec: object): Promise<string> {
  const file = place.file('values.json', JSON.stringify({ name: 'values', ...spec }));
  const { workflow_key } = await place.json<{ workflow_key: string }>(['run', file, '-o', 'out']);
  return workflow_key;
}

describe('result values', () => {
  it('of two steps give 3, of a merge 30, of map and reduce 15', async () => {
    const maps = [1, 2, 3, 4, 5];
    const key = await run({
      resource_requirements: [{ name: 'sized', num_cpus: 1, memory: '${result.ten}m' }],
      jobs: [
        { name: 'sized', command: 'true', depends_on: ['ten'], resource_requirements: 'sized' },
        { name: 'gen', command: leave('[1, 2]') },
        { name: 'sum', command: sum, depends_on: ['gen'] },
        { name: 'ten', command: leave('10') },
        { name: 'twenty', command: leave('20') },
        { name: 'merge', command: sum, depends_on: ['twenty', 'ten'] },
        {
          name: 'minus',
          command: `${node('console.log(args[0] - args[1])')} > "$TORC_RESULT_FILE"`,
          depends_on: ['twenty', 'ten'],
        },
        {
          name: 'by name',
          command: `${node('console.log(by_name.ten - by_name.twenty)')} > "$TORC_RESULT_FILE"`,
          depends_on: ['twenty', 'ten'],
        },
        { name: 'map_{i}', command: leave('{i}'), parameters: { i: maps } },
        { name: 'reduce', command: sum, depends_on_regexes: ['^map_'] },
        {
          name: 'use',
          command: 'echo "sum ${result.sum}, first ${inputs.0}, $((${result.merge} + 1))" > use.txt',
          depends_on: ['sum', 'merge'],
        },
      ],
    });
    expect(await results(key)).toMatchObject({ sum: 3, merge: 30, reduce: 15, minus: 10, 'by name': -10, use: null });
    expect(readFileSync(join(place.path, 'use.txt'), 'utf8')).toBe('sum 3, first 3, 31\n');
    expect(await place.json(['jobs', 'list', '-k', key, '-f', 'name=sized'])).toMatchObject({
      jobs: [{ return_code: 0, memory_bytes: 10 * 1024 ** 2 }],
    });
    const { jobs } = await place.json<{ jobs: Job[] }>(['jobs', 'list', '-k', key, '-f', 'name=gen']);
    const gen = jobs[0]?.job_key ?? '';
    expect((await place.torc('jobs', 'show', gen)).stdout).toMatch(/^result: +\[1,2\]$/m);
    expect(await place.json(['jobs', 'show', gen])).toMatchObject({ attempts: [{ result: [1, 2] }] });
    expect((await place.torc('results', 'list', '-k', key)).stdout).toMatch(/ gen +\[1,2\]$/m);
  });

  it('that are bad or missing fail the job, with the reason', async () => {
    const file = place.file(
      'bad.json',
      JSON.stringify({
        name: 'bad',
        jobs: [
          { name: 'bad', command: 'echo "{" > "$TORC_RESULT_FILE"' },
          { name: 'none', command: 'true' },
          { name: 'needs', command: 'echo ${result.none} > never.txt', depends_on: ['none'] },
        ],
      }),
    );
    const ended = await place.torc('run', file, '-o', 'out');
    expect(ended.code).toBe(1);
    const { results: failed } = await place.json<{ results: object[] }>(['results', 'list', '-k', 'last', '--failed']);
    expect(failed).toMatchObject([
      { job_name: 'bad', return_code: 1, cause: 'missing_output', detail: expect.stringContaining('not valid JSON') },
      {
        ...{ job_name: 'needs', return_code: 1, cause: 'missing_input', start_time: null },
        detail: '${result.none} has no value: the job that it names has left no result value',
      },
    ]);
  });

  it('are exported and imported, and a restart gives the new ones to the jobs that wait for them', async () => {
    const a = place.file('a.json', '[1, 2]');
    const key = await run({
      jobs: [
        { name: 'c', command: leave('10') },
        { name: 'b', command: `cat "$TORC_INPUTS_FILE" > b.json; ${sum}`, depends_on: ['a', 'c'] },
        { name: 'a', command: 'cat "${files.input.a}" > "$TORC_RESULT_FILE"' },
      ],
      files: [{ name: 'a', path: a }],
    });
    const before = { a: [1, 2], b: 13, c: 10 };
    expect(await results(key)).toEqual(before);
    const exported = await place.torc('workflows', 'export', key, '--results');
    const copy = await place.json<{ workflow_key: string }>([
      ...['workflows', 'import', place.file('exported.json', exported.stdout)],
    ]);
    expect(await results(copy.workflow_key)).toEqual(before);

    place.file('a.json', '[5]');
    const { changes } = await place.json<{ changes: object[] }>(['workflows', 'restart', key]);
    expect(changes).toMatchObject([{ job_name: 'b' }, { job_name: 'a' }]);
    // what its files were is not in the export
    await place.json(['jobs', 'reset-status', '-k', copy.workflow_key, '-f', 'name=a']);
    await place.json(['workflows', 'restart', copy.workflow_key]);
    for (const again of [key, copy.workflow_key]) {
      await place.json(['jobs', 'run', again, '-o', 'out']);
      expect(await results(again)).toEqual({ a: [5], b: 15, c: 10 });
      const inputs = JSON.parse(readFileSync(join(place.path, 'b.json'), 'utf8'));
      expect(inputs).toEqual({ args: [5, 10], by_name: { a: [5], c: 10 } });
    }
  });
});
