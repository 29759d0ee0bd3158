/** A command's connection to the server, or to the database in this process, while the command runs. */
import { exitCodes } from '../../base/errors.ts';
import { type Context, note } from '../context/context.ts';
import { pasteableWords } from '../context/pasteable.ts';
import { findAwaited, settleAwaited } from './awaited-server.ts';
import type { Connection } from './connection.ts';
import { cannotActAs, otherUser, readingApi } from './other-user.ts';

/** A process that uses the database for longer than this serves others meanwhile. */
const serveAfterMs = 1000;

export interface SessionOptions {
  /** Serve from the start, because a worker will connect; or from the end of the present server on. */
  serves?: boolean;
  /** Run the actions of workflows, and wait for them at the end; only with `serves`. */
  runsActions?: boolean;
  /** Makes the directory and its database where there is none. */
  creates?: boolean;
  /** The command sees to the server itself: it is neither started nor spoken of after it. */
  leavesServer?: boolean;
}

/**
 * Connects, works, closes; an interrupt closes and ends the process. With `-U` of another user work can only read; throws
 * TorcError 'usage' else.
 */
export async function withConnection<T>(
  context: Context,
  work: (connection: Connection) => Promise<T>,
  options: SessionOptions = {},
): Promise<T> {
  const other = otherUser(context);
  if (other !== null && (options.creates === true || options.serves === true)) throw cannotActAs(context, other);
  const connection = await connectFor(context, options);
  let isEnding = false;
  const removeHandler = context.interrupts.handle((signal) => {
    const end = () => context.interrupts.exit(exitCodes.interrupted, signal);
    if (isEnding) return end();
    isEnding = true;
    connection.close().then(end, end);
  });
  let stopWaiting = async (): Promise<void> => {};
  let hasEnded = false;
  try {
    if (options.serves === true) await connection.serve({ runsActions: options.runsActions === true });
    else stopWaiting = serveWhenSlow(context, connection);
    const given = other === null ? connection : { ...connection, api: readingApi(context, connection.api, other) };
    const result = await work(given);
    hasEnded = true;
    return result;
  } finally {
    const awaited = options.leavesServer === true ? null : await findAwaited(connection, options.serves === true);
    await stopWaiting();
    removeHandler();
    await connection.close();
    if (awaited !== null) {
      // this process has carried out their actions, and served those allocations until now
      const mustStart = hasEnded && options.runsActions === true && awaited.num_allocations > 0;
      if (mustStart) await (await import('./action-server.ts')).startOwnServer(context);
      else await settleAwaited(context, awaited);
    }
  }
}

async function connectFor(context: Context, options: SessionOptions): Promise<Connection> {
  const place = {
    directory: context.directory,
    command: context.commandLine,
    creates: options.creates ?? false,
    warn: (text: string) => note(context, pasteableWords(text, context), 'warning'),
  };
  if (options.serves === true) return await (await import('./lasting-connection.ts')).connectToStay(place);
  return await (await import('./connection.ts')).connectOnwards(place);
}

/** Starts to serve after a while; the returned function cancels that, or waits for a start in progress. */
function serveWhenSlow(context: Context, connection: Connection): () => Promise<void> {
  if (connection.kind === 'remote') return async () => {};
  let beginning: Promise<void> | null = null;
  const cancel = context.clock.after(serveAfterMs, () => {
    // the command works whether or not others can be served
    beginning = connection.serve().catch(() => {});
  });
  return async () => {
    cancel();
    await beginning;
  };
}
