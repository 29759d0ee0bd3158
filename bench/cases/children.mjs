// A running job adds jobs before a waiting one, in one call; then a retried attempt adds the same ones again.
import { row } from '../report.mjs';
import { createNoops, exchangeRequest, sayHello } from '../simulated.mjs';
import { inDirectory, openFresh, progress, repeat, secondsOf } from '../support.mjs';

const child = (n) => ({
  name: `child_${n}`,
  command: `./work ${n}`,
  ...{ invocation_script: null, resource_requirements: null, scheduler: null, failure_handler: null },
  ...{ priority: 0, cancel_on_blocking_job_failure: true, supports_termination: false },
  ...{ depends_on: [], input_files: [], output_files: [], input_user_data: [], output_user_data: [] },
});

async function measureOnce(numJobs, run) {
  progress(`${numJobs} children, run ${run + 1}`);
  return await inDirectory(async (directory) => {
    const service = await openFresh(directory);
    const workflow_key = await createNoops(service, 2, { width: 1 });
    const worker = await sayHello(service, workflow_key, { index: 0, slots: 1 });
    const { jobs } = await service.call('exchange', exchangeRequest(worker, {}));
    const { records } = await service.call('list', {
      ...{ list: 'jobs', workflow_key, filters: [{ column: 'status', value: 'blocked' }] },
      ...{ sort_by: null, reverse: false, limit: 1, skip: 0 },
    });
    const request = {
      attempt_key: String(jobs[0].attempt),
      jobs: Array.from({ length: numJobs }, (_, n) => child(n)),
      ...{ before: [records[0].name], now: false, dry_run: false },
    };
    const numNew = [];
    const add = async () => {
      const reply = await service.call('jobs_add_children', request);
      numNew.push(reply.jobs.filter(({ is_new }) => is_new).length);
    };
    const added = await secondsOf(add);
    const again = await secondsOf(add);
    await service.close();
    if (numNew.join() !== `${numJobs},0`) throw new Error(`${numNew} jobs were new`);
    return { added, again };
  });
}

export async function children({ isFull, runs }) {
  const numJobs = isFull ? 10_000 : 2_000;
  const samples = await repeat(runs, (run) => measureOnce(numJobs, run));
  const budget = isFull ? { atMost: 1 } : null;
  return [
    row(
      `a running job adds ${numJobs} jobs in one call`,
      samples.map(({ added }) => added),
      's',
      { budget },
    ),
    row(
      '.. the same ones again',
      samples.map(({ again }) => again),
      's',
    ),
  ];
}
