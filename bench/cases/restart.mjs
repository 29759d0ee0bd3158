// Planning and applying a restart and a reset of a whole workflow, against reading its jobs and edges once.
import { row } from '../report.mjs';
import { createNoops } from '../simulated.mjs';
import { inDirectory, openFresh, progress, repeat, secondsOf } from '../support.mjs';

/** The budgets are seconds. */
async function measure(numJobs, runs, { plan = null, apply = null } = {}) {
  progress(`${numJobs} jobs`);
  return await inDirectory(async (directory) => {
    const service = await openFresh(directory);
    const workflow_key = await createNoops(service, numJobs, { width: 1000 });
    const options = { workflow_key, expected_state: null, skip: 0 };
    const restart = (dry_run) =>
      service.call('workflow_restart', {
        ...options,
        dry_run,
        ignore_missing_data: false,
        only_uninitialized: false,
        keep_running: false,
        force: false,
        assume_stopped: false,
        working_directory: '/',
      });
    const reset = (dry_run) => service.call('jobs_reset', { ...options, dry_run, which: 'all' });
    const read = await repeat(runs, () =>
      secondsOf(() => {
        service.db.all('SELECT job_key, status, num_blockers FROM jobs WHERE workflow_key = ?', Number(workflow_key));
        service.db.all('SELECT upstream, downstream FROM edges');
      }),
    );
    const planned = await repeat(runs, () => secondsOf(() => reset(true)));
    const applied = await repeat(runs, async () => ({
      resetting: await secondsOf(() => reset(false)),
      planning: await secondsOf(() => restart(true)),
      restarting: await secondsOf(() => restart(false)),
    }));
    await service.close();
    const baseline = { what: 'reading jobs and edges', samples: read };
    const of = (name) => applied.map((sample) => sample[name]);
    const within = (seconds) => ({ baseline, budget: seconds === null ? null : { atMost: seconds } });
    return [
      row(`plan of a reset, ${numJobs} jobs`, planned, 's', within(plan)),
      row(`plan of a restart, ${numJobs} jobs`, of('planning'), 's', within(plan)),
      row(`reset applied, ${numJobs} jobs`, of('resetting'), 's', within(apply)),
      row(`restart applied, ${numJobs} jobs`, of('restarting'), 's', within(apply)),
    ];
  });
}

export async function restart({ isFull, runs }) {
  if (!isFull) return await measure(20_000, runs);
  return [...(await measure(100_000, runs, { plan: 1 })), ...(await measure(1_000_000, 1, { plan: 3, apply: 8 }))];
}
