// Creating a workflow from a commands file, as a whole process with durable rows.
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { row } from '../report.mjs';
import { inDirectory, repeat, time, torc } from '../support.mjs';

async function writeCommands(path, numJobs) {
  const file = createWriteStream(path);
  for (let index = 0; index < numJobs; index++) {
    if (!file.write(`simulate --seed ${index} > out_${index}.txt\n`)) await new Promise((go) => file.once('drain', go));
  }
  file.end();
  await finished(file);
}

export async function creation({ isFull, runs }) {
  const rows = [];
  const sizes = [[10_000, null], [100_000, '2'], ...(isFull ? [[1_000_000, '25']] : [])];
  for (const [numJobs, budget] of sizes) {
    const memory = [];
    const seconds = await repeat(numJobs >= 1_000_000 ? 1 : runs, () =>
      inDirectory(async (directory) => {
        const commands = join(directory, 'commands.txt');
        await writeCommands(commands, numJobs);
        const args = ['--dir', join(directory, 'server'), 'workflows', 'create-from-commands-file', commands];
        const run = await time(process.execPath, [torc, ...args]);
        if (run.code !== 0) throw new Error(`creating ${numJobs} jobs ended with ${run.code}`);
        memory.push(run.peakMb);
        return run.seconds;
      }),
    );
    rows.push(row(`create ${numJobs} jobs from a commands file`, seconds, 's', { budget }));
    rows.push(row('.. memory', memory, 'MB', { budget: '300' }));
  }
  return rows;
}
