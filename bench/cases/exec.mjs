// `torc exec` of many commands on this machine against `xargs -P` in the same run, and how it creates very many jobs.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { row } from '../report.mjs';
import { inDirectory, progress, repeat, time, timeTorc, torc } from '../support.mjs';
import { timeXargs } from './noop.mjs';

const budget = { ratio: 1.2 };

/** Whole commands: each with its seconds, and the memory of the server (that process) and of the worker (its child). */
async function runExec(numJobs, runs, words) {
  return await repeat(runs, () =>
    inDirectory(async (directory) => {
      writeFileSync(join(directory, 'commands.txt'), 'true\n'.repeat(numJobs));
      const lines = Array.from({ length: numJobs }, (_, index) => `${index}\n`).join('');
      const options = { input: lines, cwd: directory };
      const run = await timeTorc(join(directory, 'server'), ['exec', '--local', '-j', '2', ...words], options);
      if (run.reply.num_done !== numJobs) throw new Error(`${run.reply.num_done} of ${numJobs} jobs are done`);
      return run;
    }),
  );
}

/** Memory of a dry run: it reads all lines and makes all jobs, of which it shows the first ones. */
async function peakOfLines(numLines) {
  return await inDirectory(async (directory) => {
    const file = join(directory, 'lines');
    writeFileSync(file, Array.from({ length: numLines }, (_, index) => `line ${index}\n`).join(''));
    const words = [
      torc,
      '--dir',
      join(directory, 'server'),
      'exec',
      '--local',
      '--dry-run',
      '--each-line',
      file,
      '-c',
      'true',
    ];
    return (await time(process.execPath, words)).peakMb;
  });
}

export async function exec({ isFull, runs }) {
  const numJobs = isFull ? 10_000 : 1_000;
  progress('xargs');
  const plain = { what: 'xargs -P2', samples: await timeXargs(numJobs, runs) };
  const files = { what: 'xargs -P2 and sh', samples: await timeXargs(numJobs, runs, { hasFiles: true }) };
  const rows = [
    row(`${numJobs} times \`true\` by xargs -P2 -n1`, plain.samples, 's'),
    row('.. by xargs -P2 and sh, each with two files', files.samples, 's', { baseline: plain }),
  ];
  for (const [words, title, baseline] of [
    [['--stdio', 'none', '-C', 'commands.txt'], 'no output kept', plain],
    [['-C', 'commands.txt'], 'two files each', files],
    [['--stdio', 'none', '--each-line', '-', '--', 'true'], '`--each-line -`, no output kept', plain],
  ]) {
    progress(title);
    const all = await runExec(numJobs, runs, words);
    const what = `${numJobs} no-op jobs, whole \`torc exec -j 2\`, ${title}`;
    rows.push(
      row(
        what,
        all.map(({ seconds }) => seconds),
        's',
        { baseline, budget },
      ),
    );
  }
  const [few, many] = isFull ? [100_000, 1_000_000] : [10_000, 100_000];
  const baseline = { what: `${few} lines`, samples: [await peakOfLines(few)] };
  const samples = [await peakOfLines(many)];
  rows.push(row(`memory of reading ${many} lines for \`--each-line\``, samples, 'MB', { baseline }));
  return rows;
}
