// What those who look at a busy workflow cost the server: how much slower it is at its full speed, and what they ask for in
// a second, at a moment when many workers have jobs.
import { row } from '../report.mjs';
import { createNoops, endsOf, exchangeRequest, openLeanClient, sayHello } from '../simulated.mjs';
import { cpuSeconds, inDirectory, progress, repeat, withChild, withServer } from '../support.mjs';
import { viewed } from '../viewed.mjs';
import { runSimulated } from './server.mjs';

const minuteMs = 60_000;

/** Seconds of the server's processor for all jobs of a workflow, while so many look. */
async function measure(numJobs, numViewers) {
  return await inDirectory((directory) =>
    withServer(directory, async (server) => {
      const key = await createNoops(server.api, numJobs);
      const run = async () => (await runSimulated(server, key)).serverCpuSeconds;
      if (numViewers === 0) return await run();
      return await withChild('viewers.mjs', { file: server.file, key, numViewers }, async ({ message, send }) => {
        await message();
        const seconds = await run();
        send('end');
        await message();
        return seconds;
      });
    }),
  );
}

async function atFullSpeed(numJobs, runs) {
  progress(`viewers of ${numJobs} no-op jobs`);
  // in turns, because the speed of the machine changes
  const rounds = await repeat(runs, async () => {
    const round = {};
    for (const numViewers of [0, 1, 3]) round[numViewers] = await measure(numJobs, numViewers);
    return round;
  });
  const microseconds = (numViewers) => rounds.map((round) => (round[numViewers] * 1e6) / numJobs);
  const more = (numViewers) => rounds.map((round) => (round[numViewers] / round[0] - 1) * 100);
  const [title] = Object.keys(viewed(''));
  return [
    row(
      `claims + completions of ${numJobs} no-op jobs, nobody looks: processor time of the server`,
      microseconds(0),
      'us/job',
    ),
    row(`.. 1 viewer of ${title}`, microseconds(1), 'us/job'),
    row('.. that is, more', more(1), '%'),
    row(`.. 3 viewers of ${title}`, microseconds(3), 'us/job'),
    row('.. that is, more', more(3), '%', { budget: { atMost: 5 } }),
  ];
}

/** All workers have all the jobs that they can run, and have reported some. */
async function keepBusy(client, key, numWorkers, slots) {
  for (let index = 0; index < numWorkers; index++) {
    const id = await sayHello(client, key, { index, slots });
    let [ack, finished] = [0, []];
    for (let seq = 1; seq <= 3; seq++) {
      const { jobs } = await client.call('exchange', exchangeRequest(id, { seq, ack, finished }));
      ack = jobs.at(-1)?.attempt ?? ack;
      finished = endsOf(jobs, minuteMs);
    }
  }
}

/** Percent of a core that each viewer takes from the server, by who looks. */
async function sharesOf(numWorkers, slots, times) {
  return await inDirectory((directory) =>
    withServer(directory, async ({ api, file, pid }) => {
      const key = await createNoops(api, numWorkers * slots * 4);
      const client = await openLeanClient(file);
      await keepBusy(client, key, numWorkers, slots);
      const shares = {};
      for (const [title, asked] of Object.entries(viewed(key))) {
        shares[title] = 0;
        for (const [everyMs, ...request] of asked) {
          for (let call = 0; call < 20; call++) await client.call(...request);
          const before = cpuSeconds(pid);
          for (let call = 0; call < times; call++) await client.call(...request);
          shares[title] += ((cpuSeconds(pid) - before) / times / (everyMs / 1000)) * 100;
        }
      }
      client.close();
      return shares;
    }),
  );
}

async function whileBusy(numWorkers, slots, times, runs) {
  progress(`viewers of a workflow with ${numWorkers} busy workers`);
  const samples = await repeat(runs, () => sharesOf(numWorkers, slots, times));
  return Object.keys(samples[0]).map((title) =>
    row(
      `a viewer of ${title}, ${numWorkers} workers x ${slots} busy all the time: processor time of the server`,
      samples.map((shares) => shares[title]),
      '% of a core',
      { budget: { atMost: 1 } },
    ),
  );
}

export async function viewers({ isFull, runs }) {
  const times = isFull ? 500 : 200;
  return [
    ...(await atFullSpeed(isFull ? 100_000 : 50_000, runs)),
    ...(await whileBusy(64, 16, times, runs)),
    ...(await whileBusy(1000, 4, times, Math.min(runs, 3))),
  ];
}
