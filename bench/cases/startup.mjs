// How long a person waits for a short command, as a whole process. Commands on large workflows are measured in processor
// time, because other load on the machine would hide the difference that the number of jobs makes.
import { createMixed } from '../mixed.mjs';
import { row } from '../report.mjs';
import { endedCpuSeconds, inDirectory, openFresh, progress, repeat, time, torc, withServer } from '../support.mjs';
import { site } from './planning.mjs';

const listed = (list, ...options) => ['', ...options].map((option) => `${list} list -k KEY -l 10 ${option}`.trim());

/** Every command that only reads, as people type it, with frequent filters and orders; the first row of a kind is the usual one. */
const readings = [
  ...['status', 'status KEY', 'workflows list', 'workflows list -a', 'workflows show KEY', 'workflows show-status KEY'],
  ...['workflows runs KEY', 'workflows show-config KEY', 'jobs show 7777', 'why 7777', 'jobs diagnose -k KEY'],
  ...listed(
    'jobs',
    ...['ready', 'submitted', 'submitted_pending', 'blocked', 'canceled', 'done'].map((each) => `-f status=${each}`),
    ...['--failed', '--running', '--waiting', '--return-code 2', '--return-code 7', '-f held=true', '-f orphaned=true'],
    ...[
      '-f cause=exit_code',
      '-f cause=oom',
      '-f cause=success',
      '-f hostname=host1',
      '-f hostname=none',
      '-f run_id=2',
    ],
    ...['-f name=job_999', '-f name=job_99*', '-f priority=9', '-s 9000', '--reverse-sort', '--sort-by name'],
    ...[
      '--sort-by priority',
      '--sort-by status',
      '--sort-by status --reverse-sort',
      '-f status=ready --sort-by priority',
    ],
  ),
  ...listed(
    'results',
    ...['--reverse-sort', '-L', '-L --reverse-sort', '--failed', '-L --failed', '-f cause=exit_code', '-f cause=oom'],
    ...['-f return_code=2', '-f return_code=7', '-f status=terminated', '-f run_id=2', '-f hostname=none'],
    ...['-f job_name=job_999', '--sort-by peak_memory_bytes', '--sort-by exec_time_seconds --reverse-sort'],
  ),
  ...listed(
    'events',
    ...['--reverse-sort', '-f type=job_held', '-f type=workflow_started', '-f new_status=canceled', '-f job_key=7777'],
  ),
  ...listed('files'),
  ...['compute-nodes', 'user-data', 'resource-requirements', 'actions', 'notifications', 'limits', 'schedules'].map(
    (list) => `${list} list${list === 'schedules' ? '' : ' -k KEY'}`,
  ),
  ...[
    'hpc slurm list-configs -k KEY',
    'hpc slurm allocations -k KEY',
    'complete jobs job_9',
    'generators list',
    'list',
  ],
  ...[
    'reports resources -k KEY',
    'reports usage -k KEY',
    'workflows correct-resources KEY --dry-run',
    'doctor',
    'config show',
  ],
  // a small workflow that shares the database
  ...['jobs list -k 1 -l 10', 'results list -k 1 -l 10', 'results list -k 1 -l 10 --failed', 'events list -k 1 -l 10'],
];

/** The cost grows with the jobs. */
const wholes = [
  'graphs plot KEY --format dot',
  'hpc slurm plan KEY',
  'hpc slurm recommend-nodes -c 36 -k KEY',
  'logs analyze KEY',
];

/** What a server is asked over HTTPS. */
const asked = ['status KEY', 'jobs list -k KEY -l 10', 'results list -k KEY -l 10', 'jobs list -k KEY -l 10 --running'];

export async function startup({ isFull, runs }) {
  const timed = async (times, ...args) => await repeat(times, async () => (await time(process.execPath, args)).seconds);
  const baseline = { what: 'node -e 0', samples: await timed(runs * 3, '-e', '0') };
  const cpuOf = async (...args) =>
    await repeat(runs, async () => {
      const before = endedCpuSeconds();
      await time(process.execPath, args);
      return endedCpuSeconds() - before;
    });
  const cpuBaseline = { what: 'node -e 0', samples: await cpuOf('-e', '0') };
  const budget = { atMost: 0.25 };
  const rows = [];
  for (const words of ['--version', '--help', 'run --help', 'jobs list --help']) {
    rows.push(row(`torc ${words}`, await timed(runs * 3, torc, ...words.split(' ')), 's', { baseline }));
  }
  for (const numJobs of isFull ? [100_000, 1_000_000] : [10_000]) {
    progress(`${numJobs} jobs`);
    await inDirectory(async (directory) => {
      const service = await openFresh(directory);
      const key = await createMixed(service, numJobs);
      await service.call('site_put', { site });
      await service.close();
      const typed = (words) => [torc, '--dir', directory, ...words.replaceAll('KEY', key).split(' ')];
      for (const words of [...readings, ...wholes]) {
        const more = { baseline: cpuBaseline, ...(wholes.includes(words) ? {} : { budget }) };
        const samples = await cpuOf(...typed(words));
        rows.push(row(`torc ${words} at ${numJobs} jobs, no server, processor time`, samples, 's', more));
      }
      await withServer(directory, async () => {
        for (const words of asked) {
          const samples = await timed(runs, ...typed(words));
          rows.push(row(`torc ${words} at ${numJobs} jobs, asking a server`, samples, 's', { baseline, budget }));
        }
      });
    });
  }
  return rows;
}
