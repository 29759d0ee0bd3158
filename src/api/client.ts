/**
 * The typed client over HTTPS. It accepts only the certificate that `server.json` holds, whatever the host's name, and
 * reads that file again when the server is gone, has a different certificate or refuses the token: servers move.
 */

import { randomBytes } from 'node:crypto';
import type { ClientRequest } from 'node:http';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { delay, systemClock } from '../base/clock.ts';
import { type ErrorCode, exitCodes, systemCode, TorcError } from '../base/errors.ts';
import { jsonText, parseMessage } from '../base/exact-json.ts';
import { splitAddress, type TriedAddress, triedText } from './addresses.ts';
import type { Api, CallOptions, EndpointName, Reply, Request } from './contract.ts';
import { readReachableServer } from './network.ts';
import { addressesOf, giveUpConnecting, pinnedTls } from './reach.ts';
import { idempotencyHeader, isRepeatable, needsKey } from './repetition.ts';
import type { ServerFile } from './server-file.ts';

const defaultTimeoutMs = 60_000;
/** How long a call whose connection was lost is repeated: a server takes a second or two to restart. */
const repeatForMs = 10_000;
const repeatEveryMs = 250;

interface Target {
  file: ServerFile;
  agent: Agent;
  /** Index into the file's addresses of the one that answered last. */
  address: number;
}

/** Node names a connection after all of its options, the certificate too, several times a request; here they are the same. */
class OneServerAgent extends Agent {
  override getName({ host = '', port = '' }: RequestOptions = {}): string {
    return `${host}:${port}`;
  }
}

/** Nothing was sent, or it was refused before anything was done: safe to try elsewhere. */
class NotDelivered extends Error {
  /** The connection was a reused one: perhaps the request was delivered after all. */
  isUncertain = false;
}

/** Whether a call failed because no address of the published server led to it. */
export function isUnreached(error: unknown): boolean {
  return error instanceof TorcError && error.cause instanceof NotDelivered;
}

/** The request may have been carried out. */
class ConnectionLost extends TorcError {}

/**
 * A client of the server that is published in `directory`, or that `find` finds; throws TorcError 'unreachable' when
 * none is.
 */
export function openClient(
  directory: string,
  find: () => ServerFile | null = () => readReachableServer(directory),
): Api {
  let target: Target | null = null;
  /** No address led to the server: there may be another way by now. */
  let isLost = false;

  function aim(): Target {
    const file = find();
    if (file === null) {
      throw new TorcError(
        'unreachable',
        `no server is registered in ${directory}`,
        `torc --dir ${directory} server start`,
      );
    }
    if (target !== null && isSame(target.file, file) && hasSameAddresses(target.file, file)) return target;
    if (target !== null && isSame({ ...target.file, token: file.token }, file)) {
      // the same server with another token or other ways to it: requests on its connections go on
      const address = hasSameAddresses(target.file, file) ? target.address : 0;
      target = { ...target, file, address };
      return target;
    }
    target?.agent.destroy();
    const agent = new OneServerAgent({ keepAlive: true, maxSockets: 4, ...pinnedTls(file) });
    target = { file, agent, address: 0 };
    return target;
  }

  /** Sends a request to the published server, or to the one that has replaced it in the meantime. */
  async function callOnce(endpoint: string, body: string, options: CallOptions): Promise<unknown> {
    const first = isLost || target === null ? aim() : target;
    try {
      const reply = await deliver(first, endpoint, body, options);
      isLost = false;
      return reply;
    } catch (error) {
      if (!(error instanceof NotDelivered)) throw error;
      isLost = true;
      const second = aim();
      const isKnown = isSame(first.file, second.file) && hasSameAddresses(first.file, second.file);
      if (isKnown) throw explain(error, second.file);
      try {
        return await deliver(second, endpoint, body, options);
      } catch (again) {
        throw again instanceof NotDelivered ? explain(again, second.file) : again;
      }
    }
  }

  async function call<N extends EndpointName>(
    endpoint: N,
    request: Request<N>,
    options: CallOptions = {},
  ): Promise<Reply<N>> {
    const body = jsonText(request);
    if (!isRepeatable(endpoint, request)) return (await callOnce(endpoint, body, options)) as Reply<N>;
    const idempotencyKey = needsKey(endpoint, request) ? randomBytes(16).toString('hex') : null;
    const all = { ...options, ...(idempotencyKey === null ? {} : { idempotencyKey }) };
    return (await repeated(() => callOnce(endpoint, body, all))) as Reply<N>;
  }

  return {
    call,
    async close() {
      target?.agent.destroy();
      target = null;
    },
  };
}

/** Repeats a call while it is unknown whether it was carried out; throws the first error when no server answers in time. */
async function repeated(call: () => Promise<unknown>): Promise<unknown> {
  let first: ConnectionLost | null = null;
  let untilMs = Number.POSITIVE_INFINITY;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const isOpen = error instanceof ConnectionLost || (first !== null && isUnreachable(error));
      if (!isOpen) throw error;
      if (first === null && error instanceof ConnectionLost) {
        first = error;
        untilMs = systemClock.monotonic() + repeatForMs;
      }
      if (systemClock.monotonic() >= untilMs) throw first;
      await delay(systemClock, repeatEveryMs);
    }
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof TorcError && error.code === 'unreachable';
}

function isSame(a: ServerFile, b: ServerFile): boolean {
  return a.token === b.token && a.epoch === b.epoch && a.certificate === b.certificate && a.pid === b.pid;
}

function hasSameAddresses(a: ServerFile, b: ServerFile): boolean {
  return a.addresses.join(' ') === b.addresses.join(' ');
}

function explain(error: NotDelivered, file: ServerFile): TorcError {
  const ErrorClass = error.isUncertain ? ConnectionLost : TorcError;
  return new ErrorClass(
    'unreachable',
    `the server on ${file.hostname} (pid ${file.pid}) does not answer: ${error.message}`,
    'torc server start',
    { cause: error },
  );
}

/** Tries the target's addresses in turn until one answers. */
async function deliver(target: Target, endpoint: string, body: string, options: CallOptions): Promise<unknown> {
  const tried: TriedAddress[] = [];
  let isUncertain = false;
  for (const [index, address] of addressesOf(target.file, target.address)) {
    try {
      const reply = await post(target, address, endpoint, body, options);
      target.address = index;
      return reply;
    } catch (error) {
      if (!(error instanceof NotDelivered)) throw error;
      isUncertain ||= error.isUncertain;
      tried.push({ address, reason: error.message });
    }
  }
  const failed = new NotDelivered(tried.length === 0 ? 'it has no address' : triedText(tried));
  failed.isUncertain = isUncertain;
  throw failed;
}

function post(target: Target, address: string, endpoint: string, body: string, options: CallOptions): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const { host, port } = splitAddress(address);
    const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    let wasSent = false;
    const outgoing = httpsRequest(
      {
        agent: target.agent,
        host,
        port,
        method: 'POST',
        path: `/v1/${endpoint}`,
        headers: {
          authorization: `Bearer ${target.file.token}`,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          ...(options.idempotencyKey === undefined ? {} : { [idempotencyHeader]: options.idempotencyKey }),
        },
        timeout: timeoutMs,
      },
      (incoming) => {
        wasSent = true;
        const pieces: Buffer[] = [];
        incoming.on('data', (piece: Buffer) => pieces.push(piece));
        incoming.on('error', (error) => reject(lost(error)));
        incoming.on('end', () => {
          try {
            resolve(parseReply(incoming.statusCode ?? 0, Buffer.concat(pieces).toString('utf8')));
          } catch (error) {
            reject(error);
          }
        });
      },
    );
    outgoing.on('socket', (socket) => {
      // a kept-alive connection is ready; a new one only after the pinned certificate was accepted
      if (!socket.connecting) {
        wasSent = true;
        return;
      }
      socket.once('secureConnect', () => (wasSent = true));
      giveUpConnecting(socket, host, timeoutMs);
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('it did not answer in time')));
    endWith(outgoing, options.signal);
    outgoing.on('error', (error) => {
      if (options.signal?.aborted) return reject(new TorcError('interrupted', 'the request was canceled'));
      reject(wasSent && !outgoing.reusedSocket ? lost(error) : notDelivered(error, outgoing.reusedSocket));
    });
    outgoing.end(body);
  });
}

/** As the option `signal` of a request would, which also follows the request as a stream. */
function endWith(outgoing: ClientRequest, signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  const end = (): void => void outgoing.destroy(new Error('it was canceled'));
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  outgoing.once('close', () => signal.removeEventListener('abort', end));
}

/** A reused connection that the server closed meanwhile never carried the request if it was reset at once. */
function notDelivered(error: Error, reusedSocket: boolean): Error {
  const code = systemCode(error);
  if (reusedSocket && code !== 'ECONNRESET' && code !== 'EPIPE') return lost(error);
  const notDelivered = new NotDelivered(reason(error), { cause: error });
  notDelivered.isUncertain = reusedSocket;
  return notDelivered;
}

function reason(error: Error): string {
  const code = systemCode(error) ?? '';
  if (code === 'ECONNREFUSED') return 'connection refused';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'the name does not resolve';
  if (code === 'EHOSTUNREACH' || code === 'ENETUNREACH') return 'no route';
  if (code === 'DEPTH_ZERO_SELF_SIGNED_CERT' || code.includes('CERT') || code.includes('VERIFY')) {
    return 'its certificate is not the one in server.json';
  }
  return error.message;
}

function lost(error: Error): TorcError {
  const words = `the connection to the server was lost: ${error.message}`;
  return new ConnectionLost('unreachable', words, 'torc server info', { cause: error });
}

function parseReply(status: number, text: string): unknown {
  let value: unknown;
  try {
    value = parseMessage(text);
  } catch {
    throw new TorcError('unreachable', `the server answered something that is not JSON (status ${status})`);
  }
  if (status === 200) return value;
  if (status === 401) throw new NotDelivered('it refuses the token in server.json');
  const error = (value as { error?: { code?: string; message?: string; hint?: string | null } }).error;
  const code = error?.code !== undefined && error.code in exitCodes ? (error.code as ErrorCode) : 'bug';
  throw new TorcError(code, error?.message ?? `the server answered with status ${status}`, error?.hint ?? null);
}
