/** Clients that are slow, too many, too large or do not read: they harm only themselves, and nobody else waits. */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openClient } from '../../src/api/client.ts';
import { type Api, limits, type RecordOf } from '../../src/api/contract.ts';
import type { EventMessage } from '../../src/api/events.ts';
import { idempotencyHeader } from '../../src/api/repetition.ts';
import { readServerFile, type ServerFile, writeServerFile } from '../../src/api/server-file.ts';
import { systemClock } from '../../src/base/clock.ts';
import { silentLog } from '../../src/base/log.ts';
import { loadIdentity } from '../../src/server/http/certificate.ts';
import { type HttpOptions, listen } from '../../src/server/http/http.ts';
import { Tokens } from '../../src/server/http/tokens.ts';
import { UnauthenticatedSockets } from '../../src/server/http/unauthenticated-sockets.ts';
import { Counters } from '../../src/server/live/counters.ts';
import { EventFeed } from '../../src/server/live/event-feed.ts';
import type { Service } from '../../src/server/service.ts';
import { newPlace, type Place } from '../cli/place.ts';
import { ask, portOf } from './as-other-user.ts';

let place: Place;
let file: ServerFile;
let client: Api;
const sockets: Socket[] = [];

beforeAll(async () => {
  place = newPlace();
  await place.torc('server', 'start', '--daemon');
  const found = readServerFile(place.dir);
  if (found === null) throw new Error('no server is registered');
  file = found;
  client = openClient(place.dir);
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await client?.close();
  await place?.remove();
});

function opened(socket: Socket): Socket {
  sockets.push(socket);
  return socket.on('error', () => {}).on('data', () => {});
}

/** A connection under TLS that says `text`. */
function saying(text: string, port = portOf(file)): Socket {
  const options = { host: '127.0.0.1', port, rejectUnauthorized: false };
  const socket = connectTls(options, () => socket.write(text));
  return opened(socket);
}

/** A client of a server that is published in its own directory. */
function clientOf(published: ServerFile): Api {
  const directory = join(place.path, 'published');
  mkdirSync(directory, { recursive: true });
  writeServerFile(directory, published);
  return openClient(directory);
}

/** Sends a piece again and again, until this many bytes were sent or the connection ended. */
async function flooded(socket: Socket, piece: Buffer, mostBytes: number): Promise<'all sent' | 'cut off'> {
  const closed = new Promise((resolve) => socket.once('close', resolve));
  for (let sent = 0; sent < mostBytes && !socket.destroyed; sent += piece.length) {
    await Promise.race([new Promise((resolve) => socket.write(piece, resolve)), closed]);
  }
  return socket.destroyed ? 'cut off' : 'all sent';
}

const numOpen = (some: Socket[]) => some.filter((socket) => !socket.destroyed && !socket.closed).length;

/** The HTTP side of a server in this process, in front of a service that answers `reply`. */
async function doorOf(reply: unknown, bounds: HttpOptions['bounds'] = {}, follow?: EventFeed['follow']) {
  const called: string[] = [];
  const call = async (endpoint: string) => {
    called.push(endpoint);
    return reply;
  };
  const service = { numQueued: 0, info: { log: silentLog }, clock: systemClock, call };
  const identity = await loadIdentity(place.path);
  const tokens = new Tokens(systemClock, file.token);
  const options = { ...identity, tokens, host: '127.0.0.1', port: 0, bounds };
  const context = service as unknown as Service;
  const counters = new Counters({ clock: systemClock, subscribe: () => () => {} });
  const feed = follow === undefined ? new EventFeed(context) : ({ follow } as EventFeed);
  const server = await listen({ ...options, context, counters, feed });
  const { port } = server.address() as AddressInfo;
  const published = { ...file, addresses: [`127.0.0.1:${port}`], certificate: identity.certificate };
  return { service, called, server, published };
}

it('200 slow clients are cut off, while another is served', async () => {
  // only the time for headers can end them while this test runs
  const { server, published } = await doorOf({ fine: true }, { headerMs: 3_000, requestMs: 110_000 });
  const giveUpAt = systemClock.monotonic() + 60_000;
  const port = portOf(published);
  const client = clientOf(published);
  await client.call('server_info', {});
  const header = 'POST /v1/list HTTP/1.1\r\nhost: x\r\n';
  const kinds = [() => opened(connect(port, '127.0.0.1')), () => saying('', port), () => saying(header, port)];
  const slow = Array.from({ length: 200 }, (_, index) => kinds[index % 3]?.() as Socket);
  const drip = setInterval(() => {
    for (const [index, socket] of slow.entries()) if (index % 3 === 2 && socket.writable) socket.write('x: y\r\n');
  }, 100);
  let numServed = 0;
  try {
    while (numOpen(slow) > 0) {
      expect(systemClock.monotonic()).toBeLessThan(giveUpAt);
      expect(await client.call('server_info', {})).toEqual({ fine: true });
      numServed += 1;
    }
  } finally {
    clearInterval(drip);
    await client.close();
    server.close();
  }
  // one or two if they waited for the slow ones
  expect(numServed).toBeGreaterThan(3);
});

it('the wait for a body that does not arrive ends', async () => {
  const { server, called, published } = await doorOf({}, { headerMs: 200, requestMs: 400 });
  const head = `POST /v1/list HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${file.token}\r\ncontent-length: 100\r\n\r\n{`;
  await once(saying(head, portOf(published)), 'close');
  expect(called).toEqual([]);
  server.close();
});

it('one silent connection too many ends the oldest one', async () => {
  const { server, published } = await doorOf({ fine: true }, { headerMs: 110_000, requestMs: 110_000 });
  const silent: Socket[] = [];
  for (let index = 0; index < limits.unauthenticatedConnections + 50; index += 1) {
    const socket = opened(connect(portOf(published), '127.0.0.1'));
    silent.push(socket);
    if (index % 100 === 0) await once(socket, 'connect');
  }
  await expect.poll(() => numOpen(silent), { timeout: 60_000 }).toBe(limits.unauthenticatedConnections);
  expect(numOpen(silent.slice(-100))).toBe(100);
  const client = clientOf(published);
  expect(await client.call('server_info', {})).toEqual({ fine: true });
  for (const socket of silent) socket.destroy();
  await client.close();
  server.close();
});

it('silent connections from one port to several addresses of the server count one by one', async () => {
  const waiting = new UnauthenticatedSockets(5);
  const server = createServer((socket) => {
    waiting.admit(opened(socket));
  }).listen(0, '0.0.0.0');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const from = { localAddress: '127.0.0.1', localPort: (free.address() as AddressInfo).port };
  await once(free.close(), 'close');
  const some: Socket[] = [];
  for (let last = 1; last <= 20; last += 1) {
    const socket = opened(connect({ ...from, host: `127.0.0.${last}`, port }));
    some.push(socket);
    await once(socket, 'connect');
  }
  await expect.poll(() => numOpen(some), { timeout: 20_000 }).toBe(5);
  expect(numOpen(some.slice(-5))).toBe(5);
  for (const socket of some) socket.destroy();
  server.close();
});

it('connections over the limit are closed at once, and existing ones stay', async () => {
  const { server, published } = await doorOf({}, { headerMs: 110_000, requestMs: 110_000 });
  expect(server.maxConnections).toBe(limits.connections);
  server.maxConnections = 5;
  const some: Socket[] = [];
  for (let index = 0; index < 8; index += 1) {
    const socket = opened(connect(portOf(published), '127.0.0.1'));
    some.push(socket);
    await once(socket, 'connect');
  }
  await expect.poll(() => numOpen(some), { timeout: 20_000 }).toBe(5);
  expect(numOpen(some.slice(0, 5))).toBe(5);
  for (const socket of some) socket.destroy();
  server.close();
});

it('requests without the token cannot be queued on one connection', async () => {
  const { server, called, published } = await doorOf({});
  const request = 'POST /v1/list HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}';
  let answers = '';
  const socket = saying(request.repeat(3), portOf(published)).on('data', (bytes) => (answers += bytes));
  const numRefused = () => answers.match(/HTTP\/1.1 401/g)?.length ?? 0;
  await expect.poll(() => socket.closed || numRefused() > 1, { timeout: 20_000 }).toBe(true);
  expect([numRefused(), answers.includes('connection: close'), called]).toEqual([1, true, []]);
  server.close();
});

it('an invalid repetition key is refused before anything happens', async () => {
  const { server, called, published } = await doorOf({});
  const answerTo = async (key: string): Promise<string> => {
    let answer = '';
    const head = `POST /v1/list HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${file.token}\r\nconnection: close`;
    const text = `${head}\r\n${idempotencyHeader}: ${key}\r\ncontent-length: 2\r\n\r\n{}`;
    const socket = saying(text, portOf(published)).on('data', (bytes) => (answer += bytes));
    await once(socket, 'close');
    return answer;
  };
  const good = 'a'.repeat(32);
  for (const key of ['', 'A'.repeat(32), `${good}a`, good.slice(1), `${good.slice(1)}'`, `${good}, ${good}`]) {
    expect(await answerTo(key)).toMatch(/^HTTP\/1.1 400 .*32 hexadecimal digits/s);
  }
  expect(called).toEqual([]);
  expect(await answerTo(good)).toMatch(/^HTTP\/1.1 200/);
  server.close();
});

it('headers over the limit are not read', async () => {
  let answer = '';
  const socket = saying(`POST /v1/list HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(limits.headerBytes)}\r\n\r\n`);
  socket.on('data', (bytes) => (answer += bytes));
  await new Promise((resolve) => socket.once('close', resolve));
  expect(answer).not.toContain('401');
});

it('a body without a length is read up to the limit', async () => {
  let answer = '';
  const head = `POST /v1/list HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${file.token}\r\ntransfer-encoding: chunked\r\n\r\n`;
  const socket = saying(head).on('data', (bytes) => (answer += bytes));
  await once(socket, 'secureConnect');
  const piece = Buffer.from(`100000\r\n${' '.repeat(1024 * 1024)}\r\n`);
  expect(await flooded(socket, piece, 4 * limits.bodyBytes)).toBe('cut off');
  expect(answer).not.toContain('200 OK');
});

it('of a refused body, only what its sender may have sent before the answer is read', async () => {
  // the answer waits for that to the previous request, so that nothing else ends the connection
  const { server, called, published } = await doorOf(new Promise(() => {}));
  const bearer = `authorization: Bearer ${file.token}`;
  const parked = `POST /v1/list HTTP/1.1\r\nhost: x\r\n${bearer}\r\ncontent-length: 2\r\n\r\n{}`;
  const mostBytes = 64 * limits.discardedBytes;
  const refused = `POST /v1/list HTTP/1.1\r\nhost: x\r\ncontent-length: ${mostBytes}\r\n\r\n`;
  const socket = saying(parked + refused, portOf(published));
  await once(socket, 'secureConnect');
  await expect.poll(() => called, { timeout: 20_000 }).toEqual(['list']);
  expect(await flooded(socket, Buffer.alloc(limits.discardedBytes), mostBytes / 2)).toBe('cut off');
  server.close();
});

it('a client that does not read its reply is cut off', async () => {
  // more than the system buffers for a connection
  const { server, published } = await doorOf('x'.repeat(30_000_000), { unreadReplyMs: 200 });
  const head = `POST /v1/list HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${file.token}\r\ncontent-length: 2\r\n\r\n{}`;
  const numConnected = () =>
    new Promise<number>((resolve, reject) => server.getConnections((error, n) => (error ? reject(error) : resolve(n))));
  const arrived = once(server, 'secureConnection');
  const deaf = saying(head, portOf(published)).pause();
  await arrived;
  await expect.poll(numConnected, { timeout: 60_000 }).toBe(0);
  deaf.destroy();
  server.close();
});

it('a full queue answers 503 before anything is read', async () => {
  const { service, called, server, published } = await doorOf({});
  const bearer = `Bearer ${file.token}`;
  expect((await ask(published, '/v1/list', bearer, '{}')).status).toBe(200);
  service.numQueued = limits.queuedRequests;
  const refused = await ask(published, '/v1/list', bearer, 'this is no JSON');
  expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': expect.stringMatching(/^[1-9]/) } });
  expect(JSON.parse(refused.text).error.code).toBe('busy');
  expect(called).toEqual(['list']);
  server.close();
});

it('503 while other bodies fill their share of memory; afterwards it continues', async () => {
  const { server, called, published } = await doorOf({}, { heldBytes: 1_000_000 });
  const bearer = `Bearer ${file.token}`;
  const head = `POST /v1/list HTTP/1.1\r\nhost: x\r\nauthorization: ${bearer}\r\ncontent-length: 1000001\r\n\r\n`;
  const large = saying(`${head}${' '.repeat(1_000_000)}`, portOf(published));
  const status = async () => (await ask(published, '/v1/list', bearer, '{}')).status;
  await expect.poll(status, { timeout: 20_000 }).toBe(503);
  large.destroy();
  await expect.poll(status, { timeout: 20_000 }).toBe(200);
  expect(new Set(called)).toEqual(new Set(['list']));
  server.close();
});

it('a viewer of events that does not read is cut off, and nothing is made ahead for it', async () => {
  let numMade = 0;
  async function* follow(): AsyncGenerator<EventMessage> {
    const events = [{ event_key: '1', data: 'x'.repeat(1_000_000) }] as unknown as RecordOf<'events'>[];
    for (;;) yield { event: 'events', id: String(++numMade), data: { events } };
  }
  const { server, published } = await doorOf({}, { unreadReplyMs: 300 }, follow);
  const numConnections = () => new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
  const viewer = saying(
    `GET /events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${file.token}\r\n\r\n`,
    portOf(published),
  );
  viewer.pause();
  await expect.poll(() => numMade).toBeGreaterThan(0);
  await expect.poll(numConnections, { timeout: 20_000 }).toBe(0);
  // what fits into the buffers of the sockets
  expect(numMade).toBeLessThan(64);
  server.close();
});
