// No-op jobs on this machine with two slots, results durable, against `xargs -P2` in the same run.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { row } from '../report.mjs';
import { inDirectory, repeat, residentPeakMb, time, torc } from '../support.mjs';
import { findChildPid } from './worker-pid.mjs';

export async function noop({ isFull, runs }) {
  const numJobs = isFull ? 10_000 : 2_000;
  const input = Array.from({ length: numJobs }, (_, index) => `${index}\n`).join('');
  const xargs = await repeat(runs, async () => (await time('xargs', ['-P2', '-n1', 'true'], { input })).seconds);
  const workerMb = [];
  const serverMb = [];
  const seconds = await repeat(runs, () =>
    inDirectory(async (directory) => {
      const commands = join(directory, 'commands.txt');
      writeFileSync(commands, 'true\n'.repeat(numJobs));
      const args = [
        torc,
        '--dir',
        join(directory, 'server'),
        '-F',
        'json',
        'run',
        commands,
        '-m',
        '2',
        '-o',
        join(directory, 'out'),
      ];
      const peaks = { worker: 0 };
      const watch = setInterval(() => {
        const pid = findChildPid(directory);
        if (pid !== null) peaks.worker = Math.max(peaks.worker, residentPeakMb(pid) ?? 0);
      }, 100);
      const run = await time(process.execPath, args);
      clearInterval(watch);
      const summary = JSON.parse(run.output);
      if (summary.num_done !== numJobs) throw new Error(`${summary.num_done} of ${numJobs} jobs are done`);
      workerMb.push(peaks.worker);
      serverMb.push(run.peakMb);
      return run.seconds;
    }),
  );
  return [
    row(`${numJobs} no-op jobs, 2 slots, whole \`torc run\``, seconds, 's', {
      baseline: { what: 'xargs -P2', samples: xargs },
      budget: 'ratio 1.4',
    }),
    row('.. memory of the worker', workerMb, 'MB', { budget: '80' }),
    row('.. memory of the server', serverMb, 'MB', { budget: '300' }),
  ];
}
