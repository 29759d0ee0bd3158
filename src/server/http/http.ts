/** HTTPS in front of the service: the token first, then the limits, then JSON in and out. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import { type EndpointName, endpoints, limits, type Request } from '../../api/contract.ts';
import { eventsPath } from '../../api/events.ts';
import { openApiDocument, openApiPath } from '../../api/openapi.ts';
import { idempotencyHeader } from '../../api/repetition.ts';
import { asTorcError, type ErrorCode, TorcError } from '../../base/errors.ts';
import { jsonText, parseMessage } from '../../base/exact-json.ts';
import type { JobCredential } from '../../base/job-credential.ts';
import type { ServerContext } from '../context.ts';
import type { Counters } from '../live/counters.ts';
import type { EventFeed } from '../live/event-feed.ts';
import { streamEvents } from './event-stream.ts';
import { metricsPath, opensMetrics, sendMetrics } from './metrics.ts';
import type { Tokens } from './tokens.ts';
import { UnauthenticatedSockets } from './unauthenticated-sockets.ts';

/** The last part of a reply is sent separately: so short that the socket never asks to wait for it. */
const tailBytes = 4096;

type Bounds = Record<'headerMs' | 'requestMs' | 'unreadReplyMs' | 'heldBytes', number>;

export interface HttpOptions {
  context: ServerContext;
  feed: EventFeed;
  counters: Counters;
  key: string;
  certificate: string;
  tokens: Tokens;
  host: string;
  port: number;
  /** Replace those of the contract. */
  bounds?: Partial<Bounds>;
}

/** When a client may repeat a request that cannot be served now. */
const retryAfterSeconds = 5;

/**
 * Serves until closed; resolves with the server when it listens. Throws TorcError 'conflict' when the port is taken.
 */
export function listen(options: HttpOptions): Promise<Server> {
  const unauthenticated = new UnauthenticatedSockets(limits.unauthenticatedConnections);
  const bodies = { bytes: 0 };
  const bounds: Bounds = { ...limits, ...options.bounds };
  const server = createServer(
    {
      key: options.key,
      cert: options.certificate,
      minVersion: 'TLSv1.2',
      handshakeTimeout: bounds.headerMs,
      maxHeaderSize: limits.headerBytes,
      headersTimeout: bounds.headerMs,
      requestTimeout: bounds.requestMs,
      // how often Node checks the two times above
      connectionsCheckingInterval: Math.min(1000, bounds.headerMs),
      keepAliveTimeout: 75_000,
    },
    (incoming, outgoing) => void answer({ ...options, unauthenticated, bodies, bounds }, incoming, outgoing),
  );
  server.maxConnections = limits.connections;
  server.on('connection', (socket) => unauthenticated.admit(socket as Socket));
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

interface Door extends HttpOptions {
  unauthenticated: UnauthenticatedSockets;
  bounds: Bounds;
  /** Of all requests that are being read or answered. */
  bodies: { bytes: number };
}

async function answer(options: Door, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const gone = new AbortController();
  outgoing.on('close', () => {
    // a needless abort costs more than the rest of a short request
    if (!outgoing.writableFinished) gone.abort();
  });
  outgoing.on('error', () => gone.abort());
  const { feed, context, counters, bounds } = options;
  let asked: EndpointName | 'events' | 'metrics' | 'unknown' = 'unknown';
  try {
    const { authorization } = incoming.headers;
    const isOwner = options.tokens.accepts(authorization);
    const job = isOwner ? null : options.tokens.jobOf(authorization);
    const isScrape = isGet(incoming, metricsPath);
    const isMetrics = isScrape && (isOwner || opensMetrics(context.info.directory, authorization));
    if (!isOwner && job === null && !isMetrics) {
      throw new TorcError(
        'unauthorized',
        'the token is missing or wrong',
        'Run torc as the user who started the server.',
      );
    }
    options.unauthenticated.recognize(incoming.socket);
    if (isMetrics) {
      asked = 'metrics';
      sendMetrics({ context, counters, numViewers: feed.size }, incoming, outgoing);
      return counters.noteRequest(asked, 200);
    }
    if (isOwner && isGet(incoming, eventsPath)) {
      asked = 'events';
      const isOpen = () => options.tokens.accepts(authorization);
      const stream = { feed, clock: context.clock, unreadMs: bounds.unreadReplyMs, isOpen };
      await streamEvents(stream, incoming, outgoing, gone.signal);
      return counters.noteRequest(asked, 200);
    }
    if (isOwner && isGet(incoming, openApiPath)) return send(outgoing, 200, openApiDocument(context.info.version));
    const endpoint = endpointOf(incoming);
    asked = endpoint;
    if (job !== null && endpoint !== 'jobs_add_children') throw beyondJob();
    refuseWhenFull(options);
    const body = await readBody(incoming, outgoing, options.bodies);
    const parsed = parseJson(body);
    const request = (job === null ? parsed : asJob(parsed, job)) as Request<typeof endpoint>;
    const idempotencyKey = keyOf(incoming);
    const call = { signal: gone.signal, ...(idempotencyKey === null ? {} : { idempotencyKey }) };
    const reply = await context.call(endpoint, request, call);
    counters.noteRequest(endpoint, 200);
    send(outgoing, 200, reply, bounds.unreadReplyMs);
  } catch (error) {
    // the client must ask the new owner of the database
    if (context.isLost) return void incoming.socket.destroy();
    const { code, message, hint } = asTorcError(error);
    counters.noteRequest(asked, httpStatus(code));
    if (code === 'bug') context.info.log.error({ err: error, url: incoming.url }, 'a request failed');
    if (!incoming.complete) discardRest(incoming, outgoing);
    send(outgoing, httpStatus(code), { error: { code, message, hint } });
  }
}

/** Reads only what is already on its way, so that the answer arrives; the connection is not reused. */
function discardRest(incoming: IncomingMessage, outgoing: ServerResponse): void {
  outgoing.setHeader('connection', 'close');
  let size = 0;
  incoming.on('data', (piece: Buffer) => {
    size += piece.length;
    if (size > limits.discardedBytes) incoming.destroy();
  });
}

/** What a job asks for with its credential, which is good only for its own attempt. */
function asJob(request: unknown, { workerId, attempt }: JobCredential): object {
  const given = typeof request === 'object' && request !== null ? request : {};
  if ('attempt_key' in given && given.attempt_key === String(attempt)) return { ...given, worker_id: workerId };
  throw beyondJob();
}

function beyondJob(): TorcError {
  return new TorcError('unauthorized', 'the credential of a job adds jobs for its own attempt and does nothing else');
}

/** Nothing has been read yet, so the client may repeat the request. */
function refuseWhenFull({ context, bodies, bounds }: Door): void {
  if (context.numQueued < limits.queuedRequests && bodies.bytes < bounds.heldBytes) return;
  throw new TorcError('busy', 'the server has too many requests to answer', 'Try again in a moment.');
}

function isGet({ method, url = '' }: IncomingMessage, path: string): boolean {
  return method === 'GET' && (url === path || url.startsWith(`${path}?`));
}

function endpointOf(incoming: IncomingMessage): EndpointName {
  const name = incoming.url?.startsWith('/v1/') ? incoming.url.slice('/v1/'.length) : '';
  if (incoming.method !== 'POST' || !Object.hasOwn(endpoints, name)) {
    throw new TorcError('not_found', 'there is no such endpoint', 'Use the same version of torc on both sides.');
  }
  return name as EndpointName;
}

function keyOf(incoming: IncomingMessage): string | null {
  const given = incoming.headers[idempotencyHeader];
  if (given === undefined) return null;
  if (typeof given === 'string' && /^[0-9a-f]{32}$/.test(given)) return given;
  throw new TorcError('usage', `the header ${idempotencyHeader} must be 32 hexadecimal digits`);
}

async function readBody(incoming: IncomingMessage, outgoing: ServerResponse, bodies: Door['bodies']): Promise<string> {
  const announced = Number(incoming.headers['content-length'] ?? 0);
  if (announced > limits.bodyBytes) throw tooLarge();
  const pieces: Buffer[] = [];
  let size = 0;
  outgoing.on('close', () => {
    bodies.bytes -= size;
  });
  for await (const piece of incoming as AsyncIterable<Buffer>) {
    size += piece.length;
    bodies.bytes += piece.length;
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
    return parseMessage(body);
  } catch {
    throw new TorcError('usage', 'the request is not JSON');
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
    case 'incompatible':
    case 'other_database':
      return 409;
    case 'unreachable':
    case 'busy':
    case 'no_space':
      return 503;
    default:
      return 500;
  }
}

function send(outgoing: ServerResponse, status: number, value: unknown, unreadMs: number = limits.unreadReplyMs): void {
  if (outgoing.headersSent || outgoing.destroyed) return;
  const body = Buffer.from(jsonText(value));
  outgoing.writeHead(status, {
    'content-type': 'application/json',
    'content-length': body.length,
    ...(status === 503 ? { 'retry-after': String(retryAfterSeconds) } : {}),
  });
  // Node breaks a connection when the next request arrives before it has noticed that a long reply was sent (its parser
  // is paused then and takes more data for an error): so the client gets the last part only afterwards
  const tail = Math.max(0, body.length - tailBytes);
  if (tail === 0 || outgoing.write(body.subarray(0, tail))) {
    outgoing.end(body.subarray(tail));
    return;
  }
  // a client that does not read is cut off
  outgoing.setTimeout(unreadMs, () => outgoing.destroy());
  outgoing.once('drain', () => outgoing.end(body.subarray(tail)));
}
