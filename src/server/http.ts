/** HTTPS in front of the service: the token first, then the limits, then JSON in and out. */
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { type EndpointName, limits, type Request, requests } from '../api/contract.ts';
import { asTorcError, type ErrorCode, TorcError } from '../base/errors.ts';
import type { Service } from './service.ts';

/** The end of a reply that is sent by itself: short enough that the socket never asks to wait for it. */
const tailBytes = 4096;

export interface HttpOptions {
  service: Service;
  key: string;
  certificate: string;
  token: string;
  host: string;
  port: number;
}

/** Serves until closed; resolves with the server when it listens. Throws TorcError 'conflict' when the port is taken. */
export function listen(options: HttpOptions): Promise<Server> {
  const server = createServer(
    { key: options.key, cert: options.certificate, minVersion: 'TLSv1.2', maxHeaderSize: 8 * 1024 },
    (incoming, outgoing) => void answer(options, incoming, outgoing),
  );
  server.headersTimeout = 10_000;
  server.requestTimeout = 60_000;
  server.keepAliveTimeout = 75_000;
  server.maxConnections = 20_000;
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  server.on('clientError', (_error, socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new TorcError(
          'conflict',
          `cannot listen on ${options.host}:${options.port}: ${error.message}`,
          'Choose another port with --port, or none for a free one.',
          { cause: error },
        ),
      );
    });
    server.listen(options.port, options.host, () => resolve(server));
  });
}

async function answer(options: HttpOptions, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const gone = new AbortController();
  outgoing.on('close', () => {
    // an abort that nobody needs costs more than the rest of a short request
    if (!outgoing.writableFinished) gone.abort();
  });
  outgoing.on('error', () => gone.abort());
  try {
    if (!isAuthorized(incoming.headers.authorization, options.token)) {
      throw new TorcError(
        'unauthorized',
        'the token is missing or wrong',
        'Run torc as the user who started the server.',
      );
    }
    const endpoint = endpointOf(incoming);
    const body = await readBody(incoming);
    const request = parseJson(body) as Request<typeof endpoint>;
    send(outgoing, 200, await options.service.call(endpoint, request, { signal: gone.signal }));
  } catch (error) {
    const { code, message, hint } = asTorcError(error);
    if (code === 'bug') options.service.info.log.error({ err: error, url: incoming.url }, 'a request failed');
    if (!incoming.complete) discardRest(incoming, outgoing);
    send(outgoing, httpStatus(code), { error: { code, message, hint } });
  }
}

/** Reads what is on its way, so that the answer arrives, but not more; the connection is not used again. */
function discardRest(incoming: IncomingMessage, outgoing: ServerResponse): void {
  outgoing.setHeader('connection', 'close');
  let size = 0;
  incoming.on('data', (piece: Buffer) => {
    size += piece.length;
    if (size > limits.discardedBytes) incoming.destroy();
  });
}

function isAuthorized(header: string | undefined, token: string): boolean {
  const given = Buffer.from(header ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function endpointOf(incoming: IncomingMessage): EndpointName {
  const name = incoming.url?.startsWith('/v1/') ? incoming.url.slice('/v1/'.length) : '';
  if (incoming.method !== 'POST' || !Object.hasOwn(requests, name)) {
    throw new TorcError('not_found', 'there is no such endpoint', 'Use the same version of torc on both sides.');
  }
  return name as EndpointName;
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const announced = Number(incoming.headers['content-length'] ?? 0);
  if (announced > limits.bodyBytes) throw tooLarge();
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of incoming as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > limits.bodyBytes) throw tooLarge();
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function tooLarge(): TorcError {
  return new TorcError('usage', `the request is larger than ${limits.bodyBytes} bytes`);
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new TorcError('usage', 'the request is no JSON');
  }
}

function httpStatus(code: ErrorCode): number {
  switch (code) {
    case 'unauthorized':
      return 401;
    case 'usage':
    case 'invalid_spec':
      return 400;
    case 'not_found':
      return 404;
    case 'conflict':
    case 'already_complete':
      return 409;
    case 'unreachable':
    case 'busy':
      return 503;
    default:
      return 500;
  }
}

function send(outgoing: ServerResponse, status: number, value: unknown): void {
  if (outgoing.headersSent || outgoing.destroyed) return;
  const body = Buffer.from(JSON.stringify(value));
  outgoing.writeHead(status, {
    'content-type': 'application/json',
    'content-length': body.length,
    ...(status === 503 ? { 'retry-after': '1' } : {}),
  });
  // node breaks a connection off when the next request comes before it saw that a long reply has left (its parser is
  // then paused and takes more data for an error): so the client does not have all of it before that
  const tail = Math.max(0, body.length - tailBytes);
  if (tail === 0 || outgoing.write(body.subarray(0, tail))) outgoing.end(body.subarray(tail));
  else outgoing.once('drain', () => outgoing.end(body.subarray(tail)));
}
