// How long a person waits for a short command, as a whole process.
import { row } from '../report.mjs';
import { createNoops } from '../simulated.mjs';
import { inDirectory, openFresh, progress, repeat, time, torc, withServer } from '../support.mjs';

/** Every command that only reads, as people type it. */
const readings = [
  ...['status', 'status 1', 'workflows list', 'workflows show 1', 'workflows show-status 1', 'workflows runs 1'],
  ...['jobs list -l 10 -f status=ready', 'jobs list -l 10 -f status=canceled', 'jobs list -l 10 --failed'],
  ...['jobs list -l 10 --sort-by name', 'jobs list -l 10 -s 9000', 'jobs show 77', 'why 77', 'jobs diagnose'],
  ...['results list -l 10', 'events list -l 10 --reverse-sort', 'compute-nodes list', 'files list -l 10'],
  ...['user-data list', 'resource-requirements list', 'actions list', 'notifications list', 'limits list'],
  ...['schedules list', 'hpc slurm list-configs', 'logs analyze 1', 'complete jobs job_9'],
];

export async function startup({ isFull, runs }) {
  const timed = async (...args) => await repeat(runs * 3, async () => (await time(process.execPath, args)).seconds);
  const baseline = { what: 'node -e 0', samples: await timed('-e', '0') };
  const rows = [];
  for (const words of ['--version', '--help', 'run --help', 'jobs list --help']) {
    rows.push(row(`torc ${words}`, await timed(torc, ...words.split(' ')), 's', { baseline }));
  }
  for (const numJobs of isFull ? [100_000, 1_000_000] : [10_000]) {
    progress(`${numJobs} jobs`);
    const budget = { atMost: 0.25 };
    await inDirectory(async (directory) => {
      const service = await openFresh(directory);
      await createNoops(service, numJobs);
      await service.close();
      const list = () => timed(torc, '--dir', directory, 'jobs', 'list', '-l', '10');
      const status = () => timed(torc, '--dir', directory, 'status', '1');
      rows.push(row(`torc status 1 at ${numJobs} jobs, no server`, await status(), 's', { baseline, budget }));
      const title = `torc jobs list -l 10 at ${numJobs} jobs`;
      for (const words of readings) {
        const samples = await timed(torc, '--dir', directory, ...words.split(' '));
        rows.push(row(`torc ${words} at ${numJobs} jobs, no server`, samples, 's', { baseline, budget }));
      }
      rows.push(row(`${title}, no server`, await list(), 's', { baseline, budget }));
      await withServer(directory, async () => {
        rows.push(row(`${title}, asking a server`, await list(), 's', { baseline, budget }));
      });
    });
  }
  return rows;
}
