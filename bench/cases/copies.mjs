// A rerun of a workflow of which one job in a hundred failed, a rerun of that rerun, and a clone; against reading its
// jobs and edges once. Two layers of jobs, so that each failure in the first one cancels a job in the second.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { row } from '../report.mjs';
import { createNoops, runSimulatedWorker, sayHello } from '../simulated.mjs';
import { inDirectory, openFresh, progress, repeat, secondsOf } from '../support.mjs';

// half of the jobs are in the first layer
const isFailing = ({ job_name }) => Number(job_name.slice(4)) % 50 === 0;

async function runAll(service, workflow_key, index, returnCodeOf) {
  const worker = await sayHello(service, workflow_key, { index, slots: 1000 });
  await runSimulatedWorker(service, worker, { returnCodeOf });
}

const countsOf = async (service, workflow_key) =>
  JSON.stringify((await service.call('workflow_show', { workflow_key })).counts);

async function measureOnce(numJobs, run) {
  progress(`${numJobs} jobs, run ${run + 1}`);
  return await inDirectory(async (directory) => {
    const service = await openFresh(directory);
    const first = await createNoops(service, numJobs, { width: numJobs / 2 });
    await runAll(service, first, 0, (job) => (isFailing(job) ? 1 : 0));
    const before = await countsOf(service, first);
    const megabytes = () => {
      service.db.run('PRAGMA wal_checkpoint(TRUNCATE)');
      return statSync(join(directory, 'torc.db')).size / 1e6;
    };
    const read = await secondsOf(() => {
      service.db.all('SELECT job_key, status, num_blockers FROM jobs WHERE workflow_key = ?', Number(first));
      service.db.all('SELECT upstream, downstream FROM edges');
    });
    const copy = async (how, workflow_key) => {
      const size = megabytes();
      let key = '';
      const seconds = await secondsOf(async () => {
        const request = { workflow_key, how, name: null, dry_run: false };
        key = (await service.call('workflow_copy', request)).workflow_key;
      });
      return { key, seconds, bytesOfJob: ((megabytes() - size) * 1e6) / numJobs };
    };
    const rerun = await copy('rerun', first);
    await service.call('workflow_start', { workflow_key: rerun.key, dry_run: false });
    await runAll(service, rerun.key, 1, (job) => (isFailing(job) ? 1 : 0));
    const again = await copy('rerun', rerun.key);
    const clone = await copy('clone', first);
    const isUnchanged = (await countsOf(service, first)) === before;
    await service.close();
    if (!isUnchanged) throw new Error('the counts of the first workflow have changed');
    return { read, rerun, again, clone };
  });
}

async function measure(numJobs, runs, budget) {
  const samples = await repeat(runs, (run) => measureOnce(numJobs, run));
  const of = (look) => samples.map(look);
  const baseline = { what: 'reading jobs and edges', samples: of(({ read }) => read) };
  return [
    row(
      `rerun, ${numJobs} jobs of which 1 % failed`,
      of(({ rerun }) => rerun.seconds),
      's',
      { baseline, budget },
    ),
    row(
      `rerun of the rerun, ${numJobs} jobs`,
      of(({ again }) => again.seconds),
      's',
      { baseline, budget },
    ),
    row(
      `clone, ${numJobs} jobs`,
      of(({ clone }) => clone.seconds),
      's',
      { baseline, budget },
    ),
    row(
      '.. growth of the database by a rerun',
      of(({ rerun }) => rerun.bytesOfJob),
      'bytes/job',
    ),
    row(
      '.. by a rerun of the rerun',
      of(({ again }) => again.bytesOfJob),
      'bytes/job',
    ),
  ];
}

export async function copies({ isFull, runs }) {
  if (!isFull) return await measure(20_000, runs, null);
  return await measure(100_000, runs, { atMost: 5 });
}
