// Dependencies: the cost of a fan-out, many stages and a chain on this machine.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { row } from '../report.mjs';
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
async function runWorkflow(list) {
  return await inDirectory(async (directory) => {
    const spec = join(directory, 'workflow.json');
    writeFileSync(spec, JSON.stringify({ name: 'graph', jobs: list }));
    const words = ['run', spec, '-m', '2', '-o', join(directory, 'out')];
    const { seconds, reply } = await timeTorc(join(directory, 'server'), words);
    if (reply.num_done !== list.length) throw new Error(`${reply.num_done} of ${list.length} jobs are done`);
    return seconds;
  });
}

export async function graphs({ isFull, runs }) {
  const [width, numStages, length] = isFull ? [10_000, 100, 1_000] : [1_000, 10, 100];
  const capped = Math.min(runs, 3);
  const xargs = async (count, slots) => {
    const samples = await timeXargs(count, capped, { slots });
    return { what: `xargs -P${slots}, ${count} times`, samples };
  };
  const measure = async (what, list, baseline) => {
    progress(what);
    return { what: `${what}, whole \`torc run\``, baseline, samples: await repeat(capped, () => runWorkflow(list)) };
  };
  const side = await xargs(width, 2);
  const parallel = [
    await measure(`1 -> ${width} -> 1 jobs`, shapes.diamond(width), side),
    await measure(
      `${numStages} stages of ${width / numStages} jobs`,
      shapes.stages(numStages, width / numStages),
      side,
    ),
  ];
  // its jobs run one after the other, so the baseline's do too
  const chain = await measure(`chain of ${length} jobs`, shapes.chain(length), await xargs(length, 1));
  return [
    ...parallel.map(({ what, baseline, samples }) => row(what, samples, 's', { baseline })),
    row(chain.what, chain.samples, 's', { baseline: chain.baseline }),
    row(
      '.. for each link, start and end of torc included',
      chain.samples.map((seconds) => (seconds * 1000) / length),
      'ms',
    ),
  ];
}
