/** The files by which workers that cannot reach the server learn that they have been given up. */
import { type Fact, factsOf } from '../../storage/database/facts.ts';
import type { ServerContext } from '../context.ts';

/** A file that could not be written is written at the next check. */
export function writeStopFiles({ lastHeard, machine, info }: ServerContext, facts: readonly Fact[]): void {
  for (const { workerId } of factsOf(facts, 'worker_fenced')) {
    lastHeard.noteFenced(workerId);
    try {
      machine.writeStopFile(workerId);
    } catch (error) {
      info.log.warn({ err: error, worker_id: workerId }, 'the stop file of a worker could not be written');
    }
  }
}
