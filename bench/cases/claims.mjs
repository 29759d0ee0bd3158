// The cost of one claim and one completion, at different sizes of the workflow and numbers of resource shapes.
import { row } from '../report.mjs';
import { progress, withChild } from '../support.mjs';

const megabyte = 1024 ** 2;
/** Together fewer than the smallest workflow has: each worker also leaves jobs that it was given ahead. */
const [numClaims, numSamples] = [1024, 7];

/** Each in its own process, so that its memory is that of this workflow. */
async function costsOf(numJobs, shapes, changes = {}) {
  progress(`${numJobs} jobs of ${shapes} shapes`);
  const asked = { numJobs, shapes, runs: numSamples, numClaims, ...changes };
  return await withChild('claims.mjs', asked, ({ message }) => message());
}

/** Jobs of a minute, none of which is given ahead of time: jobs under a limit never are. */
async function withLimits(numJobs) {
  const execMs = 60_000;
  const without = await costsOf(numJobs, 1, { execMs });
  const limited = await costsOf(numJobs, 1, { execMs, sets: 200 });
  const title = `claim and completion of a job of a minute at ${numJobs} jobs, processor time`;
  const baseline = { what: 'without limits and labels', samples: without.cpuMicroseconds };
  return [
    row(title, without.cpuMicroseconds, 'us/job'),
    row('.. with 200 limits and 200 sets of labels', limited.cpuMicroseconds, 'us/job', {
      baseline,
      budget: { ratio: 1.2 },
    }),
  ];
}

/** Each job leaves 200 bytes; in chains the next one gets them. */
async function withResults(numJobs) {
  const result = 'x'.repeat(198);
  const without = await costsOf(numJobs, 1);
  const passing = await costsOf(numJobs, 1, { result });
  const title = `claim and completion at ${numJobs} jobs, processor time`;
  // so few that most of the jobs that are measured wait for one of them
  const width = 2_000;
  const chained = await costsOf(numJobs, 1, { width });
  const passed = await costsOf(numJobs, 1, { width, result });
  const against = ({ cpuMicroseconds: samples }, what) => ({ baseline: { what, samples }, budget: { ratio: 1.2 } });
  return [
    row(title, without.cpuMicroseconds, 'us/job'),
    row(
      '.. with result values of 200 bytes',
      passing.cpuMicroseconds,
      'us/job',
      against(without, 'without result values'),
    ),
    row(`.. in ${width} chains`, chained.cpuMicroseconds, 'us/job'),
    row(
      `.. in ${width} chains, each job with the value of the one before`,
      passed.cpuMicroseconds,
      'us/job',
      against(chained, 'in chains without result values'),
    ),
  ];
}

export async function claims({ isFull }) {
  const sizes = isFull ? [10_000, 100_000, 1_000_000] : [10_000, 50_000];
  const [smallest, largest] = [sizes[0], sizes.at(-1)];
  const rows = [];
  /** Of one shape, by the number of jobs. */
  const plain = new Map();
  for (const shapes of [1, 20, 200]) {
    let baseline = null;
    for (const numJobs of sizes) {
      const costs = await costsOf(numJobs, shapes);
      const title = `claim and completion at ${numJobs} jobs, ${shapes} ${shapes === 1 ? 'shape' : 'shapes'}`;
      const budget = numJobs === largest ? { ratio: 1.2 } : null;
      rows.push(row(title, costs.microseconds, 'us/job', { baseline, budget }));
      if (shapes === 1) plain.set(numJobs, { what: 'of 1 shape', samples: costs.cpuMicroseconds });
      // in larger workflows the jobs of a shape lie far apart
      const ofOne = { baseline: plain.get(numJobs), budget: numJobs === smallest ? { ratio: 1.2 } : null };
      rows.push(row('.. processor time', costs.cpuMicroseconds, 'us/job', shapes === 1 ? {} : ofOne));
      rows.push(row('.. request and reply of an exchange, uncompressed', [costs.bytesPerExchange], 'bytes'));
      rows.push(row('.. the same for each job', [costs.bytesPerJob], 'bytes/job'));
      rows.push(row('.. memory of the process', [costs.residentBytes / megabyte], 'MB'));
      baseline ??= { what: `at ${smallest} jobs`, samples: costs.microseconds };
    }
  }
  rows.push(...(await withLimits(sizes[0])));
  rows.push(...(await withResults(isFull ? 100_000 : sizes[0])));
  return rows;
}
