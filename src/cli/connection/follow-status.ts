/**
 * How workflows stand, again whenever that changes, whoever serves: the server says so in a long poll. While no server
 * runs, the database is read here, and again when its files change; it is never kept open, so that others are not locked out.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Api, StatusReply } from '../../api/contract.ts';
import { limits } from '../../api/limits.ts';
import { delay } from '../../base/clock.ts';
import { TorcError } from '../../base/errors.ts';
import { visible } from '../../base/text.ts';
import type { Context } from '../context/context.ts';
import { connectRemote } from './connection.ts';
import { withConnection } from './session.ts';

export interface Followed<T> {
  reply: StatusReply;
  /** What `look` read together with the reply. */
  more: T;
}

/** `away`: no server can be asked at the moment; what there is to say about it. */
export type Seen<T> = { kind: 'status'; seen: Followed<T> } | { kind: 'away'; message: string };

export interface FollowOptions<T> {
  keys: readonly string[];
  /** Asks for what is shown besides. */
  look: (api: Api) => Promise<T>;
  /** Ends the following. */
  signal: AbortSignal;
  /** The shortest time between two requests. */
  pauseMs: number;
}

const lookEveryMs = 1000;
const watchedFiles = ['server.json', 'torc.db', 'torc.db-wal'] as const;

/** Goes on until the signal fires; throws what no later attempt can help, such as 'not_found'. */
export async function* followStatus<T>(context: Context, options: FollowOptions<T>): AsyncGenerator<Seen<T>> {
  const { signal } = options;
  let remote = await connectRemote(context.directory);
  while (!signal.aborted) {
    if (remote !== null) {
      try {
        yield* followServer(context, remote.api, options);
      } catch (error) {
        if (signal.aborted) return;
        yield { kind: 'away', message: messageOf(error) };
      } finally {
        await remote.close();
      }
      await delay(context.clock, lookEveryMs, signal);
      remote = await connectRemote(context.directory);
      continue;
    }
    yield* lookHere(context, options);
    const before = fileMark(context.directory);
    do {
      await delay(context.clock, lookEveryMs, signal);
      if (!signal.aborted) remote = await connectRemote(context.directory);
    } while (!signal.aborted && remote === null && fileMark(context.directory) === before);
  }
}

async function* followServer<T>(
  context: Context,
  api: Api,
  { keys, look, signal, pauseMs }: FollowOptions<T>,
): AsyncGenerator<Seen<T>> {
  for (let state: string | null = null; !signal.aborted; ) {
    const wait_seconds = state === null ? 0 : limits.longPollSeconds;
    const reply: StatusReply = await api.call('status', requestOf(keys, state, wait_seconds), { signal });
    state = reply.state;
    yield { kind: 'status', seen: { reply, more: await look(api) } };
    await delay(context.clock, pauseMs, signal);
  }
}

/** What connecting has to say, such as that it started the server again, is passed on instead of being printed. */
async function* lookHere<T>(context: Context, { keys, look }: FollowOptions<T>): AsyncGenerator<Seen<T>> {
  const said: string[] = [];
  const terminal = { ...context.terminal, err: (text: string) => void said.push(text) };
  try {
    const seen = await withConnection({ ...context, terminal }, async ({ api }) => {
      return { reply: await api.call('status', requestOf(keys, null, 0)), more: await look(api) };
    });
    yield { kind: 'status', seen };
  } catch (error) {
    said.push(messageOf(error));
  }
  const message = visible(said.join('').trim().replaceAll('\n', ' '));
  if (message !== '') yield { kind: 'away', message };
}

export function hasEnded({ workflows }: StatusReply): boolean {
  return workflows.every(({ has_ended }) => has_ended);
}

function requestOf(keys: readonly string[], state: string | null, wait_seconds: number) {
  return { workflow_keys: [...keys], user: null, limit: keys.length, state, wait_seconds };
}

/** Throws what is not the mere absence of a server. */
function messageOf(error: unknown): string {
  if (error instanceof TorcError && (error.code === 'unreachable' || error.code === 'busy')) return error.message;
  throw error;
}

/** Changes when a server comes, goes or writes, and when another command writes into the database. */
function fileMark(directory: string): string {
  return watchedFiles
    .map((name) => {
      const stats = statSync(join(directory, name), { throwIfNoEntry: false });
      return stats === undefined ? '-' : `${stats.mtimeMs} ${stats.size} ${stats.ino}`;
    })
    .join(',');
}
