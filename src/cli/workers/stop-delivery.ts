/** Requests to stop, brought to workers that nobody serves: their server was killed, and they look for another one. */
import { delay } from '../../base/clock.ts';
import { counted } from '../../base/text.ts';
import type { Connection } from '../connection/connection.ts';
import { type Context, note } from '../context/context.ts';
import { startProgress } from '../output/progress.ts';

const lookEveryMs = 250;
/** How long running jobs may take to stop; longer than their usual grace. */
const stopWithinMs = 60_000;
/** How long workers may then take to hear that they may leave. */
const leaveWithinMs = 3_000;

/**
 * Serves until jobs that were asked to stop have, if no server does and workers wait for one. `jobsLeft` counts those
 * that still run. Returns how many are left.
 */
export async function deliverStops(
  context: Context,
  connection: Connection,
  jobsLeft: () => Promise<number>,
): Promise<number> {
  const { api } = connection;
  const workersLeft = async () => (await api.call('server_awaited', {})).num_workers;
  let numJobs = await jobsLeft();
  if (connection.kind === 'remote' || numJobs === 0 || (await workersLeft()) === 0) return numJobs;
  await connection.serve();
  note(
    context,
    `No server is running: serving here until ${counted(numJobs, 'job')} ${numJobs === 1 ? 'is' : 'are'} stopped.`,
  );
  const { clock } = context;
  const progress = startProgress(context, 0);
  const giveUpAt = clock.monotonic() + stopWithinMs;
  let leaveUntil = Number.POSITIVE_INFINITY;
  while (clock.monotonic() < Math.min(giveUpAt, leaveUntil)) {
    progress.update(`waiting for ${counted(numJobs, 'job')} to stop`);
    await delay(clock, lookEveryMs);
    numJobs = await jobsLeft();
    if (numJobs > 0) continue;
    if ((await workersLeft()) === 0) break;
    leaveUntil = Math.min(leaveUntil, clock.monotonic() + leaveWithinMs);
  }
  progress.clear();
  return numJobs;
}
