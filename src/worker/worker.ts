/** The entry of the worker. */
import { WorkerLoop } from './loop.ts';
import type { WorkerDependencies, WorkerExit, WorkerOptions } from './options.ts';
import { systemEffects } from './system-effects.ts';

/**
 * Runs a worker until there is a reason to end, and returns it. Throws TorcError when the server refuses the worker for
 * good, for example because there is no such workflow.
 */
export async function runWorker(options: WorkerOptions, dependencies: WorkerDependencies): Promise<WorkerExit> {
  const warn = (text: string): void => {
    dependencies.log.warn({}, text);
    dependencies.warn?.(text);
  };
  const effects = dependencies.effects ?? systemEffects(options, { ...dependencies, warn });
  try {
    return await new WorkerLoop(options, { ...dependencies, warn, effects }).run();
  } finally {
    await effects.close();
  }
}
