// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables in commands are written like that
/** Metadata and user data: documents of users pass through torc as they are written. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newPlace, type Place } from './place.ts';

let place: Place;
beforeAll(() => {
  place = newPlace();
});
afterAll(() => place.remove());

/** What doubles, zod and plain assignments would change. */
const exact =
  '{"big":12345678901234567890,"float":1.0,"list":[-0.0,1e3,0.10],"__proto__":{"x":1.0},"constructor":2,"text":"1.0"}';

describe('documents of users', () => {
  it.each(['in process', 'over HTTP'])(
    'stay as they are written from a specification to an import, %s',
    async (way) => {
      if (way === 'over HTTP') await place.torc('server', 'start', '--daemon');
      const spec = `{"name":"exact","metadata":${exact},"user_data":[{"name":"in","data":${exact}},{"name":"out"}],
      "jobs":[{"name":"j","command":"echo '\${user_data.input.in}' > \\"\${user_data.output.out}\\""}]}`;
      const { workflow_key: key } = await place.json<{ workflow_key: string }>(['run', place.file('exact.json', spec)]);
      const copy = join(place.path, `${key}.json`);
      await place.torc('workflows', 'export', key, '--results', '-o', copy);
      const { workflow_key: imported } = await place.json<{ workflow_key: string }>(['workflows', 'import', copy]);
      for (const k of [key, imported]) {
        for (const name of ['in', 'out']) {
          expect((await place.torc('-k', k, 'user-data', 'show', name)).stdout).toBe(`${exact}\n`);
        }
        const rows = await place.torc('-F', 'json', 'workflows', 'list', '-f', `workflow_key=${k}`);
        expect(rows.stdout).toContain(`"metadata":${exact}}`);
        const data = `{"a":1.0,"b":${exact}}`;
        await place.torc('-k', k, 'user-data', 'modify', 'in', '--data', data);
        expect((await place.torc('-F', 'csv', '-k', k, 'user-data', 'list')).stdout).toContain(
          data.replaceAll('"', '""'),
        );
      }
    },
  );

  it.each([
    [
      'yaml',
      'name: w\nuser_data: [{name: in, data: {b: 12345678901234567890, f: 1.0}}]\njobs: [{name: a, command: x}]',
    ],
    [
      'json5',
      "{name: 'w', user_data: [{name: 'in', data: {b: 12345678901234567890, f: 1.0}}], jobs: [{name: 'a', command: 'x'}]}",
    ],
    ['kdl', 'name "w"\nuser_data "in" { data { b 12345678901234567890; f 1.0; }; }\njob "a" command="x"'],
  ])('stay as they are written in %s', async (syntax, text) => {
    const { workflow_key: key } = await place.json<{ workflow_key: string }>([
      ...['workflows', 'create', place.file(`w.${syntax}`, text)],
    ]);
    const shown = await place.torc('-k', key, 'user-data', 'show', 'in');
    expect(shown.stdout).toBe('{"b":12345678901234567890,"f":1.0}\n');
  });

  it('with half a character are refused', async () => {
    const key = await place.create('true');
    for (const words of [
      ['-k', key, 'user-data', 'add', 'half', '--data', '{"a":["\\ud800"]}'],
      ['workflows', 'modify', key, '--metadata', '{"\\udc00":1}'],
    ]) {
      const ended = await place.torc(...words);
      expect([ended.code, ended.stderr]).toEqual([2, expect.stringContaining('an incomplete character')]);
    }
  });
});
