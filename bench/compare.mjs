// Compares this checkout with another built one: they run the same calls in turns, ABAB, so that other load on the machine
// affects both, and it counts processor time instead of seconds. On a busy machine the minima are the best guide.
//   node bench/compare.mjs --base DIR [--rounds 7 --jobs 20000 --json]
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { figure, medianOf } from './report.mjs';
import { inDirectory, progress, root, withChild } from './support.mjs';

const { values } = parseArgs({
  options: {
    base: { type: 'string' },
    rounds: { type: 'string', default: '7' },
    jobs: { type: 'string', default: '20000' },
    json: { type: 'boolean', default: false },
  },
});
const checkouts = { base: resolve(values.base ?? ''), here: root };
for (const checkout of Object.values(checkouts)) {
  if (values.base !== undefined && existsSync(join(checkout, 'dist', 'server', 'open.js'))) continue;
  console.error(
    `error: ${values.base === undefined ? '--base is missing' : `no built torc in ${checkout}`}\nhint: run npm run build in both checkouts, then node bench/compare.mjs --base DIR`,
  );
  process.exit(2);
}

const [rounds, numJobs] = [Number(values.rounds), Number(values.jobs)];
const samples = { base: [], here: [] };
for (let round = 1; round <= rounds; round++) {
  progress(`round ${round} of ${rounds}`);
  for (const [name, checkout] of Object.entries(checkouts)) {
    const costs = await inDirectory((directory) =>
      withChild('compared.mjs', { checkout, directory, numJobs }, ({ message }) => message()),
    );
    samples[name].push(costs);
  }
}

const spread = (list) => ({ min: Math.min(...list), median: medianOf(list), max: Math.max(...list) });
const rows = Object.keys(samples.base[0]).map((what) => {
  const [base, here] = [samples.base, samples.here].map((all) => all.map((costs) => costs[what]));
  // the two runs of a round meet about the same load
  return {
    what,
    base: spread(base),
    here: spread(here),
    ratio: spread(here.map((cost, round) => cost / base[round])),
    ratioOfMin: Math.min(...here) / Math.min(...base),
  };
});

if (values.json) console.log(JSON.stringify({ checkouts, rounds, numJobs, rows }));
else {
  const cell = ({ min, median, max }, show = figure) => [min, median, max].map(show).join(' / ');
  console.log(
    `min / median / max of ${rounds} rounds, ${numJobs} jobs; us of processor time; base: ${checkouts.base}\n`,
  );
  console.log('| what | base | here | ratio | ratio of the minima |\n|---|---|---|---|---|');
  for (const { what, base, here, ratio, ratioOfMin } of rows) {
    console.log(
      `| ${what} | ${cell(base)} | ${cell(here)} | ${cell(ratio, (value) => value.toFixed(2))} | ${ratioOfMin.toFixed(2)} |`,
    );
  }
}
