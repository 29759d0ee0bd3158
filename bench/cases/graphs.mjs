// Dependencies: the cost of a fan-out, many stages and a chain on this machine.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { row, skipped } from '../report.mjs';
import { installRivals, timeHyperQueue } from '../rivals.mjs';
import { inDirectory, progress, repeat, timeTorc } from '../support.mjs';
import { timeXargs } from './noop.mjs';

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

/** Seconds of a whole `torc run` with two slots. */
async function runWorkflow(list, stdio = 'files') {
  return await inDirectory(async (directory) => {
    const spec = join(directory, 'workflow.json');
    writeFileSync(spec, JSON.stringify({ name: 'graph', jobs: list }));
    const words = ['run', spec, '-m', '2', '--stdio', stdio, '-o', join(directory, 'out')];
    const { seconds, reply } = await timeTorc(join(directory, 'server'), words);
    if (reply.num_done !== list.length) throw new Error(`${reply.num_done} of ${list.length} jobs are done`);
    return seconds;
  });
}

export async function graphs({ isFull, runs }) {
  const [width, numStages, length] = isFull ? [10_000, 100, 1_000] : [1_000, 10, 100];
  const capped = Math.min(runs, 3);
  const xargs = async (count, slots, hasFiles = false) => {
    const samples = await timeXargs(count, capped, { slots, hasFiles });
    return { what: `xargs -P${slots}, ${count} times${hasFiles ? ', sh, two files' : ''}`, samples };
  };
  const reason = installRivals();
  const measure = async (what, list, baseline, { stdio, ...rest } = {}) => {
    progress(what);
    const samples = await repeat(capped, () => runWorkflow(list, stdio));
    return row(`${what}, whole \`torc run\``, samples, 's', { baseline, ...rest });
  };
  const rival = async (shape, count, baseline) => {
    const what = '.. by HyperQueue, in memory';
    if (reason !== null) return skipped(what, reason);
    return row(what, await timeHyperQueue(shape, count, Math.min(runs, 2)), 's', { baseline });
  };
  const side = await xargs(width, 2);
  const stages = shapes.stages(numStages, width / numStages);
  const title = `${numStages} stages of ${width / numStages} jobs`;
  const rows = [
    await measure(`1 -> ${width} -> 1 jobs`, shapes.diamond(width), side),
    await rival('diamond', width + 2, side),
    await measure(`${title}, no output kept`, stages, side, { stdio: 'none', budget: { ratio: 1.3 } }),
    await measure(`${title}, two files each`, stages, await xargs(width, 2, true), { budget: { ratio: 1.3 } }),
  ];
  // its jobs run one after the other, so the baseline's do too
  const alone = await xargs(length, 1);
  const chain = await repeat(capped, () => runWorkflow(shapes.chain(length)));
  return [
    ...rows,
    row(`chain of ${length} jobs, whole \`torc run\``, chain, 's', { baseline: alone }),
    row(
      '.. for each link, start and end of torc included',
      chain.map((seconds) => (seconds * 1000) / length),
      'ms',
      { budget: { atMost: 3 } },
    ),
    await rival('chain', length, alone),
  ];
}
