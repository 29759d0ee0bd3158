/** Commands of this torc with a server of an older one, whose replies lack what was added since. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { shellWord } from '../../src/base/text.ts';
import { newPlace, type Place } from './place.ts';

let place: Place;
let key: string;

beforeEach(async () => {
  place = newPlace();
  key = await place.create('true', 'exit 3');
  await place.json(['workflows', 'start', key]);
  await place.json(['jobs', 'run', key], 1);
});
afterEach(() => place.remove());

/** Starts a server whose replies lack these fields; returns its words in messages. */
async function serveWithout(...fields: string[]): Promise<string> {
  const less = new URL('../support/less-in-replies.mjs', import.meta.url);
  less.searchParams.set('fields', fields.join(','));
  const env = { NODE_OPTIONS: `--import=${less.href}` };
  const started = await place.torcWith(env, '-F', 'json', 'server', 'start', '--daemon');
  const { hostname, pid } = JSON.parse(started.stdout) as { hostname: string; pid: number };
  return `the server on ${hostname} (pid ${pid}) is of an older torc`;
}

const replace = (): string => {
  const torc = `torc --dir ${shellWord(place.dir)}`;
  return `Replace it while jobs go on: ${torc} server stop; then: ${torc} server start --daemon`;
};

it('what an older server does not know counts as none, and one note says so', async () => {
  const older = await serveWithout(
    'server_info:schema_version',
    'workflow_status:allocations_without_worker',
    'workflow_status:workflow.is_paused',
    'workflow_show:execution',
    'list:records.*.is_paused',
    'list:records.*.scaled',
  );
  const noted = `${older}; what it does not know is left out. ${replace()}`;

  const status = await place.torc('-F', 'json', 'status', key);
  expect(status).toMatchObject({ code: 0, stderr: `${JSON.stringify({ warning: noted })}\n` });
  expect(JSON.parse(status.stdout)).toMatchObject({ allocations_without_worker: [], is_paused: false });
  const text = await place.torc('status', key);
  expect(text).toMatchObject({ code: 0, stderr: `${noted}\n`, stdout: expect.stringContaining('1 job failed') });
  expect(await place.json(['workflows', 'show', key])).toMatchObject({ execution: 'direct' });
  expect(await place.json(['workflows', 'list'])).toMatchObject({ workflows: [{ is_paused: false }] });
  expect(await place.json(['-k', key, 'results', 'list'])).toMatchObject({
    results: [{ scaled: null }, { scaled: null }],
  });

  // what it answers as a whole needs no note, and it can be replaced
  expect(await place.torc('-k', key, 'jobs', 'list')).toMatchObject({ code: 0, stderr: '' });
  expect(await place.json(['server', 'info'])).toMatchObject({ schema_version: null });
  expect((await place.torc('doctor')).stdout).toContain('is not the version of this command');
  expect(await place.torc('server', 'stop')).toMatchObject({ code: 0, stderr: '' });
  expect(await place.torc('status', key)).toMatchObject({ code: 0, stderr: '' });
});

it('a number that an older server does not know is not made up', async () => {
  const older = await serveWithout('server_info:schema_version', 'workflow_status:workflow.num_lost');
  const error = {
    code: 'incompatible',
    message: `${older}: its answer has no workflow.num_lost`,
    hint: replace(),
  };
  const ended = await place.torc('-F', 'json', 'status', key);
  expect(ended).toMatchObject({ code: 5, stdout: '' });
  expect(JSON.parse(ended.stderr)).toEqual({ error });
});
