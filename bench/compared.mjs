// Measures the service of one checkout in processor time of this process (user and system, all threads, garbage collection
// included), which is more reliable than seconds on a shared machine. Sends microseconds by title to its parent. It loads
// only two modules that every version has, and calls endpoints, so that versions can be compared.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createNoops, endsOf, exchangeRequest, runSimulatedWorker, sayHello } from './simulated.mjs';

const { checkout, directory, numJobs } = JSON.parse(process.argv[2]);
const load = (...path) => import(pathToFileURL(join(checkout, 'dist', ...path)).href);
const { openService } = await load('server', 'open.js');
const { systemClock } = await load('base', 'clock.js');
const service = await openService(directory, systemClock, 'torc bench');
const minuteMs = 60_000;
const slots = 4;
let index = 0;

/** Claims and ends all jobs of a workflow, each of which takes `execMs`; the server gives short ones ahead of time. */
async function workOff(key, atOnce, execMs) {
  const id = await sayHello(service, key, { index: index++, slots: atOnce });
  await runSimulatedWorker(service, id, { execMs });
}

/** Microseconds of processor time for each of `count`. */
async function cpuOf(count, work) {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

/** The ends of jobs that unblock others, while 100 fully occupied workers wait; the first quarter compiles code. */
async function unblockOthers(count) {
  const numWaiting = 100;
  const warmUp = count >> 2;
  const width = slots * (numWaiting + 1 + warmUp + count);
  const key = await createNoops(service, 2 * width, { width });
  for (let n = 0; n < numWaiting; n++) {
    const id = await sayHello(service, key, { index: index++, slots });
    const { jobs } = await service.call('exchange', exchangeRequest(id, {}));
    const held = jobs.map(({ attempt }) => attempt);
    void service.call('exchange', exchangeRequest(id, { seq: 2, ack: held.at(-1), held })).catch(() => {});
  }
  const id = await sayHello(service, key, { index: index++, slots });
  let { jobs } = await service.call('exchange', exchangeRequest(id, {}));
  let seq = 2;
  const endAll = async (times) => {
    for (const last = seq + times; seq < last; seq++) {
      const changes = { seq, ack: jobs.at(-1).attempt, finished: endsOf(jobs, minuteMs) };
      ({ jobs } = await service.call('exchange', exchangeRequest(id, changes)));
    }
  };
  await endAll(warmUp);
  return await cpuOf(count * slots, () => endAll(count));
}

const listOf = (list, workflow_key, skip) =>
  service.call('list', { list, workflow_key, filters: [], sort_by: null, reverse: false, limit: 100, skip });

async function readLists(key, list, count) {
  for (let n = 0; n < count; n++) await listOf(list, key, n);
  return await cpuOf(count, async () => {
    for (let n = 0; n < count; n++) await listOf(list, key, n);
  });
}

const costs = {};
// also compiles code and fills caches
await workOff(await createNoops(service, 2000), 64, 1);

let key = '';
costs['creation, each job'] = await cpuOf(numJobs, async () => {
  key = await createNoops(service, numJobs, { shapes: 20, width: 1000 });
});
costs['claim and completion of a short job, 64 slots'] = await cpuOf(numJobs, () => workOff(key, 64, 1));
const numLong = numJobs / 8;
const long = await createNoops(service, numLong, { shapes: 20 });
costs['claim and completion of a job of a minute, 4 slots'] = await cpuOf(numLong, () =>
  workOff(long, slots, minuteMs),
);
costs['end of a job that unblocks another, 100 workers waiting'] = await unblockOthers(numJobs / 16);
costs['a page of 100 jobs'] = await readLists(key, 'jobs', 300);
costs['a page of 100 results'] = await readLists(key, 'results', 300);
costs['a page of 100 events'] = await readLists(key, 'events', 300);
const reset = (dry_run) =>
  service.call('jobs_reset', { workflow_key: key, expected_state: null, skip: 0, dry_run, which: 'all' });
costs['plan of a reset, each job'] = await cpuOf(numJobs, () => reset(true));
costs['reset applied, each job'] = await cpuOf(numJobs, () => reset(false));
await service.close();
process.send(costs, () => process.exit(0));
