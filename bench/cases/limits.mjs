// How soon a job starts after a slot of a shared limit has fallen free, whichever of two workflows it belongs to.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { quantileOf, row } from '../report.mjs';
import { inDirectory, repeat, startWorker, timeTorc, withServer } from '../support.mjs';

const maximum = 3;

/** Jobs of a tenth to a fifth of a second that all need the licence. */
function spec(name, numJobs) {
  return JSON.stringify({
    name,
    jobs: Array.from({ length: numJobs }, (_, n) => ({
      name: `j${n}`,
      command: `sleep ${0.1 + (n % 7) / 70}`,
      limits: ['licence'],
    })),
  });
}

/** When the jobs of both workflows started and ended, in milliseconds. */
async function timesOf(directory, keys) {
  const lists = await Promise.all(keys.map((key) => timeTorc(directory, ['results', 'list', '-k', key])));
  const times = (column) =>
    lists.flatMap(({ reply }) => reply.results.map((result) => Date.parse(result[column]))).sort((a, b) => a - b);
  return { starts: times('start_time'), ends: times('end_time') };
}

/** Milliseconds from the freeing of each slot to the start that fills it: one of `maximum` is free after each end. */
function gaps({ starts, ends }, numJobs) {
  if (starts.length !== 2 * numJobs) throw new Error(`${starts.length} of ${2 * numJobs} jobs have a result`);
  return starts.slice(maximum).map((start, n) => {
    const gap = start - ends[n];
    // recorded times are rounded to milliseconds
    if (gap < -1) throw new Error(`${maximum + 1} jobs ran at once`);
    return Math.max(gap, 0);
  });
}

async function twoWorkflows(numJobs) {
  return await inDirectory(async (directory) => {
    return await withServer(directory, async () => {
      await timeTorc(directory, ['limits', 'set', 'licence', String(maximum)]);
      const keys = [];
      for (const name of ['one', 'two']) {
        const file = join(directory, `${name}.json`);
        writeFileSync(file, spec(name, numJobs));
        const { workflow_key: key } = (await timeTorc(directory, ['workflows', 'create', file])).reply;
        await timeTorc(directory, ['workflows', 'start', key]);
        keys.push(key);
      }
      const workers = keys.map((key) => startWorker(directory, key, ['-m', '8', '--cpus', '8']));
      await Promise.all(workers.map((worker) => worker.exitCode ?? once(worker, 'exit')));
      return gaps(await timesOf(directory, keys), numJobs);
    });
  });
}

export async function limits({ isFull, runs }) {
  const found = await repeat(Math.min(runs, 3), () => twoWorkflows(isFull ? 300 : 60));
  const quantiles = (q) => found.map((one) => quantileOf(one, q));
  return [
    row('freeing of a slot of a limit to the next start, two workflows and workers, p50', quantiles(0.5), 'ms', {
      budget: { atMost: 50 },
    }),
    row('.. p99', quantiles(0.99), 'ms'),
  ];
}
