// Claims and completions over HTTPS with simulated workers in another process, every reply durable. Both processes share
// the machine, so the server's processor time shows what it could do with its own core.
import { profileClock, profileTable, profiling } from '../profile.mjs';
import { medianOf, quantileOf, row } from '../report.mjs';
import { createNoops } from '../simulated.mjs';
import { cpuSeconds, inDirectory, progress, repeat, residentPeakMb, withChild, withServer } from '../support.mjs';

/**
 * Claims and completes all jobs of a workflow, as fast as possible or at a pace; returns the measurements of the clients and
 * the cost for the server.
 */
export async function runSimulated({ pid, file }, key, { numWorkers = 64, slots = 16, execMs = 1, pace } = {}) {
  const options = { file, key, numWorkers, slots, execMs, pace };
  return await withChild('clients.mjs', options, async ({ message, send }) => {
    await message();
    const [cpuBefore, begin] = [cpuSeconds(pid), profileClock()];
    send('go');
    const said = await message();
    const span = { begin, end: profileClock() };
    return { ...said, span, serverCpuSeconds: cpuSeconds(pid) - cpuBefore, serverMb: residentPeakMb(pid) };
  });
}

/** As often: SQLite alone with as many jobs for each exchange. */
async function floorOf(numWorkers, samples, numJobs) {
  return await repeat(samples.length, (run) => {
    const perExchange = Math.ceil(numJobs / samples[run].latencies.length);
    return withChild('floor.mjs', { numJobs, numWorkers, perExchange }, ({ message }) => message());
  });
}

const minuteMs = 60_000;
const mostMb = 300;

/** One more run with a server that node profiles, which makes it slower: where its time goes, on stderr. */
async function profile(load, numJobs) {
  await inDirectory(async (directory) => {
    const work = async (server) => await runSimulated(server, await createNoops(server.api, numJobs), load);
    const { span, serverCpuSeconds } = await withServer(directory, work, { nodeOptions: profiling(directory) });
    process.stderr.write(`\n${profileTable(directory, span, (serverCpuSeconds * 1e6) / numJobs)}\n`);
  });
}

async function samplesOf(load, numJobs, runs) {
  return await repeat(runs, () =>
    inDirectory((directory) =>
      withServer(directory, async (server) => {
        const run = await runSimulated(server, await createNoops(server.api, numJobs), load);
        if (run.acknowledged.length !== numJobs) throw new Error(`${run.acknowledged.length} of ${numJobs} jobs ended`);
        return run;
      }),
    ),
  );
}

/** The share of a paced run in which all workers have begun and jobs are left for all of them. */
const [steadyFrom, steadyTo] = [0.3, 0.7];
/** How much work the server gives ahead for each running job, in milliseconds. */
const aheadMs = 100;

function steadyPart({ progress, latencies, acknowledged }) {
  const [from, to] = [steadyFrom, steadyTo].map((share) =>
    progress.findIndex(([, numJobs]) => numJobs >= share * acknowledged.length),
  );
  const [[beginAt, before], [endAt, after]] = [progress[from], progress[to]];
  return { jobsPerSecond: (after - before) / (endAt - beginAt), latencies: latencies.slice(from + 1, to + 1) };
}

/**
 * How long an exchange takes while workers end jobs half as fast as the server could record them, in pieces as large as
 * without a pace.
 */
async function atHalfLoad(load, numJobs, runs, samples) {
  const jobsPerSecond = medianOf(samples.map(({ seconds }) => numJobs / seconds)) / 2;
  const piece = Math.ceil(medianOf(samples.map(({ latencies }) => numJobs / latencies.length)));
  progress(`.. ${Math.round(jobsPerSecond)} jobs/s in pieces of ${piece}`);
  // each worker has about one piece ahead, and all of them a quarter of the jobs
  const { numWorkers, slots } = load;
  const execMs = Math.max(load.execMs, (slots * aheadMs) / piece);
  const most = Math.max(numJobs, 4 * numWorkers * (piece + slots));
  const paced = await samplesOf({ ...load, execMs, pace: { jobsPerSecond, piece } }, most, runs);
  const half = paced.map(steadyPart);
  const latency = (q) => half.map(({ latencies }) => quantileOf(latencies, q));
  return [
    row(
      `.. paced to half of these jobs/s in pieces of ${piece}, reached of ${Math.round(jobsPerSecond)}`,
      half.map((part) => part.jobsPerSecond),
      'jobs/s',
    ),
    row('.. .. latency of an exchange, p50', latency(0.5), 'ms'),
    row('.. .. latency of an exchange, p99', latency(0.99), 'ms', { budget: { atMost: 100 } }),
  ];
}

async function measure(load, numJobs, runs) {
  const { numWorkers, slots, execMs, budget = null } = load;
  const kind = execMs === minuteMs ? 'jobs of a minute' : 'no-op jobs';
  progress(`${numWorkers} workers, ${numJobs} ${kind}`);
  const samples = await samplesOf(load, numJobs, runs);
  const of = (figure) => samples.map(figure);
  const microseconds = (seconds) => (seconds * 1e6) / numJobs;
  return [
    row(
      `server over HTTPS, ${numWorkers} workers x ${slots}: claims + completions of ${numJobs} ${kind}`,
      of(({ seconds }) => numJobs / seconds),
      'jobs/s',
      { budget },
    ),
    row(
      '.. latency of an exchange, p50',
      of(({ latencies }) => quantileOf(latencies, 0.5)),
      'ms',
    ),
    row(
      '.. latency of an exchange, p99',
      of(({ latencies }) => quantileOf(latencies, 0.99)),
      'ms',
    ),
    row(
      '.. jobs for each exchange',
      of(({ latencies }) => numJobs / latencies.length),
      'jobs',
    ),
    row(
      '.. processor time of the server',
      of(({ serverCpuSeconds }) => microseconds(serverCpuSeconds)),
      'us/job',
      { baseline: { what: 'the same rows by SQLite alone', samples: await floorOf(numWorkers, samples, numJobs) } },
    ),
    row(
      '.. that is, with its own core',
      of(({ serverCpuSeconds }) => numJobs / serverCpuSeconds),
      'jobs/s',
    ),
    row(
      '.. processor time of the simulated workers',
      of((run) => microseconds(run.cpuSeconds)),
      'us/job',
    ),
    row(
      '.. memory of the server',
      of(({ serverMb }) => serverMb),
      'MB',
      { budget: { atMost: mostMb } },
    ),
    ...(await atHalfLoad(load, numJobs, runs, samples)),
  ];
}

export async function server({ isFull, runs, isProfiled }) {
  const numJobs = isFull ? 100_000 : 10_000;
  const rows = [];
  for (const load of [
    { numWorkers: 64, slots: 16, execMs: 1, budget: { atLeast: 50_000 } },
    { numWorkers: 1000, slots: 4, execMs: 1, budget: { atLeast: 30_000 } },
    // the server gives none of these ahead of time, so the same number of jobs needs more exchanges
    { numWorkers: 1000, slots: 4, execMs: minuteMs },
  ]) {
    rows.push(...(await measure(load, numJobs, load.numWorkers === 64 ? runs : Math.min(runs, 3))));
    if (isProfiled) await profile(load, numJobs);
  }
  return rows;
}
