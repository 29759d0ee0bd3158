/**
 * A full disk or quota, and a file that cannot be written: nothing is confirmed, reads continue, and writes continue
 * once they can.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openClient } from '../../src/api/client.ts';
import type { Api } from '../../src/api/contract.ts';
import { readSpool } from '../../src/api/spool.ts';
import { systemClock } from '../../src/base/clock.ts';
import { TorcError } from '../../src/base/errors.ts';
import { silentLog } from '../../src/base/log.ts';
import { openService } from '../../src/server/open.ts';
import { type Serving, serve } from '../../src/server/serve.ts';
import type { Service } from '../../src/server/service.ts';
import { openSpool } from '../../src/worker/exchange/spool.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { createWorkflow, rows, statuses, TestWorker, temporaryDirectory } from '../support/service.ts';

const full = { code: 'no_space', message: expect.stringContaining('cannot be written') };

let directory: string;
let service: Service;
let serving: Serving;
let client: Api;

beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(async () => {
  await client.close();
  await serving.close();
  expect(brokenInvariants(service.db)).toEqual([]);
  await service.close();
});

async function start(): Promise<void> {
  service = await openService(directory, systemClock, 'test');
  serving = await serve(service);
  client = openClient(directory);
}

/** Two jobs; a worker has the first. */
async function working(): Promise<{ key: string; worker: TestWorker; attempt: number }> {
  const key = await createWorkflow(client, [{ name: 'a' }, { name: 'b' }], [[0, 1]]);
  const worker = await TestWorker.join(client, key);
  const [job] = (await worker.exchange()).jobs;
  return { key, worker, attempt: job?.attempt ?? 0 };
}

/** A write that needs more space than any page that happens to be free. */
const large = (key: string) => ({ workflow_key: key, changes: { description: 'x'.repeat(3_000_000) } });

const askAll = { workflow_keys: null, user: null, limit: 5, state: null, wait_seconds: 0 };

function makeTmpfs(path: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m,mode=0700', 'tmpfs', path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('without space', () => {
  it('in the database: 503, reads continue, and repeated reports count once there is space', async () => {
    await start();
    const { key, worker, attempt } = await working();
    const told: string[] = [];
    service.space.tell = (text) => told.push(text);
    const numPages = service.db.get('PRAGMA page_count')?.page_count;
    service.db.run(`PRAGMA max_page_count = ${numPages}`);
    await expect(client.call('workflow_modify', large(key))).rejects.toMatchObject(full);
    const answer = await fetchRaw('workflow_modify', large(key));
    expect(answer).toMatchObject({ status: 503, retryAfter: expect.stringMatching(/^[1-9]\d*$/) });
    expect(JSON.parse(answer.text).error).toMatchObject({
      code: 'no_space',
      hint: expect.stringContaining('Free some space'),
    });
    // in a batch with a write that finds no space nobody is confirmed
    const results = await Promise.allSettled([
      service.call('workflow_modify', large(key)),
      service.call('workflow_modify', { workflow_key: key, changes: { project: 'small' } }),
      service.call('exchange', exchangeOf(worker, attempt)),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(await statuses(client, key)).toEqual({ a: 'submitted_pending', b: 'blocked' });
    const cannot_write = { since: expect.any(String), message: told[0]?.split(';')[0] };
    // the server tries by itself every few seconds, and finds room for little
    await expect(client.call('workflow_modify', large(key))).rejects.toMatchObject(full);
    expect(await client.call('workflow_status', { workflow_key: key })).toMatchObject({ cannot_write });
    // what writes nothing says nothing about it
    await service.write(() => {});
    expect(await client.call('status', askAll)).toMatchObject({ cannot_write });
    service.db.run('PRAGMA max_page_count = 1000000000');
    worker.seq += 1;
    expect((await worker.finish(attempt)).reports).toMatchObject([{ answer: 'accepted' }]);
    await client.call('workflow_modify', large(key));
    // a small write in between may still find room
    expect(told[0]).toMatch(/^the database cannot be written: .*; running jobs go on, and results wait/);
    expect(told.at(-1)).toBe('the database can be written again');
    expect(await rows(client, 'results', key)).toHaveLength(1);
    expect(await client.call('status', askAll)).toMatchObject({ cannot_write: null });
  });

  it('status says so until a write of the server itself succeeds', async () => {
    await start();
    const { key } = await working();
    service.db.run(`PRAGMA max_page_count = ${service.db.get('PRAGMA page_count')?.page_count}`);
    await expect(client.call('workflow_modify', large(key))).rejects.toMatchObject(full);
    expect((await client.call('status', askAll)).cannot_write).not.toBeNull();
    service.db.run('PRAGMA max_page_count = 1000000000');
    const lack = async () => (await client.call('status', askAll)).cannot_write;
    await expect.poll(lack, { timeout: 60_000, interval: 100 }).toBeNull();
  });

  it('on the file system: continues by itself once there is space', async (context) => {
    if (!makeTmpfs(directory)) {
      console.warn('skipped: only root can mount a small file system');
      await start();
      return context.skip();
    }
    try {
      await start();
      const { key, worker, attempt } = await working();
      const filler = join(directory, 'filler');
      for (let size = 1024 * 1024; size > 0; size = Math.floor(size / 2)) {
        try {
          for (;;) writeFileSync(filler, Buffer.alloc(size), { flag: 'a' });
        } catch {
          // smaller pieces still fit
        }
      }
      await expect(client.call('workflow_modify', large(key))).rejects.toMatchObject(full);
      await expect(worker.finish(attempt)).rejects.toMatchObject(full);
      expect(await statuses(client, key)).toEqual({ a: 'submitted_pending', b: 'blocked' });
      const report = { worker_id: worker.workerId, attempt, finished: null, started_at_ms: null, ended_at_ms: 1 };
      const onNode = temporaryDirectory();
      const path = join(directory, 'workers', worker.workerId, 'spool');
      await openSpool({ path, clock: systemClock, log: silentLog, nodeDirectory: onNode }).append([report]);
      const [spool] = readdirSync(onNode);
      expect(readSpool(join(onNode, spool ?? '', 'spool')).reports).toEqual([report]);
      rmSync(onNode, { recursive: true });
      rmSync(filler);
      expect((await worker.finish(attempt)).jobs).toHaveLength(1);
      expect(await rows(client, 'results', key)).toHaveLength(1);
      expect(service.isLost).toBe(false);
    } finally {
      execFileSync('umount', ['-l', directory]);
    }
  });
});

/** The next COMMIT fails as it does in SQLite when the file cannot be written or synced. */
function breakCommit(): void {
  const run = service.db.run.bind(service.db);
  service.db.run = (sql, ...values) => {
    if (sql !== 'COMMIT') return run(sql, ...values);
    service.db.run = run;
    throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR_FSYNC' });
  };
}

it('after an I/O error nobody is confirmed, and the database is reopened', async () => {
  await start();
  const { key, worker, attempt } = await working();
  const idle = await TestWorker.join(client, key);
  const waiting = expect(idle.exchange()).rejects.toMatchObject({ code: 'unreachable' });
  await expect.poll(() => service.numParked, { timeout: 10_000 }).toBe(1);
  breakCommit();
  const reopen = vi.spyOn(service.db, 'reopen');
  await expect(worker.finish(attempt)).rejects.toMatchObject({
    code: 'no_space',
    message: expect.stringContaining('whether this change is stored is not known'),
  });
  await waiting;
  expect(reopen).toHaveBeenCalledOnce();
  expect(await statuses(client, key)).toEqual({ a: 'submitted_pending', b: 'blocked' });
  expect((await worker.finish(attempt)).jobs).toHaveLength(1);
  expect(await rows(client, 'results', key)).toHaveLength(1);
  expect(statSync(join(directory, 'holder.json')).isFile()).toBe(true);
});

it('while the database cannot be opened again everybody is told so, and the server goes on when it can', async () => {
  await start();
  const { key, worker, attempt } = await working();
  breakCommit();
  const reopen = vi.spyOn(service.db, 'reopen').mockImplementation(() => {
    service.db.close();
    throw new TorcError('unusable', 'the file system fails');
  });
  await expect(worker.finish(attempt)).rejects.toMatchObject({ code: 'no_space' });
  const closed = 'the database cannot be opened after an error of its file system: the file system fails';
  const refused = { code: 'unreachable', message: closed, hint: expect.stringContaining('torc doctor') };
  await expect(worker.finish(attempt)).rejects.toMatchObject(refused);
  await expect(client.call('workflow_status', { workflow_key: key })).rejects.toMatchObject(refused);
  await expect(service.write(() => {})).rejects.toMatchObject(refused);
  reopen.mockRestore();
  const again = () => client.call('workflow_status', { workflow_key: key }).catch(() => null);
  await vi.waitUntil(again, { timeout: 30_000 });
  await worker.finish(attempt);
  expect(await rows(client, 'results', key)).toHaveLength(1);
  expect(service.isLost).toBe(false);
});

it('an I/O error while reading is no bug, and the database is reopened', async () => {
  await start();
  const { key } = await working();
  const get = vi.spyOn(service.db, 'get').mockImplementationOnce(() => {
    throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR_READ' });
  });
  const reopen = vi.spyOn(service.db, 'reopen');
  await expect(client.call('workflow_status', { workflow_key: key })).rejects.toMatchObject({
    code: 'unreachable',
    message: 'the database could not be read: disk I/O error',
  });
  expect(reopen).toHaveBeenCalledOnce();
  get.mockRestore();
  expect(await statuses(client, key)).toEqual({ a: 'submitted_pending', b: 'blocked' });
});

function exchangeOf(worker: TestWorker, attempt: number) {
  worker.seq += 1;
  return {
    protocol: 1,
    worker_id: worker.workerId,
    seq: worker.seq,
    epoch: 0,
    ack: worker.ack,
    held: [attempt],
    started: [{ attempt, age_ms: 1, pid: 5 }],
    finished: [],
    returned: [],
    samples: [],
    time_left_ms: null,
    draining: false,
    leaving: false,
  };
}

async function fetchRaw(endpoint: string, body: unknown) {
  const { request } = await import('node:https');
  return await new Promise<{ status: number; retryAfter: string | undefined; text: string }>((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: Number(serving.file.addresses[0]?.split(':').at(-1)),
        path: `/v1/${endpoint}`,
        method: 'POST',
        headers: { authorization: `Bearer ${serving.file.token}` },
        ca: serving.file.certificate,
        checkServerIdentity: () => undefined,
      },
      (incoming) => {
        let text = '';
        incoming.setEncoding('utf8').on('data', (piece) => (text += piece));
        incoming.on('end', () => {
          resolve({ status: incoming.statusCode ?? 0, retryAfter: incoming.headers['retry-after'], text });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(JSON.stringify(body));
  });
}
