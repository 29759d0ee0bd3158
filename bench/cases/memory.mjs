// Memory of a server after many jobs were created, claimed and completed, and of a worker that has run many.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { row } from '../report.mjs';
import { createNoops } from '../simulated.mjs';
import { inDirectory, progress, residentPeakMb, timeTorc, withServer } from '../support.mjs';
import { runSimulated } from './server.mjs';

/** Peak resident memory in MB after all jobs are created, and after all are done. */
async function ofServer(numJobs) {
  return await inDirectory((directory) =>
    withServer(directory, async (server) => {
      const key = await createNoops(server.api, numJobs);
      const created = residentPeakMb(server.pid);
      const { acknowledged, serverMb } = await runSimulated(server, key);
      if (acknowledged.length !== numJobs) throw new Error(`${acknowledged.length} of ${numJobs} jobs ended`);
      return { created, done: serverMb };
    }),
  );
}

async function ofWorker(numJobs) {
  return await inDirectory(async (directory) => {
    const commands = join(directory, 'commands.txt');
    writeFileSync(commands, 'true\n'.repeat(numJobs));
    const words = ['run', commands, '-m', '2', '--stdio', 'none', '-o', join(directory, 'out')];
    const { reply, childPeakMb } = await timeTorc(join(directory, 'server'), words);
    if (reply.num_done !== numJobs) throw new Error(`${reply.num_done} of ${numJobs} jobs are done`);
    return childPeakMb;
  });
}

/** Once each, because each measures one long-running process. */
export async function memory({ isFull }) {
  const [numSimulated, numReal] = isFull ? [1_000_000, 100_000] : [50_000, 2_000];
  progress(`server with ${numSimulated} jobs`);
  const server = await ofServer(numSimulated);
  progress(`worker with ${numReal} jobs`);
  const budget = { atMost: 300 };
  return [
    row(`memory of the server, ${numSimulated} jobs created through it`, [server.created], 'MB', { budget }),
    row('.. and completed by simulated workers', [server.done], 'MB', { budget }),
    row(`memory of a worker, ${numReal} real no-op jobs`, [await ofWorker(numReal)], 'MB', { budget: { atMost: 60 } }),
  ];
}
