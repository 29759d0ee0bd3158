/** One owner of a database at a time: which process may take a directory, and which has to stop. */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openClient } from '../../src/api/client.ts';
import { processStartTicks } from '../../src/base/proc.ts';
import { runServer } from '../../src/server/daemon.ts';
import { openService } from '../../src/server/open.ts';
import { serve } from '../../src/server/serve.ts';
import type { Service } from '../../src/server/service.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { createWorkflow, rows, TestWorker, temporaryDirectory } from '../support/service.ts';

let directory: string;
let clock: FakeClock;
let opened: Service[];

beforeEach(() => {
  directory = temporaryDirectory();
  clock = new FakeClock();
  opened = [];
});
afterEach(async () => {
  for (const service of opened) await service.close();
  rmSync(directory, { recursive: true, force: true });
});

async function open(): Promise<Service> {
  const service = await openService(directory, clock, 'test');
  opened.push(service);
  return service;
}

const path = (name: string): string => join(directory, name);

/** As another process on another host writes it. */
function putHolder(fields: Record<string, unknown> = {}): void {
  const holder = { hostname: 'elsewhere', pid: 1, command: 'torc server start', since: 'today', nonce: 'x', ...fields };
  writeFileSync(path('holder.json'), `${JSON.stringify(holder)}\n`);
}

describe('a directory that is moved away', () => {
  it('is waited for: nothing is written meanwhile, the person is told, and everything goes on when it is back', async () => {
    const service = await open();
    const told: string[] = [];
    service.onAway = (text) => told.push(text);
    const key = await createWorkflow(service, [{ name: 'a' }], [], { start: false });
    const start = () =>
      service.call('workflow_start', { workflow_key: key, dry_run: false, ignore_missing_data: true });
    renameSync(directory, `${directory} moved`);
    await clock.advance(2_000);
    expect(told).toEqual([expect.stringContaining(`${directory} is gone: it was moved or deleted`)]);
    const begin = vi.spyOn(service.db, 'run');
    await expect(start()).rejects.toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining(`${directory} is gone`),
    });
    expect(begin).not.toHaveBeenCalled();
    begin.mockRestore();
    await clock.advance(120_000);
    renameSync(`${directory} moved`, directory);
    await clock.advance(2_000);
    expect(told.slice(1)).toEqual([`${directory} is back`]);
    expect(await start()).toMatchObject({ num_ready: 1 });
  });

  it('and does not come back ends its owner with words, after as long as workers wait', async () => {
    const service = await open();
    renameSync(directory, `${directory} moved`);
    await clock.advance(19 * 60_000);
    expect(service.isLost).toBe(false);
    await clock.advance(2 * 60_000);
    const error = await service.lost;
    expect(error).toMatchObject({
      code: 'unusable',
      exitCode: 5,
      message: `the server directory ${directory} is gone: it was moved or deleted; this process has stopped`,
    });
    await expect(service.call('server_info', {})).rejects.toBe(error);
    await service.close();
    renameSync(`${directory} moved`, directory);
  });

  it('and replaced by another one has another owner', async () => {
    const service = await open();
    renameSync(directory, `${directory} moved`);
    mkdirSync(directory);
    await clock.advance(2_000);
    expect(await service.lost).toMatchObject({
      code: 'busy',
      message: expect.stringContaining('replaced or taken over'),
    });
    rmSync(`${directory} moved`, { recursive: true });
  });
});

describe('an owner that lost its directory', () => {
  it('confirms nothing that it commits afterwards, and names the new owner', async () => {
    const service = await open();
    const key = await createWorkflow(service, [{ name: 'a' }]);
    putHolder();
    await expect(service.call('workflow_start', { workflow_key: key, dry_run: false })).rejects.toMatchObject({
      code: 'busy',
      message: expect.stringContaining("'torc server start' on elsewhere (pid 1)"),
    });
    expect(service.isLost).toBe(true);
    await expect(service.call('server_info', {})).rejects.toMatchObject({ code: 'busy' });
    await service.close();
    expect(JSON.parse(readFileSync(path('holder.json'), 'utf8')).nonce).toBe('x');
  });

  it('confirms nothing that it commits while it ends', async () => {
    const service = await open();
    putHolder();
    const refused = expect(service.write(() => 'stored')).rejects.toMatchObject({ code: 'busy' });
    await service.close();
    await refused;
    expect(service.isLost).toBe(true);
  });

  it('does not reopen the database of the new owner after an I/O error', async () => {
    const service = await open();
    const key = await createWorkflow(service, [{ name: 'a' }]);
    const reopen = vi.spyOn(service.db, 'reopen');
    const run = service.db.run.bind(service.db);
    service.db.run = (sql, ...values) => {
      if (sql !== 'COMMIT') return run(sql, ...values);
      throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR_WRITE' });
    };
    putHolder();
    await expect(service.call('workflow_start', { workflow_key: key, dry_run: false })).rejects.toThrow();
    expect(service.isLost).toBe(true);
    expect(reopen).not.toHaveBeenCalled();
  });

  it('notices within five seconds without any requests, even when the new owner has left', async () => {
    const service = await open();
    rmSync(path('holder.json'));
    await clock.advance(5_000);
    expect(service.isLost).toBe(true);
  });

  it('answers no request over the network, not even those of waiting workers', async () => {
    const service = await open();
    const serving = await serve(service);
    const client = openClient(directory);
    const key = await createWorkflow(client, [{ name: 'a' }]);
    const busy = await TestWorker.join(client, key);
    const idle = await TestWorker.join(client, key);
    const [job] = (await busy.exchange()).jobs;
    const waiting = expect(idle.exchange()).rejects.toMatchObject({ code: 'unreachable' });
    await expect.poll(() => service.numParked, { timeout: 10_000 }).toBe(1);
    putHolder();
    await expect(busy.finish(job?.attempt ?? 0)).rejects.toMatchObject({ code: 'unreachable' });
    await waiting;
    await client.close();
    await serving.close();
  });

  it('may learn that from a worker, and the next server gets a higher epoch than that worker has seen', async () => {
    const service = await open();
    service.beginEpoch();
    const key = await createWorkflow(service, [{ name: 'a' }]);
    const worker = await TestWorker.join(service, key);
    await expect(worker.exchange({ epoch: service.epoch + 7 })).rejects.toThrow(/has seen a later server/);
    expect(service.isLost).toBe(true);
    service.db.close();
    const next = await open();
    expect(next.beginEpoch()).toBeGreaterThan(service.epoch + 7);
    expect(await rows(next, 'jobs', key)).toHaveLength(1);
  });
});

describe('an impossible epoch', () => {
  it('stops no server when a worker names it', async () => {
    const service = await open();
    service.beginEpoch();
    const worker = await TestWorker.join(service, await createWorkflow(service, [{ name: 'a' }]));
    for (const epoch of [1e12 + 1, Number.MAX_SAFE_INTEGER]) {
      await expect(worker.exchange({ epoch })).rejects.toMatchObject({ code: 'usage' });
    }
    expect((await worker.exchange()).jobs).toHaveLength(1);
  });

  it.each(['9007199254740991', '1e308', '-1', 'x'.repeat(100), '', '\0'])(
    'is ignored in the file of epochs: %j',
    async (text) => {
      const first = (await open()).beginEpoch();
      await opened.pop()?.close();
      writeFileSync(path('epoch'), text);
      const service = await open();
      expect(service.beginEpoch()).toBe(first + 1);
      expect(readFileSync(path('epoch'), 'utf8')).toBe(`${first + 1}\n`);
    },
  );
});

describe('a directory whose holder did not end properly', () => {
  it('is taken at once when the process on this host is gone or another process has its pid', async () => {
    putHolder({ hostname: hostname(), pid: 2 ** 22 + 1 });
    await (await open()).close();
    putHolder({ hostname: hostname(), pid: process.pid, start_ticks: (processStartTicks(process.pid) ?? 0) + 1 });
    await (await open()).close();
    const child = spawn('sleep', ['60']);
    putHolder({ hostname: hostname(), pid: child.pid, start_ticks: processStartTicks(child.pid ?? 0) });
    await expect(open()).rejects.toThrow(new RegExp(`\\(pid ${child.pid}, since today\\) is using the database`));
    child.kill('SIGKILL');
  });

  it.each([
    ['says who it is', () => putHolder()],
    ['was cut off while it wrote', () => writeFileSync(path('holder.json'), '{"hostn')],
  ])('on another host is waited for: one that stands still for eight seconds is gone, and %s', async (_what, put) => {
    await (await open()).close();
    const { ino } = statSync(path('torc.db'));
    put();
    const opening = open();
    await clock.advance(7_000);
    expect(opened).toHaveLength(1);
    await clock.advance(1_000);
    await opening;
    // what the previous owner may still write goes into the old file
    expect(statSync(path('torc.db')).ino).not.toBe(ino);
  });

  it('is left alone when the holder is on another host', async () => {
    putHolder();
    writeFileSync(path('heartbeat'), 'x 1\n');
    const opening = expect(open()).rejects.toThrow(/is using the database/);
    await clock.advance(6_000);
    writeFileSync(path('heartbeat'), 'x 2\n');
    await clock.advance(1_000);
    await opening;
    expect(JSON.parse(readFileSync(path('holder.json'), 'utf8')).nonce).toBe('x');
  });

  it('names the process to end only when that has the database open', async () => {
    const service = await open();
    const hint = `Wait until it ends, or end it: kill ${process.pid}`;
    await expect(open()).rejects.toMatchObject({ code: 'busy', hint });
    service.db.close();
    await expect(open()).rejects.toMatchObject({ code: 'busy', hint: 'Wait until it ends.' });
  });

  it('goes to one of several simultaneous openers', async () => {
    putHolder();
    const attempts = Promise.allSettled([open(), open(), open()]);
    await clock.advance(9_000);
    const results = (await attempts).map(({ status }) => status);
    expect(results.toSorted()).toEqual(['fulfilled', 'rejected', 'rejected']);
  });

  it('has a heartbeat and a holder file only while it is held', async () => {
    const service = await open();
    await clock.advance(2_000);
    const first = readFileSync(path('heartbeat'), 'utf8');
    await clock.advance(2_000);
    expect(readFileSync(path('heartbeat'), 'utf8')).not.toBe(first);
    await service.close();
    for (const name of ['heartbeat', 'holder.json']) expect(() => statSync(path(name))).toThrow(/ENOENT/);
  });

  it('is named in the error when it is not a directory', async () => {
    const file = path('file');
    writeFileSync(file, '');
    await expect(openService(file, clock, 'test')).rejects.toMatchObject({ code: 'unusable' });
    await expect(openService(join(file, 'x'), clock, 'test')).rejects.toMatchObject({ code: 'unusable' });
    mkdirSync(path('torc.db'));
    await expect(open()).rejects.toMatchObject({ code: 'unusable', message: expect.stringContaining('not a file') });
    expect(() => statSync(path('holder.json'))).toThrow(/ENOENT/);
  });

  it('is named in the error when a server cannot write its log there', async () => {
    mkdirSync(path('server.jsonl'));
    await expect(runServer({ directory })).rejects.toMatchObject({ code: 'unusable' });
  });
});
