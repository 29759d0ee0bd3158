/**
 * The dashboard's listener: only on the loopback address of this host, only for browsers that opened the login link, only
 * for its own page. It holds the credential of the server; the page never sees it.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { asTorcError, type ErrorCode, TorcError } from '../../base/errors.ts';
import { jsonText, parseMessage } from '../../base/exact-json.ts';
import { isOwnHost, isOwnScript, safetyHeaders } from './guards.ts';
import { Logins } from './login.ts';
import type { PageFile } from './page-files.ts';

export interface ListenerOptions {
  /** 0 for any free one. */
  port: number;
  files: ReadonlyMap<string, PageFile>;
  /** Answers a request of the page; null where there is nothing of that name. */
  answer: (name: string, request: unknown, signal: AbortSignal) => Promise<object> | null;
  /** A browser has logged in with the link; the next one needs another. */
  loggedIn: (nextUrl: string) => void;
  /** Where the page begins, such as `#/workflows/7`. */
  start: string;
  /** Something went wrong that should not. */
  failed: (error: TorcError) => void;
}

export interface Listener {
  port: number;
  /** The login link of the moment. */
  url(): string;
  close(): Promise<void>;
}

const host = '127.0.0.1';
const bounds = {
  connections: 200,
  headerMs: 10_000,
  requestMs: 60_000,
  headerBytes: 64 * 1024,
  bodyBytes: 1024 * 1024,
};
const zipFromBytes = 1400;
const zipped = promisify(gzip);

/** Throws TorcError 'conflict' when the port is taken. */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const logins = new Logins();
  const url = (): string => `http://${host}:${portOf(server)}${logins.linkPath}`;
  const server = createServer(
    {
      maxHeaderSize: bounds.headerBytes,
      headersTimeout: bounds.headerMs,
      requestTimeout: bounds.requestMs,
      connectionsCheckingInterval: 1000,
    },
    (incoming, outgoing) => void respond({ ...options, logins, url }, incoming, outgoing),
  );
  server.maxConnections = bounds.connections;
  server.on('clientError', (_error, socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const message = `cannot listen on ${host}:${options.port}: ${error.message}`;
      reject(new TorcError('conflict', message, 'Choose another port with --port, or none for a free one.'));
    });
    server.listen(options.port, host, resolve);
  });
  return {
    port: portOf(server),
    url,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

interface Door extends ListenerOptions {
  logins: Logins;
  url: () => string;
}

async function respond(door: Door, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const gone = new AbortController();
  outgoing.on('close', () => gone.abort());
  outgoing.on('error', () => gone.abort());
  const begin = performance.now();
  const reply = await replyTo(door, incoming, gone.signal).catch((error) => failed(door, error));
  if (gone.signal.aborted) return;
  const isZipped = reply.body.length >= zipFromBytes && /\bgzip\b/.test(String(incoming.headers['accept-encoding']));
  const body = isZipped ? await zipped(reply.body) : Buffer.from(reply.body);
  if (!incoming.complete) outgoing.setHeader('connection', 'close');
  outgoing.writeHead(reply.status, {
    ...safetyHeaders,
    'content-type': reply.type,
    'content-length': body.length,
    // by which the page decides how often to ask for the same
    'server-timing': `all;dur=${(performance.now() - begin).toFixed(1)}`,
    ...(isZipped ? { 'content-encoding': 'gzip' } : {}),
    ...reply.headers,
  });
  outgoing.end(incoming.method === 'HEAD' ? undefined : body);
}

interface HttpReply {
  status: number;
  type: string;
  body: string | Buffer;
  headers?: Record<string, string>;
}

async function replyTo(door: Door, incoming: IncomingMessage, signal: AbortSignal): Promise<HttpReply> {
  const { method, headers, url = '' } = incoming;
  if (!isOwnHost(headers)) return said(403, 'This address is not that of a torc dashboard.');
  const [path = ''] = url.split('?');
  const inside = path.startsWith(`/${door.logins.place}/`) ? path.slice(door.logins.place.length + 2) : null;
  if (inside === null) return said(404, 'Open the link that torc dash printed.');
  if (inside.startsWith('login/')) return login(door, method, inside.slice('login/'.length));
  if (!door.logins.knows(headers.cookie)) {
    if (inside.startsWith('v1/')) throw new TorcError('unauthorized', 'this browser is not logged in', 'torc dash');
    return said(401, 'This browser is not logged in. Open the link that torc dash printed last.');
  }
  if (inside.startsWith('v1/')) return await answered(door, incoming, inside.slice('v1/'.length), signal);
  const file = door.files.get(inside === '' ? 'index.html' : inside);
  if (file === undefined) return said(404, 'There is no such page.');
  if (method !== 'GET' && method !== 'HEAD') return said(405, 'Only GET is allowed here.');
  return { status: 200, type: file.type, body: file.body };
}

/** Only GET: what looks at links before a person opens them asks with HEAD, and must not use them up. */
function login(door: Door, method: string | undefined, secret: string): HttpReply {
  if (method !== 'GET') return said(405, 'Only GET is allowed here.');
  const cookie = door.logins.exchange(secret);
  if (cookie === null) {
    return said(403, 'This link was already used, or is not complete. torc dash has printed a new one.');
  }
  door.loggedIn(door.url());
  // the browser goes on by itself: after a redirect from another site it would not send a strict cookie
  const next = `/${door.logins.place}/${door.start}`;
  // without an icon it asks for one, which is not there
  const icon = '<link rel="icon" href="data:,">';
  const body = `<!doctype html><title>torc</title>${icon}<meta http-equiv="refresh" content="0; url=${next}"><a href="${next}">torc</a>\n`;
  return { status: 200, type: 'text/html; charset=utf-8', body, headers: { 'set-cookie': cookie } };
}

async function answered(door: Door, incoming: IncomingMessage, name: string, signal: AbortSignal): Promise<HttpReply> {
  if (incoming.method !== 'POST' || !isOwnScript(incoming.headers)) {
    throw new TorcError('unauthorized', 'this request does not come from the dashboard');
  }
  const answer = door.answer(name, await bodyOf(incoming), signal);
  if (answer === null) throw new TorcError('not_found', 'the dashboard does not ask for that');
  return { status: 200, type: 'application/json', body: jsonText(await answer) };
}

async function bodyOf(incoming: IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of incoming as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > bounds.bodyBytes) throw new TorcError('usage', `the request is larger than ${bounds.bodyBytes} bytes`);
    pieces.push(piece);
  }
  try {
    return parseMessage(Buffer.concat(pieces).toString('utf8'));
  } catch {
    throw new TorcError('usage', 'the request is not JSON');
  }
}

function said(status: number, text: string): HttpReply {
  return { status, type: 'text/plain; charset=utf-8', body: `${text}\n` };
}

const statuses: Partial<Record<ErrorCode, number>> = {
  unauthorized: 401,
  usage: 400,
  not_found: 404,
  conflict: 409,
  unreachable: 503,
  busy: 503,
};

function failed(door: Door, error: unknown): HttpReply {
  const known = asTorcError(error);
  const { code, message, hint } = known;
  if (code === 'bug') door.failed(known);
  return {
    status: statuses[code] ?? 500,
    type: 'application/json',
    body: jsonText({ error: { code, message, hint } }),
  };
}
