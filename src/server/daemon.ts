/** `torc server start`: opens, serves, and ends cleanly on SIGTERM, SIGINT, `torc server stop` or long silence. */
import { join } from 'node:path';
import type { RelayKind } from '../api/relay-kinds.ts';
import type { ServerFile } from '../api/server-file.ts';
import { delay, systemClock } from '../base/clock.ts';
import { TorcError } from '../base/errors.ts';
import { type Log, openLog } from '../base/log.ts';
import { serverDirectoryNames } from '../base/paths.ts';
import { explainDirectory, openForAppending, openPrivateFolder } from '../base/trusted/private.ts';
import { countOpenAllocations } from '../storage/authoring/allocations.ts';
import { forgetLastingServer, noteLastingServer } from '../storage/database/lasting-server.ts';
import { requireSqlite } from '../storage/database/sqlite.ts';
import { countOpenFirings } from '../storage/running/actions.ts';
import { countActiveComputeNodes } from '../storage/running/active-compute-nodes.ts';
import { nextDueAt } from '../storage/running/due.ts';
import { countOpenMessages } from '../storage/running/outbox.ts';
import { hasOpenTicks } from '../storage/running/ticks.ts';
import { openService } from './open.ts';
import { type ServeOptions, serve } from './serve.ts';
import type { Service } from './service.ts';

export interface DaemonOptions extends ServeOptions {
  directory: string;
  /** Ends after this long without allocations, workers, clients and due instants; null for never. */
  idleMinutes?: number | null;
  /** It runs in the background: until it is meant to end, a command on this host may start it again. */
  isLasting?: boolean;
  /** What the command itself said of these two; the rest is the configuration's, which may change. */
  given?: { advertise: string | null; relay: RelayKind | null };
  onReady?: (file: ServerFile) => void;
  /** Tells a person of trouble with the directory or the database, and of its end. */
  warn?(text: string): void;
}

const idleCheckMs = 30_000;
/** How long it waits for a short command that has the database open. */
const waitForHolderMs = 10_000;
const retryMs = 100;

/**
 * Runs until it is told to end. Throws TorcError 'busy' when another process keeps the directory, 'unusable' or
 * 'no_space' when it cannot be written.
 */
export async function runServer(options: DaemonOptions): Promise<void> {
  // before anything is made
  requireSqlite();
  const log = openServerLog(options.directory);
  const service = await openWhenFree(options.directory, log);
  service.onAway = (text) => options.warn?.(text);
  service.space.tell = service.onAway;
  const serving = await serve(service, { ...options, runsActions: true, startsWorkers: true, runsSchedules: true });
  // without the note a person starts it again
  await noteServer(service, options).catch((error) => log.warn({ err: error }, 'the server could not be noted'));
  log.info({ addresses: serving.file.addresses, epoch: serving.file.epoch }, 'serving');
  const reason = await new Promise<string>((resolve) => {
    service.onStop = () => setImmediate(resolve, 'server stop');
    void service.lost.then(() => resolve('lost'));
    process.once('SIGTERM', () => resolve('SIGTERM'));
    process.once('SIGINT', () => resolve('SIGINT'));
    const idleMs = options.idleMinutes == null ? null : options.idleMinutes * 60_000;
    if (idleMs !== null) {
      const timer = setInterval(
        () => {
          if (service.silentMs >= idleMs && serving.numViewers === 0 && !hasWork(service)) resolve('idle');
        },
        Math.min(idleCheckMs, idleMs),
      );
      timer.unref();
    }
    options.onReady?.(serving.file);
  });
  // what a signal ends, such as the shutdown of the host, may start again
  if (reason === 'idle') await service.write(forgetLastingServer).catch(() => {});
  await serving.close();
  await service.close();
  log.info({ reason }, 'ended');
  if (service.isLost) throw await service.lost;
}

/** Whether anything is under way or to come; also while the database cannot be read. */
function hasWork({ view, info }: Service): boolean {
  try {
    return (
      countActiveComputeNodes(view, null) > 0 ||
      countOpenAllocations(view) > 0 ||
      countOpenFirings(view, null) > 0 ||
      countOpenMessages(view, null) > 0 ||
      nextDueAt(view) !== null ||
      hasOpenTicks(view)
    );
  } catch (error) {
    info.log.error({ err: error }, 'whether there is work cannot be read');
    return true;
  }
}

async function openWhenFree(directory: string, log: Log): Promise<Service> {
  const giveUpAt = systemClock.monotonic() + waitForHolderMs;
  for (;;) {
    try {
      return await openService(directory, systemClock, 'torc server start', log);
    } catch (error) {
      const isBusy = error instanceof TorcError && error.code === 'busy';
      if (!isBusy || systemClock.monotonic() >= giveUpAt) throw error;
    }
    await delay(systemClock, retryMs);
  }
}

/** A server in the foreground belongs to a terminal or to another program that keeps it running. */
async function noteServer(service: Service, options: DaemonOptions): Promise<void> {
  const { hostname } = service.info;
  const { host = null, port = null, idleMinutes: idle_minutes = null, leaseSeconds: lease_seconds = null } = options;
  const given = options.given ?? { advertise: null, relay: null };
  await service.write((tx) =>
    options.isLasting === true
      ? noteLastingServer(tx, { hostname, host, port, ...given, idle_minutes, lease_seconds })
      : forgetLastingServer(tx),
  );
}

function openServerLog(directory: string): Log {
  try {
    openPrivateFolder(directory, serverDirectoryNames);
    return openLog(openForAppending(join(directory, 'server.jsonl')));
  } catch (error) {
    throw explainDirectory(error, directory);
  }
}
