// How soon a job starts after its upstream job: on the same worker, and on another, idle worker that has to be woken.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { quantileOf, row } from '../report.mjs';
import { inDirectory, repeat, startWorker, timeTorc, withServer } from '../support.mjs';

/** A chain whose jobs use the requirements of `kinds` in turn. */
function chainSpec(length, kinds) {
  return JSON.stringify({
    name: 'chain',
    resource_requirements: kinds.map((kind, index) => ({ name: `kind${index}`, runtime: 'PT1M', ...kind })),
    jobs: Array.from({ length }, (_, n) => ({
      name: `c${n}`,
      command: 'true',
      depends_on: n === 0 ? [] : [`c${n - 1}`],
      resource_requirements: `kind${n % kinds.length}`,
    })),
  });
}

/** Milliseconds from the end of each job to the start of the next, as the server records them. */
async function gaps(directory, length) {
  const { results } = (await timeTorc(directory, ['results', 'list'])).reply;
  const inOrder = results.toSorted((a, b) => Number(a.job_key) - Number(b.job_key));
  if (inOrder.length !== length) throw new Error(`${inOrder.length} of ${length} jobs have a result`);
  const nodes = new Set(inOrder.map(({ compute_node_key }) => compute_node_key));
  const found = inOrder
    .slice(1)
    .map((result, n) => Date.parse(result.start_time) - Date.parse(inOrder[n].end_time))
    // recorded times are rounded to milliseconds, so a gap may seem negative
    .map((gap) => Math.max(gap, 0));
  return { gaps: found, numNodes: nodes.size };
}

async function onOneWorker(length) {
  return await inDirectory(async (directory) => {
    const spec = join(directory, 'chain.json');
    writeFileSync(spec, chainSpec(length, [{ num_cpus: 1, memory: '1m' }]));
    await timeTorc(join(directory, 'server'), ['run', spec, '-m', '2', '-o', join(directory, 'out')]);
    return (await gaps(join(directory, 'server'), length)).gaps;
  });
}

/** Two workers whose capacities make each job fit only the worker that did not run the previous job. */
async function onTwoWorkers(length) {
  return await inDirectory(async (directory) => {
    const spec = join(directory, 'chain.json');
    const kinds = [
      { num_cpus: 2, memory: '1m' },
      { num_cpus: 1, memory: '1g' },
    ];
    writeFileSync(spec, chainSpec(length, kinds));
    return await withServer(directory, async () => {
      const { workflow_key } = (await timeTorc(directory, ['workflows', 'create', spec])).reply;
      await timeTorc(directory, ['workflows', 'start', workflow_key]);
      const workers = [
        ['--cpus', '2', '--memory', '100m'],
        ['--cpus', '1', '--memory', '2g'],
      ].map((capacity) => startWorker(directory, workflow_key, capacity));
      await Promise.all(workers.map((worker) => worker.exitCode ?? once(worker, 'exit')));
      const found = await gaps(directory, length);
      if (found.numNodes !== 2) throw new Error(`the jobs ran on ${found.numNodes} workers instead of 2`);
      return found.gaps;
    });
  });
}

export async function latency({ isFull, runs }) {
  const length = isFull ? 500 : 60;
  const capped = Math.min(runs, 3);
  const here = await repeat(capped, () => onOneWorker(length));
  const over = await repeat(capped, () => onTwoWorkers(length));
  const quantiles = (all, q) => all.map((one) => quantileOf(one, q));
  return [
    row('end of a job to start of its dependent, same worker, p50', quantiles(here, 0.5), 'ms', {
      budget: { atMost: 50 },
    }),
    row('.. p99', quantiles(here, 0.99), 'ms'),
    row('end of a job to start of its dependent, another, idle worker over HTTPS, p50', quantiles(over, 0.5), 'ms', {
      budget: { atMost: 250 },
    }),
    row('.. p99', quantiles(over, 0.99), 'ms'),
  ];
}
