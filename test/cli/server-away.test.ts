/** Workers without a server: every command says so, and where the server was in the background it starts it again. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type Running, torc } from '../support/torc.ts';
import { newPlace, type Place } from './place.ts';

const places: Place[] = [];
const workers: Running[] = [];

afterEach(async () => {
  // a worker that is told to end ends its jobs
  for (const { child } of workers) child.kill('SIGTERM');
  await Promise.all(workers.splice(0).map(({ ended }) => ended));
  await Promise.all(places.splice(0).map((each) => each.remove()));
});

function newHere(env: Record<string, string> = {}): Place {
  const place = newPlace(env);
  places.push(place);
  return place;
}

interface Status {
  is_served: boolean;
  num_active_workers: number;
  counts: Record<string, number>;
}

const status = (place: Place) => place.json<Status>(['workflows', 'show-status', '1']);

/** A workflow of two jobs, a worker that runs the first one, and the pid of the server, which is then killed. */
async function loseServer(place: Place, ...options: string[]): Promise<void> {
  const started = await place.json<{ pid: number }>(['server', 'start', '--daemon', ...options]);
  await place.create('sleep 1000', 'sleep 1000');
  await place.torc('workflows', 'start', '1');
  workers.push(place.start('jobs', 'run', '1', '--worker', '--max-parallel-jobs', '1'));
  await expect.poll(async () => (await status(place)).counts.submitted, { timeout: 60_000 }).toBe(1);
  process.kill(started.pid, 'SIGKILL');
  await expect.poll(() => existsSync(`/proc/${started.pid}/exe`), { timeout: 60_000 }).toBe(false);
}

const told = (place: Place) =>
  `No server is running, and 1 worker waits for one: torc --dir '${place.dir.replaceAll("'", "'\\''")}' server start --daemon\n`;

describe('a server that was killed', () => {
  test('is missed by every command that does not start it again', async () => {
    const place = newHere({ TORC_SERVER: 'off' });
    await loseServer(place);

    const shown = await place.torc('workflows', 'show-status', '1');
    expect(shown).toMatchObject({ code: 0, stderr: told(place) });
    expect(shown.stdout).toContain('1 without a server');
    expect(await status(place)).toMatchObject({ is_served: false, num_active_workers: 1 });
    expect((await place.torc('jobs', 'show', '9')).stderr).toContain(told(place));
    expect((await place.torc('jobs', 'show', '2')).stdout).toContain('No server is running');
    // inside of a job, on a compute node perhaps, none is started
    for (const env of [{ TORC_JOB_KEY: '7' }, { SLURM_JOB_ID: '7', TORC_SERVER: 'auto' }]) {
      const listed = await torc(['--dir', place.dir, 'jobs', 'list'], { env });
      expect(listed).toMatchObject({ code: 0, stderr: told(place) });
    }
    expect((await torc(['--dir', place.dir, 'jobs', 'list'], { env: { TORC_SERVER: 'maybe' } })).code).toBe(2);
  });

  test('starts again with the next command, as it was started; never in a dry run', async () => {
    const place = newHere();
    const network = ['--advertise', 'gate:7000,[fd00::1]', '--relay', 'ssh'];
    await loseServer(place, '--idle-minutes', '30', '--lease-seconds', '77', ...network);

    expect((await place.torc('workflows', 'cancel', '1', '--dry-run')).stderr).toBe(told(place));
    const listed = await place.torc('jobs', 'list');
    expect(listed.stderr).toMatch(/^1 worker was without a server; started one on \S+ \(pid \d+\)\.\n$/);
    const { pid } = await place.json<{ pid: number }>(['server', 'info']);
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    expect(words).toEqual(
      expect.arrayContaining(['--lasting', '--idle-minutes', '30', '--lease-seconds', '77', ...network]),
    );
    const { addresses } = JSON.parse(readFileSync(join(place.dir, 'server.json'), 'utf8')) as { addresses: string[] };
    const port = addresses.at(-1)?.split(':').at(-1);
    expect(addresses.slice(0, 3)).toEqual(['gate:7000', `fd00::1:${port}`, `${hostname()}:${port}`]);

    // and it delivers what a person asks for
    await place.torc('workflows', 'cancel', '1');
    await expect.poll(async () => (await status(place)).counts.canceled, { timeout: 60_000 }).toBe(2);
  });

  test('is one server when many commands miss it at the same time', async () => {
    const place = newHere();
    await loseServer(place);

    const ended = await Promise.all(Array.from({ length: 4 }, () => place.torc('jobs', 'list')));
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    expect(ended.map(({ stderr }) => stderr).join('')).toMatch(/^1 worker was without a server; started one .*\n$/);
  });

  test('that a person stops stays stopped, also when it is dead already', async () => {
    const place = newHere();
    await loseServer(place);

    const { code, stderr } = await place.torc('server', 'stop');
    expect(code).toBe(5);
    expect(stderr).toBe(`error: no server is running for ${place.dir}; there is nothing to stop\n`);
    expect((await place.torc('jobs', 'list')).stderr).toBe(told(place));
    await place.torc('server', 'start', '--daemon');
    await place.torc('server', 'stop');
    expect((await place.torc('jobs', 'list')).stderr).toBe(told(place));
  });

  test('in the foreground belongs to its terminal: it starts again only when that is asked for', async () => {
    const place = newHere();
    await loseServer(place);
    await place.torc('server', 'stop');
    const server = place.start('server', 'start');
    await expect.poll(async () => (await status(place)).is_served, { timeout: 60_000 }).toBe(true);
    server.child.kill('SIGKILL');
    await server.ended;

    expect((await place.torc('jobs', 'list')).stderr).toBe(told(place));
  });
});

describe('a server directory that is moved away', () => {
  const stderrOf = ({ child }: Running): (() => string) => {
    let text = '';
    child.stderr?.on('data', (piece: string) => {
      text += piece;
    });
    return () => text;
  };
  const within = { timeout: 60_000 };

  test('under a run: it says so, and goes on when the directory is back', async () => {
    const place = newHere();
    const file = place.file('s.txt', 'touch begun; until [ -e go ]; do sleep 0.05; done\ntrue\n');
    const run = place.start('run', file, '--max-parallel-jobs', '1');
    const stderr = stderrOf(run);
    await expect.poll(() => existsSync(join(place.path, 'begun')), within).toBe(true);
    renameSync(place.dir, `${place.dir} moved`);
    await expect.poll(stderr, within).toContain(`${place.dir} is gone: it was moved or deleted`);
    writeFileSync(join(place.path, 'go'), '');
    expect(existsSync(place.dir)).toBe(false);
    renameSync(`${place.dir} moved`, place.dir);
    expect((await run.ended).code).toBe(0);
    expect((await status(place)).counts.done).toBe(2);
  });

  test('under a server in the foreground: it says so, and still ends when it is told to', async () => {
    const place = newHere();
    const server = place.start('server', 'start');
    const stderr = stderrOf(server);
    await expect.poll(server.stdout, within).toContain('serving');
    renameSync(place.dir, `${place.dir} moved`);
    await expect.poll(stderr, within).toContain(`${place.dir} is gone: it was moved or deleted`);
    server.child.kill('SIGTERM');
    expect((await server.ended).code).toBe(0);
    expect(existsSync(place.dir)).toBe(false);
  });
});

test('a worker on this host that has died waits for nobody', async () => {
  const place = newHere({ TORC_SERVER: 'off' });
  const started = await place.json<{ pid: number }>(['server', 'start', '--daemon']);
  await place.create('sleep 1000');
  await place.torc('workflows', 'start', '1');
  const worker = place.start('jobs', 'run', '1', '--worker');
  await expect.poll(async () => (await status(place)).num_active_workers, { timeout: 60_000 }).toBe(1);
  process.kill(started.pid, 'SIGKILL');
  worker.child.kill('SIGKILL');
  await worker.ended;
  await expect.poll(() => existsSync(`/proc/${started.pid}/exe`), { timeout: 60_000 }).toBe(false);

  expect((await place.torc('jobs', 'list')).stderr).toBe('');
  // also ends what the worker has left
  await place.torc('workflows', 'cancel', '1');
});

describe('a directory without a database', () => {
  test.each([
    ['workflows', 'list'],
    ['jobs', 'show', '1'],
    ['workflows', 'cancel', '1'],
    ['hpc', 'slurm', 'schedule-nodes', '-n', '1'],
    ['server', 'check'],
    ['jobs', 'run', '1'],
  ])('stays as it is: torc %s %s', async (...words) => {
    const place = newHere();
    const missing = await place.torc(...words);
    expect(missing).toMatchObject({ code: 3, stdout: '' });
    expect(missing.stderr).toContain(`error: there is no torc database in ${place.dir}\n`);
    expect(existsSync(place.dir)).toBe(false);
    mkdirSync(place.dir);
    expect((await place.torc(...words)).code).toBe(3);
    expect(readdirSync(place.dir)).toEqual([]);
    expect((await place.torc('server', 'stop')).code).toBe(5);
    expect(existsSync(join(place.dir, 'torc.db'))).toBe(false);
  });
});

test('a port that there is not is refused before anything starts', async () => {
  expect(await newHere().torc('server', 'start', '--port', '65536')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('from 0 to 65535'),
  });
});
