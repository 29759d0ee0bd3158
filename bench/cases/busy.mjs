// The cost of the end of a job for the server while other workers wait: the end unblocks a job, but all waiting workers are full.
import { row } from '../report.mjs';
import { createNoops, endsOf, exchangeRequest, sayHello } from '../simulated.mjs';
import { inDirectory, openFresh, progress, repeat } from '../support.mjs';

const slots = 4;
const numEnds = 50;

/** Processor time in microseconds of an exchange that reports `slots` ends and gets as many jobs. */
async function microseconds(numBusy) {
  return await inDirectory(async (directory) => {
    const service = await openFresh(directory);
    const width = slots * (numBusy + 1 + numEnds);
    const key = await createNoops(service, 2 * width, { width });
    const waiting = [];
    for (let index = 0; index < numBusy; index++) {
      const id = await sayHello(service, key, { index, slots });
      const { jobs } = await service.call('exchange', exchangeRequest(id, {}));
      const held = jobs.map(({ attempt }) => attempt);
      waiting.push(service.call('exchange', exchangeRequest(id, { seq: 2, ack: held.at(-1), held })));
    }
    const id = await sayHello(service, key, { index: numBusy, slots });
    let { jobs } = await service.call('exchange', exchangeRequest(id, {}));
    const before = process.cpuUsage();
    for (let seq = 2; seq < numEnds + 2; seq++) {
      const changes = { seq, ack: jobs.at(-1).attempt, finished: endsOf(jobs, 60_000) };
      ({ jobs } = await service.call('exchange', exchangeRequest(id, changes)));
    }
    const { user, system } = process.cpuUsage(before);
    await service.close();
    await Promise.allSettled(waiting);
    return (user + system) / numEnds;
  });
}

export async function busy({ runs }) {
  progress('ends of jobs while workers wait');
  const few = await repeat(runs, () => microseconds(10));
  const many = await repeat(runs, () => microseconds(1000));
  const title = (numBusy) =>
    `an exchange of ${slots} ends and ${slots} jobs, each end unblocks a job, with ${numBusy} busy workers`;
  return [row(title(10), few, 'us'), row(title(1000), many, 'us', { baseline: { what: 'with 10', samples: few } })];
}
