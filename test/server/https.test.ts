import { mkdirSync, statSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openClient } from '../../src/api/client.ts';
import type { Api } from '../../src/api/contract.ts';
import { readServerFile, writeServerFile } from '../../src/api/server-file.ts';
import { systemClock } from '../../src/base/clock.ts';
import { jobToken } from '../../src/base/job-credential.ts';
import { expandChildren } from '../../src/model/expand/children.ts';
import { openService } from '../../src/server/open.ts';
import { type Serving, serve } from '../../src/server/serve.ts';
import type { Service } from '../../src/server/service.ts';
import { createWorkflow, freshService, rows, TestWorker } from '../support/service.ts';

let service: Service;
let directory: string;
let serving: Serving;
let client: Api;
let close: () => Promise<void>;

beforeEach(async () => {
  ({ service, directory, close } = await freshService());
  serving = await serve(service);
  client = openClient(directory);
});
afterEach(async () => {
  await client.close();
  await serving.close();
  await close();
});

/** A raw request; resolves with the status and the body. */
function raw(
  path: string,
  headers: Record<string, string>,
  body: string,
  method = 'POST',
): Promise<{ status: number; text: string }> {
  const port = Number(serving.file.addresses[0]?.split(':').at(-1));
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method,
        headers,
        ca: serving.file.certificate,
        checkServerIdentity: () => undefined,
      },
      (incoming) => {
        let text = '';
        incoming.setEncoding('utf8');
        incoming.on('data', (piece) => (text += piece));
        incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, text }));
      },
    );
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

describe('the server over HTTPS', () => {
  it('lets a job add jobs with its own credential, for its attempt while that is live, and do nothing else', async () => {
    const key = await createWorkflow(service, [{ name: 'map' }, { name: 'other' }, { name: 'reduce' }], [[0, 2]]);
    const worker = await TestWorker.join(client, key, { cpus: 2 });
    const [map, other] = (await worker.exchange()).jobs;
    const attempt = map?.attempt ?? 0;
    const { workerId } = worker;
    const own = service.info.workerKey?.(workerId) ?? '';
    const jobs = expandChildren([{ name: 'gen', command: 'true' }], { file: 'jobs' });
    const add = { attempt_key: String(attempt), jobs, before: ['reduce'], now: false, dry_run: false };
    const ask = (token: string, endpoint: string, request: unknown) =>
      raw(`/v1/${endpoint}`, { authorization: `Bearer ${token}` }, JSON.stringify(request));
    const token = jobToken(own, { workerId, attempt });
    const refused: [string, string, unknown][] = [
      [token, 'server_info', {}],
      [token, 'exchange', {}],
      [token, 'no_such', {}],
      [token, 'jobs_add', { workflow_key: key, jobs }],
      [token, 'jobs_add_children', { ...add, attempt_key: String(other?.attempt) }],
      [token, 'jobs_add_children', {}],
      [token, 'jobs_add_children', null],
      [token.replace(`.${attempt}.`, `.${other?.attempt}.`), 'jobs_add_children', add],
      [jobToken(own, { workerId: 'f'.repeat(32), attempt }), 'jobs_add_children', add],
      [jobToken('another key', { workerId, attempt }), 'jobs_add_children', add],
      [`${token}0`, 'jobs_add_children', add],
    ];
    for (const [given, endpoint, request] of refused) {
      const { status } = await ask(given, endpoint, request);
      expect([401, 404], `${endpoint} ${JSON.stringify(request)}`).toContain(status);
    }
    // a worker makes credentials for its own attempts alone
    const stranger = await TestWorker.join(client, key);
    const theirs = service.info.workerKey?.(stranger.workerId) ?? '';
    const foreign = jobToken(theirs, { workerId: stranger.workerId, attempt });
    expect(await ask(foreign, 'jobs_add_children', add)).toMatchObject({ status: 404 });
    expect(await rows(service, 'jobs', key)).toHaveLength(3);
    expect(await ask(token, 'jobs_add_children', add)).toMatchObject({ status: 200 });
    expect(await rows(service, 'jobs', key)).toHaveLength(4);
    await worker.finish(attempt);
    const late = await ask(token, 'jobs_add_children', add);
    expect(late).toMatchObject({ status: 409, text: expect.stringContaining('has ended, so it can add nothing') });
  });

  it('stops listening when it cannot publish its address, so that its process can end', async () => {
    const listening = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap').length;
    const before = listening();
    const other = await freshService();
    mkdirSync(join(other.directory, 'server.json', 'in the way'), { recursive: true });
    await expect(serve(other.service)).rejects.toThrow(/server\.json/);
    await expect.poll(listening).toBe(before);
    await other.close();
  });

  it('serves a whole workflow to a worker', async () => {
    const key = await createWorkflow(client, [{ name: 'a' }, { name: 'b' }], [[0, 1]]);
    const worker = await TestWorker.join(client, key);
    const [a] = (await worker.exchange()).jobs;
    const [b] = (await worker.finish(a?.attempt ?? 0)).jobs;
    expect((await worker.finish(b?.attempt ?? 0)).leave).toBe(true);
    expect((await client.call('workflow_show', { workflow_key: key })).status).toBe('done');
  });

  it.each([
    ['no token', {}],
    ['a wrong token', { authorization: `Bearer ${'0'.repeat(64)}` }],
    ['another scheme', { authorization: 'Basic dG9yYzp0b3Jj' }],
  ])('refuses every request with %s, also of endpoints that do not exist', async (_name, headers) => {
    for (const path of ['/v1/server_info', '/v1/list', '/v1/nothing', '/']) {
      const { status, text } = await raw(path, headers as Record<string, string>, '{}');
      expect(status).toBe(401);
      expect(JSON.parse(text).error.code).toBe('unauthorized');
    }
  });

  it('describes its interface to those who have the token', async () => {
    expect(await raw('/v1/openapi.json', {}, '', 'GET')).toMatchObject({ status: 401 });
    const headers = { authorization: `Bearer ${serving.file.token}` };
    const { status, text } = await raw('/v1/openapi.json', headers, '', 'GET');
    expect([status, JSON.parse(text)]).toMatchObject([
      200,
      { openapi: '3.1.0', info: { version: service.info.version } },
    ]);
    expect(await raw('/v1/openapi.json', headers, '{}')).toMatchObject({ status: 404 });
  });

  it('keeps the token and the key where only their owner can read them', () => {
    for (const name of ['server.json', 'key.pem', 'holder.json', 'torc.db', 'torc.db-wal']) {
      expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
    }
  });

  it('says what is wrong with a bad request, without a stack trace', async () => {
    const headers = { authorization: `Bearer ${serving.file.token}` };
    expect((await raw('/v1/list', headers, '{')).status).toBe(400);
    const unknown = await raw('/v1/workflow_show', headers, '{"workflow_key":"99"}');
    expect(unknown.status).toBe(404);
    expect(unknown.text).not.toContain('.ts');
    expect((await raw('/v1/constructor', headers, '{}')).status).toBe(404);
    const list = {
      list: 'jobs',
      workflow_key: null,
      filters: [],
      sort_by: 'name; DROP TABLE jobs',
      reverse: false,
      limit: 1,
      skip: 0,
    };
    const injected = await raw('/v1/list', headers, JSON.stringify(list));
    expect(injected.status).toBe(400);
    expect(JSON.parse(injected.text).error.message).toContain('no column');
  });

  it('refuses a body over the limit before reading it to the end', async () => {
    const headers = { authorization: `Bearer ${serving.file.token}`, 'content-length': String(64 * 1024 * 1024) };
    await expect(raw('/v1/list', headers, 'x'.repeat(1024))).resolves.toMatchObject({ status: 400 });
  });

  it('a client accepts only the published certificate', async () => {
    const other = await freshService();
    const otherServing = await serve(other.service);
    const file = readServerFile(directory);
    if (file === null) throw new Error('not published');
    writeServerFile(directory, { ...file, addresses: otherServing.file.addresses });
    const suspicious = openClient(directory);
    await expect(suspicious.call('server_info', {})).rejects.toThrow(/certificate is not the one/);
    await suspicious.close();
    await otherServing.close();
    await other.close();
    writeServerFile(directory, file);
  });

  it('a client finds the server again on another port with another token', async () => {
    await client.call('server_info', {});
    const epoch = service.epoch;
    await serving.close();
    writeServerFile(directory, { ...serving.file, token: 'gone', addresses: ['127.0.0.1:1'] });
    serving = await serve(service);
    expect((await client.call('server_info', {})).epoch).toBe(epoch + 1);
  });

  it('tells a second opener which process uses the database', async () => {
    await expect(openService(directory, systemClock, 'second')).rejects.toMatchObject({
      code: 'busy',
      message: expect.stringContaining(`pid ${process.pid}`),
    });
    expect(await rows(client, 'workflows', null)).toEqual([]);
  });

  it('forgets a parked request whose connection was cut', async () => {
    const key = await createWorkflow(client, [{ name: 'a' }]);
    const busy = await TestWorker.join(client, key);
    const idle = await TestWorker.join(client, key);
    await busy.exchange();
    const cut = new AbortController();
    const call = client.call(
      'exchange',
      {
        protocol: 1,
        worker_id: idle.workerId,
        seq: 1,
        epoch: 0,
        ack: 0,
        held: [],
        started: [],
        finished: [],
        returned: [],
        samples: [],
        time_left_ms: null,
        draining: false,
        leaving: false,
      },
      { signal: cut.signal },
    );
    await expect.poll(() => service.numParked, { timeout: 20_000 }).toBe(1);
    cut.abort();
    await expect(call).rejects.toMatchObject({ code: 'interrupted' });
    await expect.poll(() => service.numParked, { timeout: 20_000 }).toBe(0);
  });
});
