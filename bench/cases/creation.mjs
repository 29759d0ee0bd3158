// Creating workflows from each format, as a whole process with durable rows.
import { createWriteStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { row } from '../report.mjs';
import { inDirectory, progress, repeat, timeTorc } from '../support.mjs';

/** Writes `head`, one line per job with `between` after each but the last, and `tail`. */
async function writeLines(path, numJobs, lineOf, { head = '', between = '\n', tail = '\n' } = {}) {
  const file = createWriteStream(path);
  file.write(head);
  for (let index = 0; index < numJobs; index++) {
    const line = `${lineOf(index)}${index + 1 < numJobs ? between : ''}`;
    if (!file.write(line)) await new Promise((go) => file.once('drain', go));
  }
  file.end(tail);
  await finished(file);
}

/** By the name in the row: writes the file. */
const ways = {
  'a sweep': {
    name: 'sweep.json',
    write: (path, numJobs) =>
      writeFileSync(
        path,
        JSON.stringify({
          name: 'sweep',
          jobs: [{ name: 'job_{n}', command: 'simulate --seed {n}', parameters: { n: `1:${numJobs}` } }],
        }),
      ),
  },
  JSON: {
    name: 'jobs.json',
    write: (path, numJobs) =>
      writeLines(path, numJobs, (n) => `{"name":"j${n}","command":"simulate ${n}"}`, {
        head: '{"name":"list","jobs":[\n',
        between: ',\n',
        tail: ']}\n',
      }),
  },
  'a commands file': {
    name: 'commands.txt',
    write: (path, numJobs) => writeLines(path, numJobs, (n) => `simulate --seed ${n} > out_${n}.txt`),
  },
  'explicit YAML': {
    name: 'jobs.yaml',
    write: (path, numJobs) =>
      writeLines(path, numJobs, (n) => `  - name: job_${n}\n    command: simulate --seed ${n}`, {
        head: 'name: list\njobs:\n',
      }),
  },
};

async function measure(way, numJobs, runs, budget) {
  progress(`${numJobs} jobs from ${way}`);
  return await inDirectory(async (directory) => {
    const path = join(directory, ways[way].name);
    await ways[way].write(path, numJobs);
    const all = await repeat(runs, (run) => timeTorc(join(directory, `server${run}`), ['workflows', 'create', path]));
    const made = all.find(({ reply }) => reply.num_jobs !== numJobs);
    if (made !== undefined) throw new Error(`${made.reply.num_jobs} of ${numJobs} jobs were created`);
    return [
      row(
        `create ${numJobs} jobs from ${way}`,
        all.map(({ seconds }) => seconds),
        's',
        { budget },
      ),
      row(
        '.. memory of the process',
        all.map(({ peakMb }) => peakMb),
        'MB',
        { budget: { atMost: 300 } },
      ),
    ];
  });
}

export async function creation({ isFull, runs }) {
  const rows = [];
  const plan = ['a sweep', 'JSON', 'a commands file'].flatMap((way) => [
    [way, 10_000, runs, null],
    ...(isFull
      ? [
          [way, 100_000, runs, { atMost: 2 }],
          [way, 1_000_000, 1, { atMost: way === 'JSON' ? 15 : 10 }],
        ]
      : []),
  ]);
  if (isFull) plan.push(['explicit YAML', 100_000, Math.min(runs, 3), { atMost: 4 }]);
  else plan.push(['explicit YAML', 10_000, 1, null]);
  for (const one of plan) rows.push(...(await measure(...one)));
  return rows;
}
