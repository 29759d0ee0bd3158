/**
 * The client of `GET /events`: follows what happens, whoever serves. When a connection ends, it finds the server or its
 * successor again, and goes on from the last id, so that nothing is missed and nothing comes twice.
 */
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type Clock, delay, systemClock } from '../base/clock.ts';
import { asTorcError, type ErrorCode, exitCodes, TorcError } from '../base/errors.ts';
import { parseMessage } from '../base/exact-json.ts';
import { splitAddress } from './addresses.ts';
import type { AskEvents, EventMessage, FollowedMessage } from './events.ts';
import { limits } from './limits.ts';
import { readReachableServer } from './network.ts';
import { addressesOf, giveUpConnecting, pinnedTls } from './reach.ts';
import type { ServerFile } from './server-file.ts';

const retryMs = 1000;
/** A connection that is silent for longer than some heartbeats is dead. */
const silentMs = 3 * limits.eventHeartbeatMs;

/**
 * Messages until the signal fires. Where no server answers, a message 'away' says so, and a later 'open' that one does.
 * Throws what no later attempt can help, such as TorcError 'usage' for a filter that there is not.
 */
export async function* followEvents(
  directory: string,
  asked: AskEvents,
  signal: AbortSignal,
  clock: Clock = systemClock,
): AsyncGenerator<FollowedMessage> {
  let after = asked.after;
  let isAway = false;
  while (!signal.aborted) {
    try {
      for await (const message of connected(directory, { ...asked, after }, signal)) {
        isAway = false;
        after = message.id;
        yield message;
      }
    } catch (error) {
      if (signal.aborted) return;
      const { code, message } = asTorcError(error);
      if (code !== 'unreachable' && code !== 'busy' && code !== 'unauthorized') throw error;
      if (!isAway) yield { event: 'away', id: null, data: { message } };
      isAway = true;
    }
    if (!signal.aborted) await delay(clock, retryMs, signal);
  }
}

/** One connection to the server that is published now; ends with it. */
async function* connected(directory: string, asked: AskEvents, signal: AbortSignal): AsyncGenerator<EventMessage> {
  const file = readReachableServer(directory);
  if (file === null) throw new TorcError('unreachable', `no server is registered in ${directory}`);
  const incoming = await opened(file, asked, signal);
  try {
    incoming.setEncoding('utf8');
    let [rest, message] = ['', {} as Record<string, string>];
    for await (const piece of incoming as AsyncIterable<string>) {
      const lines = (rest + piece).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const colon = line.indexOf(': ');
        if (colon > 0) message[line.slice(0, colon)] = line.slice(colon + 2);
        if (line !== '' || message.event === undefined) continue;
        const { event, id, data = 'null' } = message;
        message = {};
        yield { event, id, data: parseMessage(data) } as EventMessage;
      }
    }
  } catch (error) {
    if (error instanceof TorcError) throw error;
    throw new TorcError('unreachable', `the connection to the server was lost: ${asTorcError(error).message}`);
  } finally {
    incoming.destroy();
  }
}

/** The beginning of a reply, from the first address that gives one. Throws the last error. */
async function opened(file: ServerFile, asked: AskEvents, signal: AbortSignal): Promise<IncomingMessage> {
  let last: unknown = null;
  for (const [, address] of addressesOf(file)) {
    try {
      return await ask(file, address, asked, signal);
    } catch (error) {
      if (error instanceof TorcError) throw error;
      last = error;
    }
  }
  const why = asTorcError(last).message;
  throw new TorcError('unreachable', `the server on ${file.hostname} (pid ${file.pid}) does not answer: ${why}`);
}

function ask(file: ServerFile, address: string, asked: AskEvents, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { host, port } = splitAddress(address);
    const outgoing = httpsRequest(
      {
        host,
        port,
        ...pinnedTls(file),
        // a connection of its own, which lasts
        agent: false,
        path: `/events?${queryOf(asked)}`,
        headers: { authorization: `Bearer ${file.token}` },
        timeout: silentMs,
        signal,
      },
      (incoming) => {
        if (incoming.statusCode === 200) return resolve(incoming);
        refused(incoming).then(reject, reject);
      },
    );
    outgoing.on('socket', (socket) => giveUpConnecting(socket, host, silentMs));
    outgoing.on('timeout', () => outgoing.destroy(new Error('it did not answer in time')));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

function queryOf({ workflow_keys, after, records, filters }: AskEvents): URLSearchParams {
  const query = new URLSearchParams({ records: String(records) });
  if (workflow_keys !== null) query.set('workflow_key', workflow_keys.join(','));
  if (after !== null) query.set('after', after);
  for (const { column, value } of filters) query.append('filter', `${column}=${value}`);
  return query;
}

async function refused(incoming: IncomingMessage): Promise<TorcError> {
  let text = '';
  incoming.setEncoding('utf8');
  for await (const piece of incoming as AsyncIterable<string>) text += piece;
  try {
    const { code, message, hint } = JSON.parse(text).error as { code: string; message: string; hint: string | null };
    return new TorcError(code in exitCodes ? (code as ErrorCode) : 'bug', message, hint);
  } catch {
    return new TorcError('unreachable', `the server answered something that is not JSON (${incoming.statusCode})`);
  }
}
