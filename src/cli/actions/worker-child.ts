/** `torc jobs run --worker`: the child of a serving process, apart from what that one loads, which is most of the memory. */
import { TorcError } from '../../base/errors.ts';
import type { Context } from '../context/context.ts';
import { statedKey } from '../input/workflow-key.ts';
import type { WorkerCommandOptions } from '../workers/local-worker.ts';
import { runWorkerHere } from '../workers/worker-process.ts';

/** Talks only to the server of the directory, never opens the database, and prints its result for the parent. */
export async function beWorker(context: Context, key: string | null, options: WorkerCommandOptions): Promise<number> {
  const workflowKey = statedKey(context, key);
  if (workflowKey === null)
    throw new TorcError('usage', 'a worker needs the key of its workflow', `${context.torc} jobs run --help`);
  const exit = await runWorkerHere(context, workflowKey, options);
  await context.terminal.out(`${JSON.stringify(exit)}\n`);
  return 0;
}
