// Kills the server at full throughput and checks that no acknowledged result is missing.
import { row } from '../report.mjs';
import { createNoops } from '../simulated.mjs';
import { inDirectory, openFresh, repeat, startServer, withChild } from '../support.mjs';

export async function durability({ isFull, runs }) {
  const numJobs = isFull ? 200_000 : 20_000;
  const counts = await repeat(runs, () => inDirectory((directory) => killOnce(directory, numJobs)));
  return [
    row(
      'results acknowledged before kill -9 of the server',
      counts.map(({ acknowledged }) => acknowledged),
      'results',
    ),
    row(
      '.. of them missing afterwards',
      counts.map(({ missing }) => missing),
      'results',
      { budget: { atMost: 0 } },
    ),
  ];
}

async function killOnce(directory, numJobs) {
  const { api, file, stop } = await startServer(directory);
  const key = await createNoops(api, numJobs);
  const options = { file, key, numWorkers: 16, slots: 16, tellAfter: numJobs / 4 };
  const acknowledged = await withChild('clients.mjs', options, async ({ message, send }) => {
    await message();
    send('go');
    await message();
    const last = message();
    await stop('SIGKILL');
    return (await last).acknowledged;
  });
  const again = await openFresh(directory);
  const rows = again.db.all('SELECT attempt_key FROM attempts WHERE end_status IS NOT NULL');
  const stored = new Set(rows.map((row) => row.attempt_key));
  await again.close();
  return { acknowledged: acknowledged.length, missing: acknowledged.filter((attempt) => !stored.has(attempt)).length };
}
