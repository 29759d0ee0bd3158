// Claims and completions through HTTPS with simulated workers in a process of their own, every reply durable.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { row } from '../report.mjs';
import { createNoops, inDirectory, openFresh, repeat } from '../support.mjs';

const clients = fileURLToPath(new URL('./server-clients.mjs', import.meta.url));

export async function server({ isFull, runs }) {
  const rows = [];
  for (const [numWorkers, slots] of isFull
    ? [
        [64, 16],
        [1000, 4],
      ]
    : [[64, 16]]) {
    const numJobs = isFull ? 100_000 : 20_000;
    const p50 = [];
    const p99 = [];
    const cpu = [];
    const memory = [];
    const perSecond = await repeat(runs, () =>
      inDirectory(async (directory) => {
        const service = await openFresh(directory);
        const { serve } = await import('../../dist/server/serve.js');
        const key = await createNoops(service, numJobs);
        const serving = await serve(service, { host: '127.0.0.1' });
        const begin = performance.now();
        const cpuBefore = process.cpuUsage();
        const latencies = await runClients(directory, key, numWorkers, slots);
        const seconds = (performance.now() - begin) / 1000;
        const used = process.cpuUsage(cpuBefore);
        p50.push(latencies[Math.floor(latencies.length * 0.5)]);
        p99.push(latencies[Math.floor(latencies.length * 0.99)]);
        cpu.push((used.user + used.system) / numJobs);
        memory.push(process.memoryUsage().rss / 1024 ** 2);
        await serving.close();
        await service.close();
        return numJobs / seconds;
      }),
    );
    const title = `server over HTTPS, ${numWorkers} workers x ${slots}`;
    rows.push(row(`${title}: claims + completions`, perSecond, 'jobs/s', { budget: '20000' }));
    rows.push(row('.. latency of an exchange, p50', p50, 'ms'));
    rows.push(row('.. latency of an exchange, p99', p99, 'ms'));
    rows.push(row('.. cpu of the server', cpu, 'us/job'));
    rows.push(row('.. memory of the process', memory, 'MB', { budget: '300' }));
  }
  return rows;
}

/** Sorted latencies of all exchanges, in milliseconds. */
function runClients(directory, key, numWorkers, slots) {
  return new Promise((resolve, reject) => {
    const child = fork(clients, [directory, key, String(numWorkers), String(slots)]);
    child.once('message', resolve);
    child.once('error', reject);
    child.once('exit', (code) => code !== 0 && reject(new Error(`the clients ended with ${code}`)));
  });
}
