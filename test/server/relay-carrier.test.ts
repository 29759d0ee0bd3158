/** Both ends of a relay with real sockets, joined by pipes in this process. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RelayCarrier } from '../../src/api/relay-carrier.ts';

let target: Server;
let entry: Server;
let reasons: string[];
let near: RelayCarrier;
let far: RelayCarrier;
let answer: (socket: Socket) => void;

const portOf = (server: Server) => (server.address() as AddressInfo).port;

beforeEach(async () => {
  answer = (socket) => void socket.pipe(socket);
  target = createServer({ allowHalfOpen: true }, (socket) => answer(socket));
  target.listen(0, '127.0.0.1');
  entry = createServer({ allowHalfOpen: true });
  entry.listen(0, '127.0.0.1');
  await Promise.all([once(target, 'listening'), once(entry, 'listening')]);
  const [there, back] = [new PassThrough(), new PassThrough()];
  reasons = [];
  const over = (reason: string): void => void reasons.push(reason);
  near = new RelayCarrier({ input: back, output: there, over });
  const port = portOf(target);
  const toTarget = () => connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  far = new RelayCarrier({ input: there, output: back, connect: toTarget, over });
  entry.on('connection', (socket) => near.carry(socket));
});
afterEach(() => {
  near.end('done');
  far.end('done');
  entry.close();
  target.close();
});

/** As workers connect: read, and closed with the other side. */
function client(allowHalfOpen = false): Socket {
  return connect({ host: '127.0.0.1', port: portOf(entry), allowHalfOpen });
}

it('256 connections each get back what they sent, until both sides have ended', async () => {
  const sent = Array.from({ length: 256 }, (_, i) => Buffer.alloc(20_000 + i * 1000, `connection ${i} `));
  const got = await Promise.all(
    sent.map((bytes) => {
      const socket = client(true);
      socket.end(bytes);
      return buffer(socket);
    }),
  );
  expect(got.every((bytes, i) => bytes.equals(sent[i] as Buffer))).toBe(true);
  await expect.poll(() => [near.numStreams, far.numStreams]).toEqual([0, 0]);
  expect(reasons).toEqual([]);
});

it('one that is not read holds up no other, and what it sends stays where it is', async () => {
  let numRead = 0;
  let isFirst = true;
  const echo = answer;
  answer = (socket) => {
    if (!isFirst) return echo(socket);
    isFirst = false;
    socket.on('data', (bytes: Buffer) => {
      numRead += bytes.length;
      socket.pause();
    });
  };
  const slow = client();
  slow.on('error', () => {});
  slow.write(Buffer.alloc(64 * 2 ** 20));
  await expect.poll(() => numRead).toBeGreaterThan(0);
  const other = client(true);
  other.end('quick');
  expect((await buffer(other)).toString()).toBe('quick');
  expect(numRead).toBeLessThan(2 ** 20);
  slow.destroy();
});

it('a target that is not there closes the connection, and the relay goes on', async () => {
  target.close();
  const socket = client();
  socket.on('error', () => {}).resume();
  await once(socket, 'close');
  expect([near.numStreams, reasons.length]).toEqual([0, 0]);
});

it('all connections break when one end ends', async () => {
  const sockets = [client(), client()];
  for (const socket of sockets) socket.on('error', () => {}).resume();
  await expect.poll(() => far.numStreams).toBe(2);
  const closed = Promise.all(sockets.map((socket) => once(socket, 'close')));
  near.end('told to');
  await closed;
  expect(reasons).toContain('told to');
});
