/** How a command reaches the database: through the published server, else by opening it in this process. */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { Api } from '../../api/contract.ts';
import type { AskEvents, FollowedMessage } from '../../api/events.ts';
import { isRead } from '../../api/repetition.ts';
import { readServerFile, type ServerFile } from '../../api/server-file.ts';
import { delay, systemClock } from '../../base/clock.ts';
import { systemCode, TorcError } from '../../base/errors.ts';
import type { ServeOptions } from '../../server/serve.ts';
import { olderApi, olderServer } from './older-server.ts';
import { upgradeWords } from './upgrade-words.ts';

export interface ConnectOptions {
  directory: string;
  /** The command line of this process, such as `torc jobs list`, for others that wait for the database. */
  command: string;
  /** Makes the directory and its database where there is none. */
  creates: boolean;
  /** Tells the person what goes on with the directory. */
  warn?(text: string): void;
}

export interface Connection {
  api: Api;
  kind: 'remote' | 'in_process';
  /** In process: makes this process a server until it ends, once, however often it is called. Remote: does nothing. */
  serve(options?: ServeOptions): Promise<void>;
  /** What happens from now on or since `after`, until the signal fires; goes on with a later server. */
  follow(asked: AskEvents, signal: AbortSignal): AsyncGenerator<FollowedMessage>;
  close(): Promise<void>;
}

/** How long a command waits for another process that has the database open and does not serve. */
const waitForHolderMs = 10_000;
const retryMs = 100;
const probeTimeoutMs = 3_000;

/**
 * As `connect`. Where the server was a command that served for a while and has ended since, what only reads is asked of
 * the next server, or of the database: nobody need know that it was there.
 */
export async function connectOnwards(options: ConnectOptions): Promise<Connection> {
  let current = await connect(options);
  if (current.kind === 'in_process') return current;
  let change: Promise<void> | null = null;
  const goOn = async (): Promise<void> => {
    const [before, next] = [current, await connect({ ...options, creates: false })];
    current = next;
    await before.close();
    // this command is at work already, and others may wait for the database
    await next.serve().catch(() => {});
  };
  const call: Api['call'] = async (endpoint, request, callOptions) => {
    const used = current;
    try {
      return await used.api.call(endpoint, request, callOptions);
    } catch (error) {
      const isGone = error instanceof TorcError && error.code === 'unreachable';
      const hasEnded = isGone && readServerFile(options.directory) === null;
      if (!hasEnded || used.kind === 'in_process' || !isRead(endpoint)) throw error;
      if (used === current) {
        change ??= goOn().finally(() => {
          change = null;
        });
        await change;
      }
      return await current.api.call(endpoint, request, callOptions);
    }
  };
  return {
    api: { call, close: () => current.close() },
    get kind() {
      return current.kind;
    },
    serve: (serveOptions) => current.serve(serveOptions),
    follow: (asked, signal) => current.follow(asked, signal),
    close: () => current.close(),
  };
}

/**
 * Connects to the server of the directory, or opens its database here. Waits for a process that has it open; throws
 * TorcError 'busy' naming it when it neither serves nor ends, 'not_found' where there is no database to open.
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const giveUpAt = systemClock.monotonic() + waitForHolderMs;
  for (;;) {
    const remote = await connectRemote(options.directory, options.warn);
    if (remote !== null) return remote;
    if (!options.creates) requireDatabase(options.directory);
    try {
      return await connectInProcess(options);
    } catch (error) {
      const isBusy = error instanceof TorcError && error.code === 'busy';
      if (!isBusy || systemClock.monotonic() >= giveUpAt) throw error;
    }
    await delay(systemClock, retryMs);
  }
}

/** A command that only reads makes nothing. What else is wrong with the directory shows when it is opened. */
function requireDatabase(directory: string): void {
  try {
    lstatSync(join(directory, 'torc.db'));
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') return;
    const hint =
      'Create a workflow first (torc workflows create SPEC, torc run SPEC), or name its directory with --dir.';
    throw new TorcError('not_found', `there is no torc database in ${directory}`, hint);
  }
}

/** The server of the directory if one is published and answers, else null. `warn` tells when it is of an older torc. */
export async function connectRemote(
  directory: string,
  warn: (text: string) => void = () => {},
): Promise<Connection | null> {
  const file: ServerFile | null = readServerFile(directory);
  if (file === null) return null;
  const { openClient } = await import('../../api/client.ts');
  const client = openClient(directory);
  let older: string | null;
  try {
    older = olderServer(await client.call('server_info', {}, { timeoutMs: probeTimeoutMs }));
  } catch (error) {
    await client.close();
    if (error instanceof TorcError && error.code === 'unreachable') return null;
    throw error;
  }
  const api = older === null ? client : olderApi(client, older, warn);
  return {
    api,
    kind: 'remote',
    serve: async () => {},
    async *follow(asked, signal) {
      const { followEvents } = await import('../../api/event-client.ts');
      yield* followEvents(directory, asked, signal);
    },
    close: () => api.close(),
  };
}

async function connectInProcess(options: ConnectOptions): Promise<Connection> {
  const { openService } = await import('../../server/open.ts');
  const service = await openService(options.directory, systemClock, options.command);
  // that the disk is full is told by the worker of a run, which sees it of every server
  service.onAway = (text) => options.warn?.(text);
  const { upgrade } = service.db;
  if (upgrade !== null) options.warn?.(upgradeWords(upgrade.from, upgrade.copyPath));
  let serving: Promise<{ close: () => Promise<void> }> | null = null;
  return {
    api: service,
    kind: 'in_process',
    async serve(serveOptions) {
      serving ??= import('../../server/serve.ts').then(({ serve }) => serve(service, serveOptions));
      try {
        await serving;
      } catch (error) {
        serving = null;
        throw error;
      }
    },
    async *follow(asked, signal) {
      const { EventFeed } = await import('../../server/live/event-feed.ts');
      yield* new EventFeed(service).follow(asked, signal);
    },
    async close() {
      await (await serving?.catch(() => null))?.close();
      await service.close();
    },
  };
}
