// How long a person waits for a short command, as a whole process.
import { join } from 'node:path';
import { row } from '../report.mjs';
import { createNoops, inDirectory, openFresh, repeat, time, torc } from '../support.mjs';

export async function startup({ isFull, runs }) {
  const numJobs = isFull ? 1_000_000 : 100_000;
  const node = await repeat(runs * 3, async () => (await time(process.execPath, ['-e', '0'])).seconds);
  const version = await repeat(runs * 3, async () => (await time(process.execPath, [torc, '--version'])).seconds);
  const list = await inDirectory(async (directory) => {
    const server = join(directory, 'server');
    const service = await openFresh(server);
    await createNoops(service, numJobs);
    await service.close();
    const args = [torc, '--dir', server, 'jobs', 'list', '-l', '10'];
    return await repeat(runs * 3, async () => (await time(process.execPath, args)).seconds);
  });
  const baseline = { what: 'node -e 0', samples: node };
  return [
    row('torc --version', version, 's', { baseline }),
    row(`torc jobs list -l 10 at ${numJobs} jobs`, list, 's', { baseline, budget: '0.25' }),
  ];
}
