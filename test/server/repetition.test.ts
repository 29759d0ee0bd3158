/** Calls that change something count once, however often they are sent. */
import { rmSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openClient } from '../../src/api/client.ts';
import { type EndpointName, endpoints, type Request } from '../../src/api/contract.ts';
import { needsKey } from '../../src/api/repetition.ts';
import { writeServerFile } from '../../src/api/server-file.ts';
import { openService } from '../../src/server/open.ts';
import { isRead } from '../../src/server/requests.ts';
import { serve } from '../../src/server/serve.ts';
import type { Service } from '../../src/server/service.ts';
import { FakeClock } from '../support/fake-machine.ts';
import { createWorkflow, rows, temporaryDirectory } from '../support/service.ts';

let directory: string;
let clock: FakeClock;
let service: Service;
let key: string;

beforeEach(async () => {
  directory = temporaryDirectory();
  clock = new FakeClock();
  service = await openService(directory, clock, 'test');
  key = await createWorkflow(service, [{ name: 'a' }, { name: 'b' }], [], { start: false });
});
afterEach(async () => {
  await service.close();
  rmSync(directory, { recursive: true, force: true });
});

const k = (digit: string): { idempotencyKey: string } => ({ idempotencyKey: digit.repeat(32) });
const numKept = (): unknown => service.db.get('SELECT count(*) AS n FROM replies')?.n;
const file = (name: string): Request<'file_add'> => ({ workflow_key: key, name, path: `/${name}` });

it('every endpoint that writes asks for a key, except those with rules of their own', () => {
  const names = Object.keys(endpoints) as EndpointName[];
  const without = names.filter((endpoint) => !needsKey(endpoint, {}));
  expect(new Set(without.filter((name) => !isRead(name)))).toEqual(
    new Set(['server_stop', 'workflow_create_chunk', 'jobs_diagnose', 'worker_hello', 'exchange']),
  );
  expect(without.filter(isRead)).toEqual(names.filter(isRead));
});

describe('a call with the same key', () => {
  it('gets the same reply and changes nothing, also after a restart', async () => {
    const first = await service.call('file_add', file('f'), k('1'));
    expect(await service.call('file_add', file('f'), k('1'))).toEqual(first);
    await expect(service.call('file_add', file('f'), k('2'))).rejects.toMatchObject({ code: 'conflict' });
    const start = { workflow_key: key, dry_run: false };
    const started = await service.call('workflow_start', start, k('3'));
    await service.close();
    service = await openService(directory, clock, 'test');
    expect(await service.call('file_add', file('f'), k('1'))).toEqual(first);
    expect(await service.call('workflow_start', start, k('3'))).toEqual(started);
    expect((await service.call('workflow_show', { workflow_key: key })).run_id).toBe(1);
    const reset = { workflow_key: key, dry_run: false, expected_state: null, skip: 0, which: 'all' } as const;
    const changes = (await service.call('jobs_reset', reset, k('4'))).changes;
    expect(changes).not.toEqual([]);
    expect((await service.call('jobs_reset', reset, k('4'))).changes).toEqual(changes);
    expect(await rows(service, 'files', key)).toHaveLength(1);
  });

  it('waits for the first one while that is in progress', async () => {
    const calls = [1, 2, 3].map(() => service.call('workflow_start', { workflow_key: key, dry_run: false }, k('1')));
    const [first, ...others] = await Promise.all(calls);
    for (const other of others) expect(other).toEqual(first);
    expect(await rows(service, 'events', key, { type: 'workflow_started' })).toHaveLength(1);
  });

  it('runs again if the first one failed, and is refused if it asks for something else', async () => {
    await expect(service.call('file_delete', { file_key: '1' }, k('1'))).rejects.toMatchObject({ code: 'not_found' });
    const { file_key } = await service.call('file_add', file('f'));
    await service.call('file_delete', { file_key }, k('1'));
    await expect(service.call('file_add', file('g'), k('1'))).rejects.toMatchObject({ code: 'conflict' });
    expect(await rows(service, 'files', key)).toEqual([]);
  });

  it('is forgotten after a day; reads, dry runs and calls without a key are never kept', async () => {
    await service.call('workflow_start', { workflow_key: key, dry_run: true }, k('1'));
    await service.call('workflow_show', { workflow_key: key }, k('2'));
    await service.call('file_add', file('f'));
    expect(numKept()).toBe(0);
    for (let n = 0; n < 5; n++) await service.call('file_add', file(`old${n}`), k(String(n)));
    clock.stall(24 * 3600 * 1000 + 1);
    await service.call('file_add', file('new'), k('a'));
    expect(numKept()).toBe(1);
  });
});

it('the client repeats a call whose connection was cut after it was carried out, and gets its reply', async () => {
  const serving = await serve(service);
  const { port } = { port: Number(serving.file.addresses[0]?.split(':').at(-1)) };
  const sockets = new Set<Socket>();
  const proxy = createServer((from) => {
    const to = connectTcp(port, '127.0.0.1');
    for (const socket of [from, to]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    }
    from.pipe(to).pipe(from);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  writeServerFile(directory, { ...serving.file, hostname: 'elsewhere', addresses: [address] });
  const seen: EndpointName[] = [];
  let numCuts = 2;
  const call = service.call.bind(service);
  service.call = async (endpoint, request, options) => {
    seen.push(endpoint);
    const reply = await call(endpoint, request, options);
    if (endpoint === 'file_add' && numCuts-- > 0) for (const socket of sockets) socket.destroy();
    return reply;
  };
  const client = openClient(directory);
  await client.call('server_info', {});
  const { file_key } = await client.call('file_add', file('f'));
  expect((await rows(client, 'files', key)).map((row) => row.file_key)).toEqual([file_key]);
  expect(seen).toEqual(['server_info', 'file_add', 'file_add', 'file_add', 'list']);
  await client.close();
  await serving.close();
  await new Promise((resolve) => proxy.close(resolve));
});
