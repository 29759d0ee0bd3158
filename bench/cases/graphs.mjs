// Dependencies at work: how soon a job starts after the one that it waits for, and what a fan and many stages cost.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { row } from '../report.mjs';
import { inDirectory, repeat, time, torc } from '../support.mjs';

const jobs = (count, name, rest = {}) =>
  Array.from({ length: count }, (_, n) => ({ name: `${name}${n}`, command: 'true', ...rest }));

const shapes = {
  diamond: (width) => [
    { name: 'first', command: 'true' },
    ...jobs(width, 'middle', { depends_on: ['first'] }),
    { name: 'last', command: 'true', depends_on_regexes: ['^middle'] },
  ],
  stages: (count, width) =>
    Array.from({ length: count }, (_, stage) =>
      jobs(width, `s${stage}_`, stage === 0 ? {} : { depends_on_regexes: [`^s${stage - 1}_`] }),
    ).flat(),
  chain: (length) =>
    Array.from({ length }, (_, n) => ({ name: `c${n}`, command: 'true', depends_on: n === 0 ? [] : [`c${n - 1}`] })),
};

/** Runs a workflow with two slots; seconds, and the results in the order of their jobs. */
async function runWorkflow(list) {
  return await inDirectory(async (directory) => {
    const spec = join(directory, 'workflow.json');
    writeFileSync(spec, JSON.stringify({ name: 'graph', jobs: list }));
    const common = [torc, '--dir', join(directory, 'server'), '-F', 'json'];
    const run = await time(process.execPath, [...common, 'run', spec, '-m', '2', '-o', join(directory, 'out')]);
    const { num_done } = JSON.parse(run.output);
    if (num_done !== list.length) throw new Error(`${num_done} of ${list.length} jobs are done`);
    const results = JSON.parse((await time(process.execPath, [...common, 'results', 'list'])).output).results;
    return { seconds: run.seconds, results };
  });
}

/** Milliseconds from the end of each job of a chain to the start of the next, sorted. */
function gaps(results) {
  const inOrder = results.toSorted((a, b) => Number(a.job_key) - Number(b.job_key));
  return inOrder
    .slice(1)
    .map((result, n) => Date.parse(result.start_time) - Date.parse(inOrder[n].end_time))
    .sort((a, b) => a - b);
}

export async function graphs({ isFull, runs }) {
  const width = isFull ? 10_000 : 2_000;
  const length = isFull ? 1_000 : 200;
  const xargs = async (count) => {
    const input = Array.from({ length: count }, (_, index) => `${index}\n`).join('');
    const samples = await repeat(runs, async () => (await time('xargs', ['-P2', '-n1', 'true'], { input })).seconds);
    return { what: 'xargs -P2', samples };
  };
  const timed = async (list) => await repeat(runs, async () => (await runWorkflow(list)).seconds);
  const stages = isFull ? 100 : 20;
  const chain = await repeat(runs, () => runWorkflow(shapes.chain(length)));
  const latencies = chain.map(({ results }) => gaps(results));
  const quantile = (q) => latencies.map((sorted) => sorted[Math.floor(sorted.length * q)]);
  return [
    row(`1 -> ${width} -> 1 jobs`, await timed(shapes.diamond(width)), 's', { baseline: await xargs(width + 2) }),
    row(`${stages} stages of 100 jobs`, await timed(shapes.stages(stages, 100)), 's', {
      baseline: await xargs(stages * 100),
    }),
    row(
      `chain of ${length} jobs`,
      chain.map(({ seconds }) => seconds),
      's',
      { baseline: await xargs(length) },
    ),
    row('.. end of a job to start of the next, p50', quantile(0.5), 'ms', { budget: '50' }),
    row('.. p99', quantile(0.99), 'ms'),
  ];
}
