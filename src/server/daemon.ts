/** `torc server start`: opens, serves, and ends cleanly on SIGTERM, SIGINT, `torc server stop` or long silence. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerFile } from '../api/server-file.ts';
import { systemClock } from '../base/clock.ts';
import { type Log, openLog } from '../base/log.ts';
import { countOpenAllocations } from '../storage/authoring/allocations.ts';
import { countOpenFirings } from '../storage/running/actions.ts';
import { countActiveComputeNodes } from '../storage/running/compute-nodes.ts';
import { nextDueAt } from '../storage/running/due.ts';
import { explainDirectory, openService } from './open.ts';
import { type ServeOptions, serve } from './serve.ts';

export interface DaemonOptions extends ServeOptions {
  directory: string;
  /** Ends after this long without allocations, workers, clients and due instants; null for never. */
  idleMinutes?: number | null;
  onReady?: (file: ServerFile) => void;
}

const idleCheckMs = 30_000;

/**
 * Runs until it is told to end. Throws TorcError 'busy' when another process holds the directory, 'unusable' or
 * 'no_space' when it cannot be written.
 */
export async function runServer(options: DaemonOptions): Promise<void> {
  const log = await openServerLog(options.directory);
  const service = await openService(options.directory, systemClock, 'torc server start', log);
  const serving = await serve(service, { ...options, runsActions: true, startsWorkers: true });
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
          const isNeeded =
            service.silentMs < idleMs ||
            countActiveComputeNodes(service.view, null) > 0 ||
            countOpenAllocations(service.view) > 0 ||
            countOpenFirings(service.view, null) > 0 ||
            nextDueAt(service.view) !== null;
          if (!isNeeded) resolve('idle');
        },
        Math.min(idleCheckMs, idleMs),
      );
      timer.unref();
    }
    options.onReady?.(serving.file);
  });
  await serving.close();
  await service.close();
  log.info({ reason }, 'ended');
  if (service.isLost) throw await service.lost;
}

async function openServerLog(directory: string): Promise<Log> {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return await openLog(join(directory, 'server.jsonl'));
  } catch (error) {
    throw explainDirectory(error, directory);
  }
}
