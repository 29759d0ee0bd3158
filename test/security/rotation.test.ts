/** A new token while a worker and a command are at work. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readServerFile, type ServerFile, serverFilePath } from '../../src/api/server-file.ts';
import { Tokens } from '../../src/server/http/tokens.ts';
import { newPlace, type Place } from '../cli/place.ts';
import { fakeClock } from '../unit/cli-fakes.ts';
import { ask } from './as-other-user.ts';

describe('a token', () => {
  it('is valid for its grace period after it was replaced, and not a moment longer', () => {
    const clock = fakeClock();
    const tokens = new Tokens(clock, 'first');
    tokens.replace('second', 600_000);
    expect(['Bearer first', 'Bearer second', 'Bearer third'].map((header) => tokens.accepts(header))).toEqual([
      true,
      true,
      false,
    ]);
    clock.move(599_999);
    expect(tokens.accepts('Bearer first')).toBe(true);
    clock.move(1);
    expect(tokens.accepts('Bearer first')).toBe(false);
    expect(tokens.accepts('Bearer second')).toBe(true);
  });

  it('is invalid after two replacements, and after one without a grace period', () => {
    const tokens = new Tokens(fakeClock(), 'first');
    tokens.replace('second', 600_000);
    tokens.replace('third', 600_000);
    expect(tokens.accepts('Bearer first')).toBe(false);
    expect(tokens.accepts('Bearer second')).toBe(true);
    tokens.replace('fourth', 0);
    expect(tokens.accepts('Bearer third')).toBe(false);
  });
});

describe('torc server rotate-token', () => {
  let place: Place;
  beforeEach(() => {
    place = newPlace();
  });
  afterEach(() => place.remove());

  const file = (): ServerFile => JSON.parse(readFileSync(serverFilePath(place.dir), 'utf8'));
  const statusWith = async ({ token }: ServerFile) => (await ask(file(), '/v1/server_info', `Bearer ${token}`)).status;

  it('disturbs nobody: a command and its worker switch to the new token by themselves', async () => {
    await place.torc('server', 'start', '--daemon');
    const wait = (name: string) => `touch ${name}; while [ ! -e go-${name} ]; do sleep 0.05; done`;
    const jobs = [
      { name: 'a', command: wait('a') },
      { name: 'b', command: wait('b'), depends_on: ['a'] },
    ];
    place.file('w.json', JSON.stringify({ name: 'w', jobs }));
    const run = place.start('run', 'w.json');
    const isThere = (name: string) =>
      vi.waitUntil(() => statSync(join(place.path, name), { throwIfNoEntry: false }) !== undefined, {
        timeout: 60_000,
      });
    await isThere('a');
    const first = file();

    expect(await place.json(['server', 'rotate-token'])).toMatchObject({ grace_seconds: 600, pid: first.pid });
    const second = file();
    expect(second).toEqual({ ...first, token: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(second.token).not.toBe(first.token);
    expect(statSync(serverFilePath(place.dir)).mode & 0o777).toBe(0o600);
    expect(await statusWith(first)).toBe(200);
    expect(await statusWith(second)).toBe(200);

    const printed = await place.torc('server', 'rotate-token', '--grace-minutes', '0');
    expect(printed.stdout).toBe('created a new token; the previous token is refused from now on\n');
    const third = file();
    for (const [old, status] of [
      [first, 401],
      [second, 401],
      [third, 200],
    ] as const) {
      expect(await statusWith(old)).toBe(status);
    }
    expect(printed.stdout + printed.stderr).not.toContain(third.token);

    writeFileSync(join(place.path, 'go-a'), '');
    await isThere('b');
    await place.torc('server', 'rotate-token', '--grace-minutes', '0');
    writeFileSync(join(place.path, 'go-b'), '');
    expect(await run.ended).toMatchObject({ code: 0 });
    const { results } = await place.json<{ results: { return_code: number; attempt_id: number }[] }>([
      'results',
      'list',
    ]);
    expect(results.map(({ return_code, attempt_id }) => [return_code, attempt_id])).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  it('needs a server, and says how to start one', async () => {
    const ended = await place.torc('server', 'rotate-token');
    expect(ended).toMatchObject({ code: 5, stdout: '' });
    expect(ended.stderr).toMatch(/no server answers.*\nhint: torc .*server start --daemon/);
    expect(readServerFile(place.dir)).toBeNull();
  });
});
