/** Jobs that add jobs, as docs/children.md shows it. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mainJs } from '../support/torc.ts';
import { newPlace, type Place } from './place.ts';

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'children.md'), 'utf8');
const [spec = ''] = [...page.matchAll(/```yaml\n(# sums\.yaml.*?)```/gs)].map(([, text = '']) => text);
const torc = `'${process.execPath}' '${mainJs}'`;

let place: Place;
beforeAll(() => {
  place = newPlace();
});
afterAll(() => place.remove());

interface Listed {
  jobs: { name: string; status: string; return_code: number | null }[];
}

describe('torc jobs add-children', () => {
  it('adds five jobs before one that sums up what they write', async () => {
    const file = place.file('sums.yaml', spec.replace('torc jobs', `${torc} jobs`));
    const ended = await place.torc('run', file, '-m', '2');
    expect(ended.code, ended.stderr).toBe(0);
    expect(readFileSync(join(place.path, 'sum.txt'), 'utf8')).toBe('15\n');
    const { jobs } = await place.json<Listed>(['jobs', 'list', '-k', '1']);
    expect(jobs.map(({ name }) => name)).toEqual(['map', 'reduce', 'gen_1', 'gen_2', 'gen_3', 'gen_4', 'gen_5']);
    expect(jobs.every(({ status, return_code }) => status === 'done' && return_code === 0)).toBe(true);
    const events = await place.json<{ events: object[] }>(['events', 'list', '-k', '1', '-f', 'type=children_added']);
    expect(events.events).toMatchObject([{ job_key: '1', data: { num_jobs: 5, before: ['reduce'] } }]);

    const exportFile = join(place.path, 'exported.json');
    expect((await place.torc('workflows', 'export', '1', '--results', '-o', exportFile)).code).toBe(0);
    const imported = await place.json<{ workflow_key: string }>(['workflows', 'import', exportFile]);
    const exported = async (key: string) => JSON.parse((await place.torc('workflows', 'export', key)).stdout);
    const [before, after] = [await exported('1'), await exported(imported.workflow_key)];
    expect(before.added_jobs).toMatchObject([{ job_name: 'gen_1', added_by: 'map' }, {}, {}, {}, {}]);
    expect(after.added_jobs).toEqual(before.added_jobs);
  });

  it('works with the credential of the job alone, which ends with it', async () => {
    const hidden = `mv "$TORC_DIR/server.json" hidden.json`;
    const add = `echo '[{"name": "gen", "command": "cat $F; true"}]' | ${torc} jobs add-children`;
    const look =
      'stat -c %a "$TORC_JOB_TOKEN_FILE" > mode.txt; echo "$TORC_JOB_TOKEN_FILE" > path.txt; cat "$TORC_JOB_TOKEN_FILE" > token.txt';
    // without the server directory's file nothing but the credential and what lies beside it leads to the server
    const command = `${look}; ${hidden} && ${add}; code=$?; mv hidden.json "$TORC_DIR/server.json"; exit $code`;
    const jobs = [
      { name: 'map', command },
      { name: 'after', command: '! cmp "$(cat path.txt)" token.txt', depends_on: ['map'] },
    ];
    const file = place.file('credential.json', JSON.stringify({ name: 'credential', jobs }));
    const ended = await place.torc('run', file);
    expect(ended.code, ended.stderr).toBe(0);
    expect(readFileSync(join(place.path, 'mode.txt'), 'utf8')).toBe('600\n');
    const { jobs: listed } = await place.json<Listed>(['jobs', 'list', '-k', '3']);
    expect(listed).toMatchObject([{ name: 'map' }, { name: 'after' }, { name: 'gen', status: 'done' }]);
    const token = readFileSync(join(place.path, 'path.txt'), 'utf8').trim();
    expect(existsSync(token)).toBe(false);
    expect(existsSync(dirname(token))).toBe(false);
  });

  it('a job killed in the middle of adding, and retried, adds each job once; a second job before one that is done is refused', async () => {
    const add = (names: string, before: string) => `printf '[${names}]' | ${torc} jobs add-children --before ${before}`;
    const child = (n: number) => `{"name": "gen_${n}", "command": "echo ${n} > part_${n}"}`;
    const map = [
      add(`${child(1)}, ${child(2)}`, 'reduce'),
      // the first attempt dies between its calls
      '[ -e tried ] || { touch tried; kill -9 $$; }',
      add(`${child(2)}, ${child(3)}`, 'reduce'),
    ].join('; ');
    const late = `${add(child(9), 'first')} 2> late.txt; echo $? >> late.txt`;
    const file = place.file(
      'killed.yaml',
      JSON.stringify({
        name: 'killed',
        jobs: [
          { name: 'first', command: 'true' },
          { name: 'map', command: map, depends_on: ['first'], max_retries: 1 },
          { name: 'reduce', command: 'cat part_1 part_2 part_3 > whole', depends_on: ['map'] },
          { name: 'late', command: late, depends_on: ['reduce'] },
        ],
      }),
    );
    const ended = await place.torc('run', file);
    expect(ended.code, ended.stderr).toBe(0);
    expect(existsSync(join(place.path, 'tried'))).toBe(true);
    expect(readFileSync(join(place.path, 'whole'), 'utf8')).toBe('1\n2\n3\n');
    const { jobs } = await place.json<Listed>(['jobs', 'list', '-k', '4']);
    expect(jobs.map(({ name }) => name)).toEqual(['first', 'map', 'reduce', 'late', 'gen_1', 'gen_2', 'gen_3']);
    const refused = readFileSync(join(place.path, 'late.txt'), 'utf8');
    expect(refused).toContain('("first") is already done, so no job can be added before it');
    expect(refused.trimEnd().endsWith('\n4')).toBe(true);
    expect((await place.torc('jobs', 'add-children', file)).stderr).toContain('only a running job adds children');
  });
});
