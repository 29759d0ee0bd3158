// How long a person waits for a short command, as a whole process.
import { row } from '../report.mjs';
import { createNoops } from '../simulated.mjs';
import { inDirectory, openFresh, progress, repeat, time, torc, withServer } from '../support.mjs';

export async function startup({ isFull, runs }) {
  const timed = async (...args) => await repeat(runs * 3, async () => (await time(process.execPath, args)).seconds);
  const baseline = { what: 'node -e 0', samples: await timed('-e', '0') };
  const rows = [row('torc --version', await timed(torc, '--version'), 's', { baseline })];
  for (const numJobs of isFull ? [100_000, 1_000_000] : [10_000]) {
    progress(`${numJobs} jobs`);
    const budget = { atMost: 0.25 };
    await inDirectory(async (directory) => {
      const service = await openFresh(directory);
      await createNoops(service, numJobs);
      await service.close();
      const list = () => timed(torc, '--dir', directory, 'jobs', 'list', '-l', '10');
      const title = `torc jobs list -l 10 at ${numJobs} jobs`;
      rows.push(row(`${title}, no server`, await list(), 's', { baseline, budget }));
      await withServer(directory, async () => {
        rows.push(row(`${title}, asking a server`, await list(), 's', { baseline, budget }));
      });
    });
  }
  return rows;
}
