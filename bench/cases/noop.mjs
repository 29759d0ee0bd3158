// No-op jobs on this machine with two slots, results durable, against `xargs -P2` and others in the same run.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { row, skipped } from '../report.mjs';
import { installRivals, timeHyperQueue } from '../rivals.mjs';
import { inDirectory, progress, repeat, time, timeTorc } from '../support.mjs';

/** Whole `torc run`s: each with its seconds, the memory of the server (that process) and of the worker (its child). */
async function runNoops(numJobs, stdio, runs) {
  return await repeat(runs, () =>
    inDirectory(async (directory) => {
      const commands = join(directory, 'commands.txt');
      writeFileSync(commands, 'true\n'.repeat(numJobs));
      const words = ['run', commands, '-m', '2', '--stdio', stdio, '-o', join(directory, 'out')];
      const run = await timeTorc(join(directory, 'server'), words);
      if (run.reply.num_done !== numJobs) throw new Error(`${run.reply.num_done} of ${numJobs} jobs are done`);
      return run;
    }),
  );
}

/** Seconds of xargs, which starts `true` itself, or a shell that also creates two files for each job. */
export async function timeXargs(numJobs, runs, { slots = 2, hasFiles = false } = {}) {
  const input = Array.from({ length: numJobs }, (_, index) => `${index}\n`).join('');
  return await repeat(runs, () =>
    inDirectory(async (directory) => {
      mkdirSync(join(directory, 'out'));
      const job = hasFiles ? ['sh', '-c', 'true >out/$0.out 2>out/$0.err'] : ['true'];
      return (await time('xargs', [`-P${slots}`, '-n1', ...job], { input, cwd: directory })).seconds;
    }),
  );
}

export async function noop({ isFull, runs }) {
  const numJobs = isFull ? 10_000 : 1_000;
  const baseline = { what: 'xargs -P2', samples: await timeXargs(numJobs, runs) };
  const withFiles = {
    what: 'xargs -P2 and sh, two files',
    samples: await timeXargs(numJobs, runs, { hasFiles: true }),
  };
  const rows = [
    row(`${numJobs} times \`true\` by xargs -P2 -n1`, baseline.samples, 's'),
    row(`.. by xargs -P2 and sh, each with two files`, withFiles.samples, 's', { baseline }),
  ];
  const what = '.. by GNU parallel -j2';
  if (spawnSync('parallel', ['--version']).error !== undefined) rows.push(skipped(what, 'it is not installed'));
  else {
    const options = { input: 'true\n'.repeat(numJobs) };
    const samples = await repeat(Math.min(runs, 2), async () => (await time('parallel', ['-j2'], options)).seconds);
    rows.push(row(what, samples, 's', { baseline }));
  }
  const reason = installRivals();
  for (const [shape, title, against] of [
    ['none', '.. by HyperQueue, in memory', baseline],
    ['files', '.. by HyperQueue, in memory, each with two files', withFiles],
  ]) {
    if (reason !== null) rows.push(skipped(title, reason));
    else rows.push(row(title, await timeHyperQueue(shape, numJobs, Math.min(runs, 2)), 's', { baseline: against }));
  }
  for (const [stdio, title] of [
    ['files', 'two files each (`--stdio files`)'],
    ['none', 'no output kept (`--stdio none`)'],
  ]) {
    progress(title);
    const all = await runNoops(numJobs, stdio, runs);
    const of = (name) => all.map((run) => run[name]);
    const against = stdio === 'files' ? withFiles : baseline;
    const options = { baseline: against, budget: { ratio: 1 } };
    rows.push(
      row(`${numJobs} no-op jobs, 2 slots, whole \`torc run\`, ${title}`, of('seconds'), 's', options),
      row('.. memory of the worker', of('childPeakMb'), 'MB', { budget: { atMost: 60 } }),
      row('.. memory of the server', of('peakMb'), 'MB'),
    );
  }
  return rows;
}
