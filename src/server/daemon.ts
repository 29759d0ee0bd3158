/** `torc server start`: opens, serves, and ends cleanly on SIGTERM, SIGINT, `torc server stop` or long silence. */
import type { ServerFile } from '../api/server-file.ts';
import { systemClock } from '../base/clock.ts';
import { countActiveComputeNodes } from '../storage/compute-nodes.ts';
import { countOpenAllocations } from '../storage/slurm.ts';
import { openService, removeHolder } from './open.ts';
import { type ServeOptions, serve } from './serve.ts';

export interface DaemonOptions extends ServeOptions {
  directory: string;
  /** Ends when no allocation, worker or client has been there for so long; null for never. */
  idleMinutes?: number | null;
  onReady?: (file: ServerFile) => void;
}

const idleCheckMs = 30_000;

/** Runs until it is told to end. Throws TorcError 'busy' when another process holds the directory. */
export async function runServer(options: DaemonOptions): Promise<void> {
  const service = await openService(options.directory, systemClock, 'torc server start');
  const serving = await serve(service, options);
  await new Promise<void>((resolve) => {
    service.onStop = () => setImmediate(resolve);
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
    const idleMs = options.idleMinutes == null ? null : options.idleMinutes * 60_000;
    if (idleMs !== null) {
      const timer = setInterval(
        () => {
          const isNeeded =
            service.silentMs < idleMs ||
            countActiveComputeNodes(service.view, null) > 0 ||
            countOpenAllocations(service.view) > 0;
          if (!isNeeded) resolve();
        },
        Math.min(idleCheckMs, idleMs),
      );
      timer.unref();
    }
    options.onReady?.(serving.file);
  });
  await serving.close();
  removeHolder(options.directory);
  await service.close();
}
