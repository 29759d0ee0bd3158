// Claims the jobs of one workflow through the service in this process, in batches of 64, and sends the cost to its parent.
import { createNoops, runSimulatedWorker, sayHello } from './simulated.mjs';
import { inDirectory, openFresh, repeat } from './support.mjs';

const { numJobs, shapes, runs, numClaims, sets = 0, execMs = 1, result, width } = JSON.parse(process.argv[2]);

const numWarmUp = 20_000;

/** Eight labels have 255 sets; with `sets` each job asks for one of so many, and counts towards one of as many limits. */
const labels = Array.from({ length: 8 }, (_, bit) => `label${bit}`);
const limited = {
  ofJob: (number) => {
    const set = (number % sets) + 1;
    return { labels: labels.filter((_, bit) => (set >> bit) & 1), limits: [`limit${set}`] };
  },
  ofWorkflow: { limits: Array.from({ length: sets }, (_, n) => ({ name: `limit${n + 1}`, maximum: 1000 })) },
};

const costs = await inDirectory(async (directory) => {
  const service = await openFresh(directory);
  const kind = { shapes, width, ...(sets === 0 ? {} : limited) };
  const key = await createNoops(service, numJobs, kind);
  const exchanges = { count: 0, numJobs: 0, bytes: 0 };
  const counting = {
    async call(endpoint, request) {
      const reply = await service.call(endpoint, request);
      exchanges.count += 1;
      exchanges.numJobs += reply.jobs.length;
      exchanges.bytes += JSON.stringify(request).length + JSON.stringify(reply).length;
      return reply;
    },
  };
  const claim = async (api, workflowKey, index, most) =>
    await runSimulatedWorker(
      api,
      await sayHello(service, workflowKey, { index, slots: 64, ...(sets === 0 ? {} : { labels }) }),
      {
        most,
        execMs,
        result,
      },
    );
  // by then V8 has compiled what is measured: that takes longer than the claims
  await claim(service, await createNoops(service, numWarmUp, kind), 998, numWarmUp);
  await claim(counting, key, 999, 640);
  const samples = await repeat(runs, async (run) => {
    const [begin, cpuBefore] = [performance.now(), process.cpuUsage()];
    await claim(service, key, run, numClaims);
    const { user, system } = process.cpuUsage(cpuBefore);
    return { wall: ((performance.now() - begin) * 1000) / numClaims, cpu: (user + system) / numClaims };
  });
  await service.close();
  return {
    microseconds: samples.map(({ wall }) => wall),
    cpuMicroseconds: samples.map(({ cpu }) => cpu),
    bytesPerExchange: exchanges.bytes / exchanges.count,
    bytesPerJob: exchanges.bytes / exchanges.numJobs,
    residentBytes: process.memoryUsage.rss(),
  };
});
process.send(costs, () => process.exit(0));
