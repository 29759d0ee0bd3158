// The cost of one claim and one completion, at different sizes of the workflow and numbers of resource shapes.
import { row } from '../report.mjs';
import { createNoops, inDirectory, openFresh, repeat, runSimulatedWorker } from '../support.mjs';

/** Microseconds for each job of `numClaims`, claimed and completed in batches of 64 in process. */
async function costOfClaim(numJobs, shapes, numClaims, runs) {
  return await inDirectory(async (directory) => {
    const service = await openFresh(directory);
    const key = await createNoops(service, numJobs, shapes);
    await runSimulatedWorker(service, key, { index: 999, slots: 64, most: 640 });
    const samples = await repeat(runs, async (run) => {
      const begin = performance.now();
      await runSimulatedWorker(service, key, { index: run, slots: 64, most: numClaims });
      return ((performance.now() - begin) * 1000) / numClaims;
    });
    await service.close();
    return samples;
  });
}

export async function claims({ isFull, runs }) {
  const numClaims = 2048;
  const small = await costOfClaim(10_000, 1, numClaims, runs);
  const large = isFull ? 1_000_000 : 100_000;
  const baseline = { what: 'at 10000 jobs', samples: small };
  const rows = [row('claim and completion at 10000 jobs, 1 shape', small, 'us/job')];
  for (const shapes of [1, 20, 200]) {
    const samples = await costOfClaim(large, shapes, numClaims, runs);
    const budget = shapes === 1 ? 'ratio 1.2' : null;
    rows.push(row(`claim and completion at ${large} jobs, ${shapes} shapes`, samples, 'us/job', { baseline, budget }));
  }
  return rows;
}
