// Many simulated workers in one process. Sends 'ready' when all are registered, starts at the first message, sends
// 'reached' after `tellAfter` acknowledged results, and its measurements at the end.
import { once } from 'node:events';
import { openLeanClient, runSimulatedWorker, sayHello } from './simulated.mjs';

const { file, key, numWorkers, slots, execMs, pace = null, tellAfter = null } = JSON.parse(process.argv[2]);
process.once('disconnect', () => process.exit(1));
const workers = [];
for (let index = 0; index < numWorkers; index++) {
  const api = await openLeanClient(file);
  workers.push({ api, id: await sayHello(api, key, { index, slots }) });
}
process.send('ready');
await once(process, 'message');

const acknowledged = [];
const latencies = [];
/** When each of them ended, in seconds, and how many results were acknowledged by then. */
const progress = [];
const begin = performance.now();
const cpuBefore = process.cpuUsage();
let lastAt = begin;
function onReply({ jobs, reports }, latency) {
  // an empty exchange only waits for the other workers
  if (jobs.length + reports.length === 0) return;
  latencies.push(latency);
  lastAt = performance.now();
  const before = acknowledged.length;
  for (const { attempt, answer } of reports) if (answer === 'accepted') acknowledged.push(attempt);
  progress.push([(lastAt - begin) / 1000, acknowledged.length]);
  if (tellAfter !== null && before < tellAfter && acknowledged.length >= tellAfter) process.send('reached');
}
const options = {
  onReply,
  execMs,
  pace: pace === null ? null : { ...pace, jobsPerSecond: pace.jobsPerSecond / numWorkers },
};
// if the server is killed, each worker ends with its connection
const ends = await Promise.allSettled(workers.map(({ api, id }) => runSimulatedWorker(api, id, options)));
const failed = ends.find(({ status }) => status === 'rejected');
if (failed !== undefined && tellAfter === null) throw failed.reason;
const { user, system } = process.cpuUsage(cpuBefore);
const seconds = (lastAt - begin) / 1000;
process.send({ acknowledged, latencies, progress, seconds, cpuSeconds: (user + system) / 1e6 }, () => process.exit(0));
