/** A command's connection to the server, or to the database in this process, while the command runs. */
import { exitCodes } from '../../base/errors.ts';
import type { Context } from '../context/context.ts';
import type { Connection } from './connection.ts';

/** A process that uses the database for longer than this serves others meanwhile. */
const serveAfterMs = 1000;

export interface SessionOptions {
  /** Serve from the start, because a worker will connect; or from the end of the present server on. */
  serves?: boolean;
  /** Run the actions of workflows, and wait for them at the end; only with `serves`. */
  runsActions?: boolean;
}

/** Connects, works, closes; an interrupt closes and ends the process. */
export async function withConnection<T>(
  context: Context,
  work: (connection: Connection) => Promise<T>,
  options: SessionOptions = {},
): Promise<T> {
  const connection = await connectFor(context, options);
  let isEnding = false;
  const removeHandler = context.interrupts.handle((signal) => {
    const end = () => context.interrupts.exit(exitCodes.interrupted, signal);
    if (isEnding) return end();
    isEnding = true;
    connection.close().then(end, end);
  });
  let stopWaiting = async (): Promise<void> => {};
  let leavesAllocations = false;
  try {
    if (options.serves === true) await connection.serve({ runsActions: options.runsActions === true });
    else stopWaiting = serveWhenSlow(context, connection);
    const result = await work(connection);
    leavesAllocations = options.runsActions === true && (await hasAllocations(connection));
    return result;
  } finally {
    await stopWaiting();
    removeHandler();
    await connection.close();
    if (leavesAllocations) await (await import('./action-server.ts')).startOwnServer(context);
  }
}

async function connectFor(context: Context, options: SessionOptions): Promise<Connection> {
  const place = { directory: context.directory, command: context.commandLine };
  if (options.serves === true) return await (await import('./lasting-connection.ts')).connectToStay(place);
  return await (await import('./connection.ts')).connect(place);
}

/** Whether allocations need a server after this process, which has served them, ends. */
async function hasAllocations({ kind, api }: Connection): Promise<boolean> {
  return kind === 'in_process' && (await api.call('server_info', {})).num_open_allocations > 0;
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
