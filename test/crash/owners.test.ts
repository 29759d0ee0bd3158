/** Two processes that both believe they own the database: one stops, and nothing that was confirmed is lost. */
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readServerFile, writeServerFile } from '../../src/api/server-file.ts';
import { systemClock } from '../../src/base/clock.ts';
import { openService } from '../../src/server/open.ts';
import { newPlace, type Place } from '../cli/place.ts';
import { createWorkflow } from '../support/service.ts';

let place: Place;

beforeEach(() => {
  place = newPlace();
});
afterEach(() => place.remove());

const served = (pid: number | undefined) => () =>
  readServerFile(place.dir)?.pid === pid && (readServerFile(place.dir)?.addresses.length ?? 0) > 0;

async function workflowNames(): Promise<string[]> {
  const listed = await place.json<{ workflows: { workflow_key: string }[] }>(['workflows', 'list', '-l', '10000']);
  return listed.workflows.map((workflow) => workflow.workflow_key);
}

it('a server directory that was deleted and made again gets no worker of the one before', async () => {
  const first = place.start('server', 'start');
  await expect.poll(served(first.child.pid)).toBe(true);
  const key = await place.create('touch begun; until [ -e go ]; do sleep 0.05; done');
  await place.torc('workflows', 'start', key);
  const worker = place.start('jobs', 'run', key, '--worker');
  await expect.poll(() => existsSync(join(place.path, 'begun'))).toBe(true);
  first.child.kill('SIGKILL');
  await first.ended;
  rmSync(place.dir, { recursive: true });
  expect(await place.create('true')).toBe(key);
  await place.torc('workflows', 'start', key);
  const second = place.start('server', 'start');
  await expect.poll(served(second.child.pid)).toBe(true);
  place.file('go', '');
  const ended = await worker.ended;
  expect(ended).toMatchObject({ code: 5, stderr: expect.stringContaining('belongs to another database') });
  expect(await place.json(['compute-nodes', 'list', '-k', key])).toEqual({ compute_nodes: [] });
  expect(await place.json(['jobs', 'list', '-k', key])).toMatchObject({ jobs: [{ status: 'ready' }] });
});

describe('two owners', () => {
  it('that start at once: one serves, the other names it', async () => {
    const servers = [place.start('server', 'start'), place.start('server', 'start')];
    const loser = await Promise.race(servers.map(({ ended }) => ended));
    expect(loser.code).toBeGreaterThanOrEqual(4);
    expect(loser.stderr).toMatch(/is using the database|already running/);
    await expect.poll(() => readServerFile(place.dir)?.pid).toBeDefined();
    const winner = servers.find(({ child }) => child.pid === readServerFile(place.dir)?.pid);
    expect(winner?.child.exitCode).toBe(null);
    await place.create('true');
  });

  it('without locks and exclusive create: the first stops, and the second has everything that it confirmed', async () => {
    const first = await openService(place.dir, systemClock, 'first');
    const confirmed: string[] = [];
    const working = (async () => {
      for (;;) confirmed.push(await createWorkflow(first, [{ name: 'a' }], [], { start: false }));
    })();
    working.catch(() => {});
    await expect.poll(() => confirmed.length).toBeGreaterThan(5);
    // closing drops every lock that this process has on the file
    closeSync(openSync(join(place.dir, 'torc.db'), 'r'));
    rmSync(join(place.dir, 'holder.json'));
    const second = place.start('server', 'start');
    await expect(working).rejects.toThrow(/taken over/);
    await expect.poll(served(second.child.pid)).toBe(true);
    expect(await workflowNames()).toEqual(expect.arrayContaining(confirmed));
    await first.close();
    expect(await place.create('true')).toBeDefined();
  });

  it('after one was frozen on another host: it stops when it thaws', async () => {
    const first = place.start('server', 'start');
    await expect.poll(served(first.child.pid)).toBe(true);
    const key = await place.create('true');
    first.child.kill('SIGSTOP');
    const path = join(place.dir, 'holder.json');
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), hostname: 'elsewhere' }));
    // a frozen server does not answer, just like one whose host is down, and asking it takes long
    const file = readServerFile(place.dir);
    if (file === null) throw new Error('not published');
    writeServerFile(place.dir, { ...file, hostname: 'elsewhere', addresses: ['127.0.0.1:1'] });
    const second = place.start('server', 'start');
    await expect.poll(served(second.child.pid)).toBe(true);
    expect(await workflowNames()).toEqual([key]);
    first.child.kill('SIGCONT');
    const ended = await first.ended;
    expect(ended).toMatchObject({ code: 5, stderr: expect.stringContaining(`(pid ${second.child.pid})`) });
    // its end has changed nothing that belongs to the other now
    await place.create('true');
    second.child.kill('SIGTERM');
    await second.ended;
    expect(await workflowNames()).toHaveLength(2);
  });
});
