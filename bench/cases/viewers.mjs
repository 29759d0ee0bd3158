// What those who look at a busy workflow cost the server: who only follows its events, and who asks at each message for
// what a page shows.
import { row } from '../report.mjs';
import { createNoops } from '../simulated.mjs';
import { inDirectory, progress, repeat, withChild, withServer } from '../support.mjs';
import { runSimulated } from './server.mjs';

const numViewers = 3;

async function measure(numJobs, viewers) {
  return await inDirectory((directory) =>
    withServer(directory, async (server) => {
      const key = await createNoops(server.api, numJobs);
      const run = () => runSimulated(server, key, 64, 16);
      const costOf = ({ serverCpuSeconds, seconds }) => ({ serverCpuSeconds, seconds });
      if (viewers === null) return costOf(await run());
      const options = { directory, file: server.file, key, numViewers, ...viewers };
      return await withChild('viewers.mjs', options, async ({ message, send }) => {
        await message();
        const cost = costOf(await run());
        send('end');
        const { numMessages } = await message();
        return { ...cost, messagesPerSecond: numMessages / numViewers / cost.seconds };
      });
    }),
  );
}

export async function viewers({ isFull, runs }) {
  const numJobs = isFull ? 100_000 : 50_000;
  const kinds = { none: null, follow: { asks: false }, ask: { asks: true } };
  progress(`${numViewers} viewers of ${numJobs} no-op jobs`);
  // in turns, because the speed of the machine changes
  const rounds = await repeat(runs, async () => {
    const round = {};
    for (const [name, how] of Object.entries(kinds)) round[name] = await measure(numJobs, how);
    return round;
  });
  const microseconds = (name) => rounds.map((round) => (round[name].serverCpuSeconds * 1e6) / numJobs);
  const more = (name) => rounds.map((round) => (round[name].serverCpuSeconds / round.none.serverCpuSeconds - 1) * 100);
  return [
    row(
      `claims + completions of ${numJobs} no-op jobs, nobody looks: processor time of the server`,
      microseconds('none'),
      'us/job',
    ),
    row(`.. ${numViewers} viewers follow its events`, microseconds('follow'), 'us/job'),
    row('.. that is, more', more('follow'), '%'),
    row(`.. ${numViewers} viewers ask for a page at each message too`, microseconds('ask'), 'us/job'),
    row('.. that is, more', more('ask'), '%', { budget: { atMost: 5 } }),
    row(
      '.. messages for each viewer',
      rounds.map(({ ask }) => ask.messagesPerSecond),
      '1/s',
    ),
  ];
}
